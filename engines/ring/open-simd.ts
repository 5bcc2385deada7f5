// Opening with the kernel: the product, the residues put together, centred and split, all in WebAssembly.
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import type { OpenJob, RingOpener } from '../../protocol/secagg/opener.ts';
import { countBlocks, part } from '../../protocol/secagg/whole-blocks.ts';
import { expandInto, loadFactor } from './expand.ts';
import { type Kernel, ringKernel } from './kernel.ts';
import type { KernelOptions } from './kernel-build.ts';

/** @throws ConcordatError RING_ENGINE_UNAVAILABLE, PROCESS_FAILED */
export async function createSimdOpener(options: KernelOptions): Promise<RingOpener> {
  const kernel = await ringKernel(options);
  return { name: 'simd', open: (job) => openBlocks(kernel, job) };
}

function openBlocks(kernel: Kernel, job: OpenJob): void {
  const { seed, secretSum, aggregate, packing, firstBlock = 0, values, onNoise } = job;
  const blocks = countBlocks(aggregate, values, packing);
  const valuesPerBlock = values.length / blocks;
  try {
    loadFactor(kernel, secretSum);
    for (let i = 0; i < blocks; i++) {
      expandInto(kernel, seed, firstBlock + i);
      kernel.left.set(part(aggregate, i, RESIDUES_PER_BLOCK));
      kernel.open(packing.slots, packing.slotBits);
      values.set(kernel.sums.subarray(0, valuesPerBlock), i * valuesPerBlock);
      onNoise(kernel.error);
    }
  } finally {
    kernel.wipe();
  }
}
