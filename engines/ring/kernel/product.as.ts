// a_k times the factor: a transform of the factor once a job, an inverse transform of every product.
import { DEGREE, FACTOR, POLYNOMIAL, polynomialOf, PRODUCT, PUBLIC, SMALL, STREAM, STREAM_BYTES } from './layout.as';
import { inverse, inverseOfWord, mulMod, mulMontgomery, mulShoup, shoup } from './modular.as';
import { primeOf } from './primes.as';
import { forward, inverseTimesN } from './transform.as';

/**
 * Makes the factor from N small signed integers (|s| < p). Its residues are scaled by 2^32/N: 2^32 for Montgomery's product,
 * 1/N for the inverse transform. Shoup's product would need a division of a secret.
 */
export function loadFactor(): void {
  for (let prime = 0; prime < 3; prime++) {
    const word = primeOf(prime);
    const p = i32x4.splat(word);
    const factor = polynomialOf(FACTOR, prime);
    for (let at: usize = 0; at < POLYNOMIAL; at += 16) {
      const s = v128.load(SMALL + at);
      v128.store(factor + at, i32x4.add(s, v128.and(i32x4.shr_s(s, 31), p)));
    }
    forward(factor, prime);
    const scale = mulMod(<u32>((<u64>1 << 32) % <u64>word), inverse(DEGREE, word), word);
    const w = i32x4.splat(scale);
    const quotient = i32x4.splat(shoup(scale, word));
    for (let at = factor; at < factor + POLYNOMIAL; at += 16) {
      v128.store(at, mulShoup(v128.load(at), w, quotient, p));
    }
  }
}

/** PRODUCT = PUBLIC · factor, coefficient order, residues in [0, 2p). */
export function multiply(): void {
  for (let prime = 0; prime < 3; prime++) {
    const word = primeOf(prime);
    const p = i32x4.splat(word);
    const wordInverse = i32x4.splat(inverseOfWord(word));
    const a = polynomialOf(PUBLIC, prime);
    const factor = polynomialOf(FACTOR, prime);
    const product = polynomialOf(PRODUCT, prime);
    for (let at: usize = 0; at < POLYNOMIAL; at += 16) {
      v128.store(product + at, mulMontgomery(v128.load(a + at), v128.load(factor + at), wordInverse, p));
    }
    inverseTimesN(product, prime);
  }
}

/**
 * The stream's words, masked to 30 bits and refused from p on, become a_k's N residues for one prime.
 * Public, so it may branch: four words at a time unless one of them is refused (one in ten thousand is).
 * @returns how many were taken; N unless the stream was too short
 */
export function takeUniform(prime: i32): i32 {
  const word = primeOf(prime);
  const p = i32x4.splat(word);
  const mask = i32x4.splat(0x3fffffff);
  const out = polynomialOf(PUBLIC, prime);
  const end = STREAM + STREAM_BYTES;
  let taken = 0;
  let from = STREAM;
  while (from < end && taken < DEGREE) {
    const to = out + ((<usize>taken) << 2);
    if (taken + 4 <= DEGREE && from + 16 <= end) {
      const four = v128.and(v128.load(from), mask);
      if (i32x4.all_true(i32x4.lt_u(four, p))) {
        v128.store(to, four);
        taken += 4;
        from += 16;
        continue;
      }
    }
    const one = load<u32>(from) & 0x3fffffff;
    if (one < word) {
      store<u32>(to, one);
      taken++;
    }
    from += 4;
  }
  return taken;
}
