// Small secrets and errors: the centred binomial distribution over 40 trials, from given random bytes.
import { SECAGG } from '../params.ts';
import { RING_DEGREE } from './block.ts';

const HALF_BYTES = SECAGG.cbdTrials / 8;
/** Random bytes per sample: 40 bits to add and 40 to subtract. */
export const CBD_BYTES = 2 * HALF_BYTES;
/** Random bytes for one polynomial. */
export const CBD_POLYNOMIAL_BYTES = CBD_BYTES * RING_DEGREE;
/** Variance of one sample: trials / 2 (sigma 4.47). When the sum is public, RLWE with 2.24 is left (Hint-RLWE, ePrint 2023/623; docs/spec/04). */
export const CBD_VARIANCE = SECAGG.cbdTrials / 2;

/** Arithmetic, not a table: a table look-up by a secret byte shows in the cache. */
function popcount(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * `out[i]` = popcount of bytes 0-4 of sample i minus popcount of its bytes 5-9: in [-40, 40].
 * @param randomBytes 10 bytes per sample, used once
 */
export function sampleCbd(randomBytes: Uint8Array, out: Int32Array): void {
  if (randomBytes.length !== CBD_BYTES * out.length) {
    throw new RangeError(`${randomBytes.length} random bytes for ${out.length} samples of ${CBD_BYTES}`);
  }
  const view = new DataView(randomBytes.buffer, randomBytes.byteOffset, randomBytes.byteLength);
  for (let i = 0, at = 0; i < out.length; i++, at += CBD_BYTES) {
    const plus = popcount(view.getUint32(at, true)) + popcount(view.getUint8(at + 4));
    const minus = popcount(view.getUint32(at + HALF_BYTES, true)) + popcount(view.getUint8(at + HALF_BYTES + 4));
    out[i] = plus - minus;
  }
}
