// Sealing after the product: the error is sampled and, with the message, added.
import { ERROR, LEFT, POLYNOMIAL, polynomialOf, PRODUCT, RANDOM, VALUES } from './layout.as';
import { mulMod, mulShoup16, reduce, shoup16 } from './modular.as';
import { primeOf } from './primes.as';
import { multiply } from './product.as';

const TRIALS: u32 = PARAM_CBD_TRIALS;
const SLOT_BITS: u64 = PARAM_SLOT_BITS;

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

/** LEFT = the values slot by slot, a word each: shuffling triples apart in every prime's pass would cost more. */
function spread(): void {
  let from = VALUES;
  for (let at: usize = LEFT; at < LEFT + POLYNOMIAL; at += 4, from += 6) {
    store<u32>(at, load<u16>(from));
    store<u32>(at + POLYNOMIAL, load<u16>(from, 2));
    store<u32>(at + 2 * POLYNOMIAL, load<u16>(from, 4));
  }
}

/** PRODUCT += 2^78·e + v0 + v1·2^26 + v2·2^52, fully reduced. */
function embed(): void {
  for (let prime = 0; prime < 3; prime++) {
    const word = primeOf(prime);
    const p = i32x4.splat(word);
    const p2 = i32x4.add(p, p);
    const shift1 = <u32>((<u64>1 << SLOT_BITS) % <u64>word);
    const shift2 = mulMod(shift1, shift1, word);
    const shift3 = mulMod(shift2, shift1, word);
    const w1 = i32x4.splat(shift1), q1 = i32x4.splat(shoup16(shift1, word));
    const w2 = i32x4.splat(shift2), q2 = i32x4.splat(shoup16(shift2, word));
    const w3 = i32x4.splat(shift3), q3 = i32x4.splat(shoup16(shift3, word));
    // the sampled error is 40 too large
    const excess = i32x4.splat(word - mulMod(TRIALS, shift3, word));
    const product = polynomialOf(PRODUCT, prime);
    for (let at: usize = 0; at < POLYNOMIAL; at += 16) {
      const v1 = v128.load(LEFT + POLYNOMIAL + at), v2 = v128.load(LEFT + 2 * POLYNOMIAL + at);
      let x = v128.load(product + at);
      x = reduce(i32x4.add(x, mulShoup16(v1, w1, q1, p)), p2);
      x = reduce(i32x4.add(x, mulShoup16(v2, w2, q2, p)), p2);
      x = reduce(i32x4.add(x, mulShoup16(v128.load(ERROR + at), w3, q3, p)), p2);
      x = reduce(i32x4.add(reduce(x, p), excess), p);
      v128.store(product + at, reduce(i32x4.add(x, v128.load(LEFT + at)), p));
    }
  }
}

/** PRODUCT = a_k·s + 2^78·e_k + m_k, from PUBLIC, the factor, RANDOM and VALUES. */
export function seal(): void {
  sampleError();
  spread();
  multiply();
  embed();
}
