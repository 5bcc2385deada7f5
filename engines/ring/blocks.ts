// How many blocks the buffers of a job hold.
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';

/** A caller's mistake, not input: RangeError. */
export function countBlocks(residues: Uint32Array, values: ArrayLike<number>): number {
  const blocks = residues.length / RESIDUES_PER_BLOCK;
  if (!Number.isInteger(blocks) || blocks === 0 || values.length !== residues.length) {
    throw new RangeError(`${residues.length} residues and ${values.length} values are not the same whole blocks`);
  }
  return blocks;
}
