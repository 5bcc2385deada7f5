// The fast engine: sealing and adding in a WebAssembly kernel of our own, word for word what the engine "seal" gives.
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { PACKED_WORDS_PER_BLOCK } from '../../protocol/secagg/residue-bits.ts';
import type { Ring, SealJob } from '../../protocol/secagg/ring.ts';
import { countBlocks, countPackedBlocks, part } from '../../protocol/secagg/whole-blocks.ts';
import { expandInto, loadFactor } from './expand.ts';
import { type Kernel, ringKernel } from './kernel.ts';
import type { KernelOptions } from './kernel-build.ts';

/** @throws ConcordatError RING_ENGINE_UNAVAILABLE, PROCESS_FAILED */
export async function createSimdRing(options: KernelOptions): Promise<Ring> {
  const kernel = await ringKernel(options);
  return {
    name: 'simd',
    seal: (job) => sealBlocks(kernel, job),
    addPacked: (acc, packed) => addPacked(kernel, acc, packed),
  };
}

function sealBlocks(kernel: Kernel, job: SealJob): void {
  const { seed, secret, packing, values, fillRandom, firstBlock = 0, out } = job;
  const blocks = countBlocks(out, values, packing);
  const valuesPerBlock = values.length / blocks;
  try {
    loadFactor(kernel, secret);
    for (let i = 0; i < blocks; i++) {
      expandInto(kernel, seed, firstBlock + i);
      fillRandom(kernel.random);
      kernel.values.set(part(values, i, valuesPerBlock));
      kernel.seal(packing.slots, packing.slotBits);
      out.set(kernel.product, i * RESIDUES_PER_BLOCK);
    }
  } finally {
    kernel.wipe();
  }
}

function addPacked(kernel: Kernel, acc: Uint32Array, packed: Uint32Array): void {
  const blocks = countPackedBlocks(acc, packed);
  for (let i = 0; i < blocks; i++) {
    kernel.left.set(part(acc, i, RESIDUES_PER_BLOCK));
    kernel.packed.set(part(packed, i, PACKED_WORDS_PER_BLOCK));
    kernel.addPacked();
    acc.set(kernel.left, i * RESIDUES_PER_BLOCK);
  }
}
