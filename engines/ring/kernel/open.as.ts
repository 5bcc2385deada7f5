// Opening after the product. Everything here is as public as the opened sum, and still does not branch on it.
import { ERROR, LEFT, LIMB_BITS, LIMB_MASK, POLYNOMIAL, polynomialOf, PRODUCT, SUMS } from './layout.as';
import { inverse, mulMod, mulShoup, reduce, shoup } from './modular.as';
import { primeOf } from './primes.as';
import { multiply } from './product.as';

const BITS: i64 = LIMB_BITS;
const MASK: i64 = LIMB_MASK;

@inline
function difference(at: usize, prime: i32, p: v128, p2: v128, half: v128): v128 {
  const from = polynomialOf(LEFT, prime) + at;
  const product = polynomialOf(PRODUCT, prime) + at;
  const x = i32x4.sub(i32x4.add(v128.load(from), p2), v128.load(product));
  return reduce(i32x4.add(reduce(reduce(x, p2), p), half), p);
}

/**
 * LEFT = the mixed-radix digits (Garner 1959) of X + h, where X = C − a·S centred and h = (q − 1)/2: adding h makes it
 * non-negative, so no comparison with h is needed. h is (p − 1)/2 mod each prime, and its digits are just these.
 */
function toDigits(): void {
  const prime1 = primeOf(0), prime2 = primeOf(1), prime3 = primeOf(2);
  const p1 = i32x4.splat(prime1), p2 = i32x4.splat(prime2), p3 = i32x4.splat(prime3);
  const d1 = i32x4.add(p1, p1), d2 = i32x4.add(p2, p2), d3 = i32x4.add(p3, p3);
  const h1 = i32x4.splat(prime1 >> 1), h2 = i32x4.splat(prime2 >> 1), h3 = i32x4.splat(prime3 >> 1);
  const i12 = inverse(prime1, prime2), i13 = inverse(prime1, prime3), i23 = inverse(prime2, prime3);
  const w12 = i32x4.splat(i12), q12 = i32x4.splat(shoup(i12, prime2));
  const w13 = i32x4.splat(i13), q13 = i32x4.splat(shoup(i13, prime3));
  const w23 = i32x4.splat(i23), q23 = i32x4.splat(shoup(i23, prime3));
  for (let at: usize = 0; at < POLYNOMIAL; at += 16) {
    const y1 = difference(at, 0, p1, d1, h1);
    const r2 = difference(at, 1, p2, d2, h2);
    const r3 = difference(at, 2, p3, d3, h3);
    // p1 < p2 < p3: a digit is a residue of the larger primes too
    const y2 = reduce(mulShoup(i32x4.sub(i32x4.add(r2, p2), y1), w12, q12, p2), p2);
    const r23 = mulShoup(i32x4.sub(i32x4.add(r3, p3), y1), w13, q13, p3);
    const y3 = reduce(mulShoup(i32x4.sub(i32x4.add(r23, p3), y2), w23, q23, p3), p3);
    v128.store(polynomialOf(LEFT, 0) + at, y1);
    v128.store(polynomialOf(LEFT, 1) + at, y2);
    v128.store(polynomialOf(LEFT, 2) + at, y3);
  }
}

/** SUMS = the slots of X mod 2^78, ERROR = (X − (X mod 2^78)) / 2^78, from the digits of X + h. */
function split(slots: i32, slotBits: i32): void {
  const prime1 = <i64>primeOf(0), prime2 = <i64>primeOf(1), half3 = <i64>(primeOf(2) >> 1);
  const product = prime1 * prime2;
  const half12 = (product - 1) >> 1; // (p1−1)/2 + p1·(p2−1)/2
  const w0 = product & MASK, w1 = (product >> BITS) & MASK, w2 = product >> (2 * BITS);
  const lastBit = <u64>((slots - 1) * slotBits);
  const slotMask: u64 = ((<u64>1) << slotBits) - 1;
  let to = SUMS;
  for (let at: usize = 0; at < POLYNOMIAL; at += 4) {
    const y1 = <i64>load<u32>(polynomialOf(LEFT, 0) + at);
    const y2 = <i64>load<u32>(polynomialOf(LEFT, 1) + at);
    const y3 = <i64>load<u32>(polynomialOf(LEFT, 2) + at) - half3;
    // X = low + product·y3, limb by limb; shifts of negative numbers round down, so every limb comes out non-negative
    const low = y1 + prime1 * y2 - half12;
    const x0 = (low & MASK) + y3 * w0;
    const x1 = ((low >> BITS) & MASK) + y3 * w1 + (x0 >> BITS);
    const x2 = (low >> (2 * BITS)) + y3 * w2 + (x1 >> BITS);
    store<i32>(ERROR + at, <i32>(x2 >> BITS));
    // in every packing all slots but the last end below bit 64; the last takes all the bits up to 78
    const below = <u64>(x0 & MASK) | (<u64>(x1 & MASK) << BITS) | (<u64>(x2 & MASK) << (2 * BITS));
    const above = <u64>(x2 & MASK) >> (64 - 2 * BITS);
    for (let bit: u64 = 0; bit < lastBit; bit += slotBits, to += 4) store<u32>(to, <u32>((below >> bit) & slotMask));
    store<u32>(to, <u32>((below >> lastBit) | (above << (64 - lastBit))));
    to += 4;
  }
}

/** SUMS = slot sums and ERROR = residual errors of the sealed sum in LEFT, from PUBLIC and the factor. */
export function open(slots: i32, slotBits: i32): void {
  multiply();
  toDigits();
  split(slots, slotBits);
}
