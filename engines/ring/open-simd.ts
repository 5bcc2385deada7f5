// Opening with the kernel: the product, the residues put together, centred and split, all in WebAssembly.
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { countBlocks } from './blocks.ts';
import { expandInto, loadFactor } from './expand.ts';
import { type Kernel, ringKernel } from './kernel.ts';
import type { KernelOptions } from './kernel-build.ts';
import type { OpenJob, RingOpener } from './open.ts';

/** @throws ConcordatError RING_ENGINE_UNAVAILABLE, PROCESS_FAILED */
export async function createSimdOpener(options: KernelOptions): Promise<RingOpener> {
  const kernel = await ringKernel(options);
  return { name: 'simd', open: (job) => openBlocks(kernel, job) };
}

function openBlocks(kernel: Kernel, job: OpenJob): void {
  const { seed, secretSum, aggregate, firstBlock = 0, values, onNoise } = job;
  const blocks = countBlocks(aggregate, values);
  try {
    loadFactor(kernel, secretSum);
    for (let i = 0; i < blocks; i++) {
      const from = i * RESIDUES_PER_BLOCK;
      expandInto(kernel, seed, firstBlock + i);
      kernel.left.set(aggregate.subarray(from, from + RESIDUES_PER_BLOCK));
      kernel.open();
      values.set(kernel.right, from);
      onNoise(kernel.error);
    }
  } finally {
    kernel.wipe();
  }
}
