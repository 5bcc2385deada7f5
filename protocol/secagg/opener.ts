// Opening a sum: an engine for it is only for the coordinator's opening/, the auditor, and a dealer's check of what was published.
import type { Packing } from './packing.ts';

export interface OpenJob {
  /** The round's seed, 32 bytes. */
  readonly seed: Uint8Array;
  /** S, the sum of the one-time secrets of the set: N integers, |S| ≤ 32,760. */
  readonly secretSum: Int32Array;
  /** C_k, residues [block][prime][coefficient], each below its prime. */
  readonly aggregate: Uint32Array;
  readonly firstBlock?: number;
  readonly packing: Packing;
  /** Receives slots·N slot sums per block: below 2^slotBits, the last of a coefficient all that is left of 78 bits. */
  readonly values: Uint32Array;
  /** Called once per block, in order, with its N residual errors E; the array is reused. */
  readonly onNoise: (error: Int32Array) => void;
}

/** Exact on any input: with a wrong S the result is noise, and only the noise check says so. */
export interface RingOpener {
  readonly name: string;
  open(job: OpenJob): void;
}
