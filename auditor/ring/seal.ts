// The reference engine: sealing and adding, with SEAL (node-seal 6.0.3) doing the ring arithmetic.
import { RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { addResidues, embed } from '../../protocol/secagg/coefficients.ts';
import { PACKED_WORDS_PER_BLOCK, unpackResidues } from '../../protocol/secagg/residue-bits.ts';
import type { Ring, SealJob } from '../../protocol/secagg/ring.ts';
import { CBD_POLYNOMIAL_BYTES, sampleCbd } from '../../protocol/secagg/sampling.ts';
import { countBlocks, countPackedBlocks, part } from '../../protocol/secagg/whole-blocks.ts';
import { forEachProduct } from './products.ts';
import { type SealProduct, sealProduct } from './seal-product.ts';

/** SEAL sees public a_k and the secret that was made here: never a byte that someone sent. */
export async function createSealRing(): Promise<Ring> {
  const product = await sealProduct();
  return { name: 'seal', seal: (job) => sealBlocks(product, job), addPacked };
}

function sealBlocks(product: SealProduct, job: SealJob): void {
  const { seed, secret, packing, values, fillRandom, firstBlock = 0, out } = job;
  const blocks = countBlocks(out, values, packing);
  const valuesPerBlock = values.length / blocks;
  const [randomBytes, error] = [new Uint8Array(CBD_POLYNOMIAL_BYTES), new Int32Array(RING_DEGREE)];
  try {
    forEachProduct(product, secret, { seed, firstBlock, blocks }, (i, words) => {
      fillRandom(randomBytes);
      sampleCbd(randomBytes, error);
      const [ofBlock, sealed] = [part(values, i, valuesPerBlock), part(out, i, RESIDUES_PER_BLOCK)];
      embed(words, error, ofBlock, packing, sealed);
    });
  } finally {
    randomBytes.fill(0);
    error.fill(0);
  }
}

function addPacked(acc: Uint32Array, packed: Uint32Array): void {
  const blocks = countPackedBlocks(acc, packed);
  const residues = new Uint32Array(RESIDUES_PER_BLOCK);
  for (let i = 0; i < blocks; i++) {
    unpackResidues(part(packed, i, PACKED_WORDS_PER_BLOCK), residues);
    addResidues(part(acc, i, RESIDUES_PER_BLOCK), residues);
  }
}
