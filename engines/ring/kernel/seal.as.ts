// Sealing after the product: the error is sampled and, with the message, added.
import { ERROR, LEFT, LIMB_BITS, LIMB_MASK, POLYNOMIAL, polynomialOf, PRODUCT, RANDOM, VALUES } from './layout.as';
import { mulMod, mulShoup, mulShoup16, reduce, shoup, shoup16 } from './modular.as';
import { primeOf } from './primes.as';
import { multiply } from './product.as';

const TRIALS: u32 = PARAM_CBD_TRIALS;

/**
 * ERROR = centred binomial over 40 trials, plus 40: ones in bytes 0-4 and zeros in bytes 5-9 of each sample. One
 * instruction counts the ones of a word, so nothing is looked up and nothing branches.
 */
function sampleError(): void {
  let from = RANDOM;
  for (let at: usize = ERROR; at < ERROR + POLYNOMIAL; at += 4, from += 10) {
    const low = load<u64>(from) ^ 0xffffff0000000000;
    const high = load<u16>(from + 8) ^ 0xffff;
    store<u32>(at, <u32>popcnt<u64>(low) + popcnt<u32>(high));
  }
}

/**
 * LEFT = the messages Σ v_i·2^(slotBits·i) as three limbs below 2^26, a word each: what follows is the same for every packing,
 * and combining values in every prime's pass would cost more. Which loads are made depends on the packing alone.
 */
function toLimbs(slots: i32, slotBits: u64): void {
  const last = slots - 1;
  // the last slot begins in the third limb; all before it add up to less than 2^62
  const shift = slotBits * last - 2 * LIMB_BITS;
  let from = VALUES;
  for (let at: usize = LEFT; at < LEFT + POLYNOMIAL; at += 4, from += 2) {
    let low = load<u16>(from) + (<u64>load<u16>(from, 2) << slotBits);
    from += 4;
    for (let i = 2, bit = 2 * slotBits; i < last; i++, from += 2, bit += slotBits) low += <u64>load<u16>(from) << bit;
    store<u32>(at, <u32>(low & LIMB_MASK));
    store<u32>(at + POLYNOMIAL, <u32>((low >> LIMB_BITS) & LIMB_MASK));
    store<u32>(at + 2 * POLYNOMIAL, <u32>((low >> (2 * LIMB_BITS)) + (<u64>load<u16>(from) << shift)));
  }
}

/** PRODUCT += 2^78·e + m0 + m1·2^26 + m2·2^52, fully reduced. */
function embed(): void {
  for (let prime = 0; prime < 3; prime++) {
    const word = primeOf(prime);
    const p = i32x4.splat(word);
    const p2 = i32x4.add(p, p);
    const shift1 = <u32>((<u64>1 << LIMB_BITS) % <u64>word);
    const shift2 = mulMod(shift1, shift1, word);
    const shift3 = mulMod(shift2, shift1, word);
    const w1 = i32x4.splat(shift1), q1 = i32x4.splat(shoup(shift1, word));
    const w2 = i32x4.splat(shift2), q2 = i32x4.splat(shoup(shift2, word));
    const w3 = i32x4.splat(shift3), q3 = i32x4.splat(shoup16(shift3, word));
    // the sampled error is 40 too large
    const excess = i32x4.splat(word - mulMod(TRIALS, shift3, word));
    const product = polynomialOf(PRODUCT, prime);
    for (let at: usize = 0; at < POLYNOMIAL; at += 16) {
      const m1 = v128.load(LEFT + POLYNOMIAL + at), m2 = v128.load(LEFT + 2 * POLYNOMIAL + at);
      let x = v128.load(product + at);
      x = reduce(i32x4.add(x, mulShoup(m1, w1, q1, p)), p2);
      x = reduce(i32x4.add(x, mulShoup(m2, w2, q2, p)), p2);
      x = reduce(i32x4.add(x, mulShoup16(v128.load(ERROR + at), w3, q3, p)), p2);
      x = reduce(i32x4.add(reduce(x, p), excess), p);
      v128.store(product + at, reduce(i32x4.add(x, v128.load(LEFT + at)), p));
    }
  }
}

/** PRODUCT = a_k·s + 2^78·e_k + m_k, from PUBLIC, the factor, RANDOM and VALUES. */
export function seal(slots: i32, slotBits: i32): void {
  sampleError();
  toLimbs(slots, slotBits);
  multiply();
  embed();
}
