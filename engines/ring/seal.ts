// The reference engine: sealing and adding, with SEAL (node-seal 6.0.3) doing the ring arithmetic.
import { RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { addResidues, embed } from '../../protocol/secagg/coefficients.ts';
import { CBD_POLYNOMIAL_BYTES, sampleCbd } from '../../protocol/secagg/sampling.ts';
import { countBlocks } from './blocks.ts';
import { forEachProduct } from './products.ts';
import type { Ring, SealJob } from './ring.ts';
import { type SealProduct, sealProduct } from './seal-product.ts';

/** SEAL sees public a_k and the secret that was made here: never a byte that someone sent. */
export async function createSealRing(): Promise<Ring> {
  const product = await sealProduct();
  return { name: 'seal', seal: (job) => sealBlocks(product, job), addInto: addResidues };
}

function sealBlocks(product: SealProduct, job: SealJob): void {
  const { seed, secret, values, fillRandom, firstBlock = 0, out } = job;
  const blocks = countBlocks(out, values);
  const [randomBytes, error] = [new Uint8Array(CBD_POLYNOMIAL_BYTES), new Int32Array(RING_DEGREE)];
  forEachProduct(product, secret, { seed, firstBlock, blocks }, (i, words) => {
    const [from, to] = [i * RESIDUES_PER_BLOCK, (i + 1) * RESIDUES_PER_BLOCK];
    fillRandom(randomBytes);
    sampleCbd(randomBytes, error);
    embed(words, error, values.subarray(from, to), out.subarray(from, to));
  });
  randomBytes.fill(0);
  error.fill(0);
}
