// Adding a payload to a sum: eight residues at a time are read out of their 30-bit stream and added.
import { LEFT, PACKED, PACKED_POLYNOMIAL, POLYNOMIAL, polynomialOf } from './layout.as';
import { reduce } from './modular.as';
import { primeOf } from './primes.as';

const LOW: i64 = 0x3fffffff;
const HIGH: i64 = LOW << 32;

/**
 * LEFT += PACKED, one block; both sides below their primes. Eight residues are 30 bytes, that is pairs of 60 bits:
 * the first and the third begin at bytes 0 and 15, the second and the fourth four bits into bytes 7 and 22.
 */
export function addPacked(): void {
  const low = i64x2.splat(LOW);
  const high = i64x2.splat(HIGH);
  let from = PACKED;
  for (let prime = 0; prime < 3; prime++) {
    const p = i32x4.splat(primeOf(prime));
    const left = polynomialOf(LEFT, prime);
    for (let at = left; at < left + POLYNOMIAL; at += 32, from += 30) {
      const x = v128.load64_lane(from, v128.load64_zero(from), 1, 15);
      const y = v128.load64_lane(from, v128.load64_zero(from, 7), 1, 22);
      // a pair's second residue moves from bit 30, or 34, to the upper half
      const x1 = v128.or(v128.and(x, low), v128.and(i64x2.shl(x, 2), high));
      const y1 = v128.or(v128.and(i64x2.shr_u(y, 4), low), v128.and(i64x2.shr_u(y, 2), high));
      const a = i8x16.shuffle(x1, y1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
      const b = i8x16.shuffle(x1, y1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
      v128.store(at, reduce(i32x4.add(v128.load(at), a), p));
      v128.store(at, reduce(i32x4.add(v128.load(at, 16), b), p), 16);
    }
  }
}
