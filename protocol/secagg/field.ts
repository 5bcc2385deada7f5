// The prime field of the shares, F_65521: the largest prime that fits 16 bits.
import { SECAGG } from '../params.ts';

export const SHARE_PRIME = SECAGG.shamirPrime;

/** Products stay below 2^32, which a float holds exactly. */
export const mulShare = (a: number, b: number): number => (a * b) % SHARE_PRIME;

export const subShare = (a: number, b: number): number => (a >= b ? a - b : a - b + SHARE_PRIME);

/** a^(p-2), for a ≠ 0. */
export function inverseShare(a: number): number {
  let result = 1;
  for (let base = a, e = SHARE_PRIME - 2; e > 0; e = Math.floor(e / 2)) {
    if (e % 2 === 1) result = mulShare(result, base);
    base = mulShare(base, base);
  }
  return result;
}

/**
 * Lagrange weights at `x`: the value there is Σ weight_i · value_i.
 * @param points distinct and non-zero mod p
 */
export function lagrangeWeights(points: readonly number[], x: number): number[] {
  return points.map((point) => {
    let numerator = 1;
    let denominator = 1;
    for (const other of points) {
      if (other === point) continue;
      numerator = mulShare(numerator, subShare(x, other));
      denominator = mulShare(denominator, subShare(point, other));
    }
    return mulShare(numerator, inverseShare(denominator));
  });
}
