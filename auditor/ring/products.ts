// a_k times one factor for a run of blocks, two at a time: the loop that sealing and opening by SEAL share.

import { nodeShake128 } from '../../kit/shake.ts';
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { expandA } from '../../protocol/secagg/public-a.ts';
import type { SealProduct } from './seal-product.ts';

/** Which blocks, of which round. */
export interface BlockRun {
  readonly seed: Uint8Array;
  readonly firstBlock: number;
  readonly blocks: number;
}

/**
 * Calls `visit(i, a·factor)` for i = 0..blocks-1, in order; the array is reused. The factor leaves SEAL's memory at the end.
 * A zero factor never reaches SEAL, which refuses transparent results by an exception, and exceptions wear it out.
 */
export function forEachProduct(
  product: SealProduct,
  factor: Int32Array,
  run: BlockRun,
  visit: (i: number, words: Uint32Array) => void,
): void {
  const out = [new Uint32Array(RESIDUES_PER_BLOCK), new Uint32Array(RESIDUES_PER_BLOCK)] as const;
  const zero = factor.every((x) => x === 0);
  if (!zero) product.load(factor);
  try {
    for (let i = 0; i < run.blocks; i += 2) {
      const both = i + 1 < run.blocks;
      if (!zero) {
        const first = expandA(run.seed, run.firstBlock + i, nodeShake128);
        product.multiply([first, both ? expandA(run.seed, run.firstBlock + i + 1, nodeShake128) : first], out);
      }
      visit(i, out[0]);
      if (both) visit(i + 1, out[1]);
    }
  } finally {
    if (!zero) product.unload();
    for (const words of out) words.fill(0);
  }
}
