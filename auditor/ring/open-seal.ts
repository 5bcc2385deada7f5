// Opening with SEAL. The auditor uses this one, so that no sum rests on a kernel of our own alone.
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { extract, lift } from '../../protocol/secagg/coefficients.ts';
import type { OpenJob, RingOpener } from '../../protocol/secagg/opener.ts';
import { countBlocks, part } from '../../protocol/secagg/whole-blocks.ts';
import { forEachProduct } from './products.ts';
import { type SealProduct, sealProduct } from './seal-product.ts';

export async function createSealOpener(): Promise<RingOpener> {
  const product = await sealProduct();
  return { name: 'seal', open: (job) => openBlocks(product, job) };
}

function openBlocks(product: SealProduct, job: OpenJob): void {
  const { seed, secretSum, aggregate, packing, firstBlock = 0, values, onNoise } = job;
  const blocks = countBlocks(aggregate, values, packing);
  const valuesPerBlock = values.length / blocks;
  const [difference, error] = [new Uint32Array(RESIDUES_PER_BLOCK), new Int32Array(RING_DEGREE)];
  forEachProduct(product, secretSum, { seed, firstBlock, blocks }, (i, words) => {
    subtract(part(aggregate, i, RESIDUES_PER_BLOCK), words, difference);
    extract(difference, packing, part(values, i, valuesPerBlock), error);
    onNoise(error);
  });
}

/** out = a − b mod each prime, one block. */
function subtract(a: Uint32Array, b: Uint32Array, out: Uint32Array): void {
  PRIMES.forEach((p, j) => {
    for (let i = j * RING_DEGREE; i < (j + 1) * RING_DEGREE; i++) {
      out[i] = lift((a[i] ?? 0) - (b[i] ?? 0), p);
    }
  });
}
