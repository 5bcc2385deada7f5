// The fast engine: sealing and adding in a WebAssembly kernel of our own, word for word what the engine "seal" gives.
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { countBlocks } from './blocks.ts';
import { expandInto, loadFactor } from './expand.ts';
import { type Kernel, ringKernel } from './kernel.ts';
import type { KernelOptions } from './kernel-build.ts';
import type { Ring, SealJob } from './ring.ts';

/** @throws ConcordatError RING_ENGINE_UNAVAILABLE, PROCESS_FAILED */
export async function createSimdRing(options: KernelOptions): Promise<Ring> {
  const kernel = await ringKernel(options);
  return {
    name: 'simd',
    seal: (job) => sealBlocks(kernel, job),
    addInto: (acc, block) => addBlocks(kernel, acc, block),
  };
}

function sealBlocks(kernel: Kernel, job: SealJob): void {
  const { seed, secret, values, fillRandom, firstBlock = 0, out } = job;
  const blocks = countBlocks(out, values);
  try {
    loadFactor(kernel, secret);
    for (let i = 0; i < blocks; i++) {
      const from = i * RESIDUES_PER_BLOCK;
      expandInto(kernel, seed, firstBlock + i);
      fillRandom(kernel.random);
      kernel.values.set(values.subarray(from, from + RESIDUES_PER_BLOCK));
      kernel.seal();
      out.set(kernel.product, from);
    }
  } finally {
    kernel.wipe();
  }
}

function addBlocks(kernel: Kernel, acc: Uint32Array, block: Uint32Array): void {
  if (acc.length !== block.length || acc.length % RESIDUES_PER_BLOCK !== 0) {
    throw new RangeError(`cannot add ${block.length} residues to ${acc.length}`);
  }
  for (let at = 0; at < acc.length; at += RESIDUES_PER_BLOCK) {
    kernel.left.set(acc.subarray(at, at + RESIDUES_PER_BLOCK));
    kernel.right.set(block.subarray(at, at + RESIDUES_PER_BLOCK));
    kernel.add();
    acc.set(kernel.left, at);
  }
}
