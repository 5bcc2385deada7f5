// What every ring engine does: seal blocks under a one-time secret, and add sealed blocks. Opening is in open.ts.
import type { FillRandom } from './block.ts';
import type { Packing } from './packing.ts';

/** Buffers are the caller's, sized in whole blocks; an engine works through them block by block and keeps none. */
export interface SealJob {
  /** The round's seed, 32 bytes. */
  readonly seed: Uint8Array;
  /** N samples of CBD(40). Used for one payload and never again: a second message under it reveals the difference. */
  readonly secret: Int32Array;
  readonly packing: Packing;
  /** slots·N values per block, in value order. */
  readonly values: Uint16Array;
  /** CSPRNG. Asked for 40,960 bytes per block, in block order, once; they become that block's error. */
  readonly fillRandom: FillRandom;
  /** Number of the first block; lets a caller seal a large payload in parts. 0 unless told. */
  readonly firstBlock?: number;
  /** Receives c_k, residues [block][prime][coefficient]. */
  readonly out: Uint32Array;
}

/** Two engines give identical words for identical jobs (tests/vectors). Calls are synchronous and may share an engine. */
export interface Ring {
  readonly name: string;
  seal(job: SealJob): void;
  /**
   * acc += a payload's words (protocol/secagg/residue-bits.ts) mod each prime. Any whole number of blocks: 12,288
   * residues are 11,520 words. Both sides already range-checked.
   */
  addPacked(acc: Uint32Array, packed: Uint32Array): void;
}
