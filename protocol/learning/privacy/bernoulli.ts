// Exact coins: of a rational p/q, and of exp(-p/q). Integers only, so no rounding can be read out of the noise.
// Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020, algorithm 1.
import { type RandomWords, WORD_BITS } from './random-words.ts';

/**
 * True with probability exactly p/q, for 0 <= p <= q. A uniform real is compared with p/q 64 bits at a time; one word decides
 * but for a chance of q/2^64.
 */
export function bernoulli(p: bigint, q: bigint, words: RandomWords): boolean {
  let rest = p;
  for (;;) {
    const low = words.next() * q;
    const bound = rest << WORD_BITS;
    if (low + q <= bound) return true;
    if (low >= bound) return false;
    rest = bound - low; // the word is the first digit of p/q itself: the next digits decide
  }
}

/** Uniform over [0, bound), exactly. */
export function uniformBelow(bound: bigint, words: RandomWords): bigint {
  if (bound <= 1n) return 0n;
  const range = 1n << WORD_BITS;
  if (bound > range) throw new RangeError('a bound of more than 64 bits');
  const limit = range - (range % bound);
  for (;;) {
    const word = words.next();
    if (word < limit) return word % bound;
  }
}

/** True with probability exactly exp(-p/q), for 0 <= p <= q: the length of a run of ever rarer coins is even or odd. */
function bernoulliExpUnit(p: bigint, q: bigint, words: RandomWords): boolean {
  let odd = true;
  for (let over = q; bernoulli(p, over, words); over += q) odd = !odd;
  return odd;
}

/** True with probability exactly exp(-p/q), for p >= 0, q > 0. */
export function bernoulliExp(p: bigint, q: bigint, words: RandomWords): boolean {
  let rest = p;
  for (; rest > q; rest -= q) {
    if (!bernoulliExpUnit(1n, 1n, words)) return false;
  }
  return bernoulliExpUnit(rest, q, words);
}
