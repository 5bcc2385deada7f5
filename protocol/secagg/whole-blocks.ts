// How many blocks the buffers of a job hold. Wrong ones are a caller's mistake, not input: RangeError.
import { SECAGG } from '../params.ts';
import { RESIDUES_PER_BLOCK, RING_DEGREE } from './block.ts';
import type { Packing } from './packing.ts';
import { PACKED_WORDS_PER_BLOCK } from './residue-bits.ts';

/** A number of whole blocks, at least one; every slot of them a value. The kernel relies on it: it checks nothing. */
export function countBlocks(residues: Uint32Array, values: ArrayLike<number>, { slots, slotBits }: Packing): number {
  if (!SECAGG.packings.some((known) => known.slots === slots && known.slotBits === slotBits)) {
    throw new RangeError(`no packing has ${slots} slots of ${slotBits} bits`);
  }
  const blocks = residues.length / RESIDUES_PER_BLOCK;
  if (!Number.isInteger(blocks) || blocks === 0 || values.length !== blocks * slots * RING_DEGREE) {
    throw new RangeError(
      `${residues.length} residues and ${values.length} values, ${slots} a coefficient, are not the same whole blocks`,
    );
  }
  return blocks;
}

export function countPackedBlocks(residues: Uint32Array, packed: Uint32Array): number {
  const blocks = residues.length / RESIDUES_PER_BLOCK;
  if (!Number.isInteger(blocks) || packed.length !== blocks * PACKED_WORDS_PER_BLOCK) {
    throw new RangeError(`cannot add a payload of ${packed.length} words to ${residues.length} residues`);
  }
  return blocks;
}

/** Block i of a buffer with `size` words a block. */
export const part = <Words>(words: { subarray(from: number, to: number): Words }, i: number, size: number): Words =>
  words.subarray(i * size, (i + 1) * size);
