// Exact samples of the discrete Gaussian: P(x) proportional to exp(-x^2 / (2 sigma^2)) over all integers. Integers only.
// Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020, algorithms 2 and 3.
import { bernoulli, bernoulliExp, uniformBelow } from './bernoulli.ts';
import type { RandomWords } from './random-words.ts';

/** sigma^2 as a fraction, exactly. */
export interface Variance {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export interface DiscreteGaussian {
  readonly draw: (words: RandomWords) => bigint;
}

/** The largest integer whose square is at most n: Newton's method from above. */
export function integerSquareRoot(n: bigint): bigint {
  if (n === 0n) return 0n;
  let x = 1n;
  while (x * x <= n) x <<= 1n;
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** P(x) proportional to exp(-|x|/scale), exactly. */
function drawDiscreteLaplace(scale: bigint, words: RandomWords): bigint {
  for (;;) {
    const fine = uniformBelow(scale, words);
    if (!bernoulliExp(fine, scale, words)) continue;
    let coarse = 0n;
    while (bernoulliExp(1n, 1n, words)) coarse += 1n;
    const size = fine + scale * coarse;
    const negative = bernoulli(1n, 2n, words);
    if (negative && size === 0n) continue; // or zero would come twice as often
    return negative ? -size : size;
  }
}

/**
 * A Laplace sample of about the same width, kept with probability exp(-(|y| - sigma^2/t)^2 / (2 sigma^2)); t = floor(sigma) + 1.
 * About three in four are kept. How long a draw takes depends on the random bits, so it must not be timed from outside.
 */
export function discreteGaussian({ numerator, denominator }: Variance): DiscreteGaussian {
  if (numerator <= 0n || denominator <= 0n) throw new RangeError('a variance of the discrete Gaussian is positive');
  const scale = integerSquareRoot(numerator / denominator) + 1n;
  // (|y| - n/(d t))^2 / (2 n/d) = (|y| d t - n)^2 / (2 n d t^2)
  const stretch = denominator * scale;
  const under = 2n * numerator * denominator * scale * scale;
  return {
    draw(words) {
      for (;;) {
        const sample = drawDiscreteLaplace(scale, words);
        const distance = (sample < 0n ? -sample : sample) * stretch - numerator;
        if (bernoulliExp(distance * distance, under, words)) return sample;
      }
    },
  };
}
