// The noise is exactly discrete Gaussian: coins against rationals, frequencies against the mass function, no floats in the path.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { bernoulli, bernoulliExp, uniformBelow } from '../../protocol/learning/privacy/bernoulli.ts';
import { discreteGaussian, integerSquareRoot } from '../../protocol/learning/privacy/discrete-gaussian.ts';
import { createRandomWords, type RandomWords } from '../../protocol/learning/privacy/random-words.ts';
import { poissonSample } from '../../protocol/learning/privacy/sampling.ts';
import { seededFill } from './privacy-world.ts';

/** Gives these words, and then fails: a coin must not look at more than it needs. */
function wordsOf(...words: bigint[]): RandomWords {
  return {
    next: () => {
      const word = words.shift();
      if (word === undefined) throw new Error('one word too many');
      return word;
    },
    wipe: () => undefined,
  };
}

const TOP = (1n << 64n) - 1n;
const THIRD = (1n << 64n) / 3n; // 0x5555…: the first digit of 1/3

test('a coin of 1/3 is decided by the first word that differs from the digits of 1/3', () => {
  expect(bernoulli(1n, 3n, wordsOf(THIRD - 1n))).toBe(true);
  expect(bernoulli(1n, 3n, wordsOf(THIRD + 1n))).toBe(false);
  expect(bernoulli(1n, 3n, wordsOf(THIRD, THIRD - 1n))).toBe(true);
  expect(bernoulli(1n, 3n, wordsOf(THIRD, THIRD, THIRD + 1n))).toBe(false);
});

test('coins of 0 and 1 never depend on chance', () => {
  for (const word of [0n, 1n, TOP]) {
    expect(bernoulli(0n, 7n, wordsOf(word))).toBe(false);
    expect(bernoulli(7n, 7n, wordsOf(word))).toBe(true);
  }
});

test('over all words of a short stream, a coin of p/q is true for exactly p in q', () => {
  // q = 2^k: the top k bits decide alone, so one word per class of words is every case
  for (const q of [2n, 8n, 32n]) {
    for (let p = 0n; p <= q; p++) {
      let heads = 0n;
      for (let top = 0n; top < q; top++) if (bernoulli(p, q, wordsOf(top * ((1n << 64n) / q)))) heads++;
      expect(heads).toBe(p);
    }
  }
});

/** Chance of heads by enumeration: every coin below is expanded into both outcomes, to a depth, in exact rationals. */
function chanceOfExp(p: bigint, q: bigint, depth: bigint): [numerator: bigint, denominator: bigint] {
  // run length K: P(K > k) = (p/q)^k / k!; heads when the run of successes is even: Σ (-1)^k (p/q)^k / k!
  let [numerator, denominator] = [0n, 1n];
  let [term, under] = [1n, 1n];
  for (let k = 0n; k < depth; k++) {
    const sign = k % 2n === 0n ? 1n : -1n;
    numerator = numerator * under + sign * term * denominator;
    denominator *= under;
    term *= p;
    under *= q * (k + 1n);
  }
  return [numerator, denominator];
}

test('the run of coins behind exp(-p/q) has exactly the terms of its series', () => {
  // records which rationals are asked for; the answers walk every path of up to 12 successes
  for (const [p, q] of [
    [1n, 1n],
    [1n, 2n],
    [5n, 7n],
  ] as const) {
    let [numerator, denominator] = [0n, 1n];
    for (let successes = 0; successes < 12; successes++) {
      let reach: [bigint, bigint] = [1n, 1n];
      for (let k = 1n; k <= BigInt(successes); k++) reach = [reach[0] * p, reach[1] * q * k];
      const stop = BigInt(successes) + 1n;
      const fails: [bigint, bigint] = [reach[0] * (q * stop - p), reach[1] * q * stop];
      const words = wordsOf(...Array.from({ length: successes }, () => 0n), TOP);
      // word 0 is below any positive p/q and TOP is not below any p/q < 1: one word per coin
      if (p === q && successes === 0) continue; // the first coin of exp(-1) cannot fail
      const heads = bernoulliExp(p, q, words);
      expect(heads).toBe(successes % 2 === 0);
      if (heads) [numerator, denominator] = [numerator * fails[1] + fails[0] * denominator, denominator * fails[1]];
    }
    const [exactNumerator, exactDenominator] = chanceOfExp(p, q, 12n);
    expect(numerator * exactDenominator).toBe(exactNumerator * denominator);
  }
});

test('uniform draws throw the uneven end of the range away', () => {
  const limit = (1n << 64n) - ((1n << 64n) % 10n);
  expect(uniformBelow(10n, wordsOf(limit, TOP, 57n))).toBe(7n);
  expect(uniformBelow(10n, wordsOf(limit - 1n))).toBe(9n);
  expect(uniformBelow(1n, wordsOf())).toBe(0n);
});

test('square roots are exact on both sides of every square', () => {
  for (const root of [1n, 2n, 3n, 999n, 2n ** 32n - 1n, 2n ** 53n + 1n, 10n ** 30n]) {
    expect(integerSquareRoot(root * root)).toBe(root);
    expect(integerSquareRoot(root * root - 1n)).toBe(root - 1n);
    expect(integerSquareRoot(root * root + 2n * root)).toBe(root);
  }
});

/** P(x), summed far into the tails. */
function massOf(variance: number): (x: number) => number {
  const weight = (x: number) => Math.exp((-x * x) / (2 * variance));
  let all = 1;
  for (let x = 1; x < 60 * Math.sqrt(variance); x++) all += 2 * weight(x);
  return (x) => weight(x) / all;
}

function draw(numerator: bigint, denominator: bigint, count: number, seed: string): number[] {
  const words = createRandomWords(seededFill(seed));
  const gaussian = discreteGaussian({ numerator, denominator });
  return Array.from({ length: count }, () => Number(gaussian.draw(words)));
}

const COUNT = 100_000;

test.each([
  [1n, 1n, 0.398942, 0.241971],
  [4n, 1n, 0.199471, 0.176033],
  [25n, 1n, 0.079788, 0.078209],
  [1n, 3n, undefined, undefined],
  [7n, 2n, undefined, undefined],
])('variance %s/%s: chi-square, mean and variance of a fixed stream', (numerator, denominator, at0, at1) => {
  const variance = Number(numerator) / Number(denominator);
  const mass = massOf(variance);
  if (at0 !== undefined)
    expect([mass(0), mass(1)].map((p) => p.toFixed(6))).toEqual([at0, at1].map((p) => p?.toFixed(6)));
  const samples = draw(numerator, denominator, COUNT, `chi-square ${numerator}/${denominator}`);
  const counts = new Map<number, number>();
  for (const x of samples) counts.set(x, (counts.get(x) ?? 0) + 1);
  let [chiSquare, cells, rest, restMass] = [0, 0, COUNT, 1];
  for (let x = -40; x <= 40; x++) {
    const expected = COUNT * mass(x);
    if (expected < 20) continue;
    const seen = counts.get(x) ?? 0;
    chiSquare += (seen - expected) ** 2 / expected;
    [rest, restMass] = [rest - seen, restMass - mass(x)];
    cells++;
  }
  chiSquare += (rest - COUNT * restMass) ** 2 / (COUNT * restMass);
  // cells − 1 + the rest: degrees of freedom; beyond mean + 4.5 deviations an honest sampler comes once in 10^5
  expect(chiSquare).toBeLessThan(cells + 4.5 * Math.sqrt(2 * cells));
  const exactVariance = Array.from({ length: 801 }, (_, i) => (i - 400) ** 2 * mass(i - 400)).reduce((a, b) => a + b);
  const measured = samples.reduce((sum, x) => sum + x * x, 0) / COUNT;
  expect(Math.abs(measured / exactVariance - 1)).toBeLessThan(4.5 * Math.sqrt(2 / COUNT) * 1.3);
  expect(Math.abs(samples.reduce((a, b) => a + b, 0) / COUNT)).toBeLessThan(4.5 * Math.sqrt(exactVariance / COUNT));
});

test('a wide one has the right variance too', () => {
  const variance = 66_409;
  const samples = draw(BigInt(variance), 1n, 50_000, 'wide');
  const measured = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
  expect(Math.abs(measured / variance - 1)).toBeLessThan(4.5 * Math.sqrt(2 / samples.length));
});

test('Poisson sampling: nobody, everybody, and the rate, rounded down', () => {
  expect(poissonSample(100, 1, seededFill('all'))).toHaveLength(100);
  expect(poissonSample(100, 2 ** -40, seededFill('none'))).toHaveLength(0);
  const drawn = poissonSample(100_000, 0.2, seededFill('some')).length;
  expect(Math.abs(drawn - 20_000)).toBeLessThan(4.5 * Math.sqrt(16_000));
});

test('no float operation in the noise path', () => {
  for (const file of ['bernoulli.ts', 'discrete-gaussian.ts', 'random-words.ts']) {
    const source = readFileSync(new URL(`../../protocol/learning/privacy/${file}`, import.meta.url), 'utf8');
    const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$|'[^']*'/gm, '');
    expect(code).not.toMatch(/\bMath\b|\bNumber\b|parseFloat|Float(32|64)|\.\d|\d\.|\d[eE][-+]?\d/);
    // the only plain numbers are sizes of buffers and types: every quantity of the sampler is a BigInt
    if (file !== 'random-words.ts') expect(code.match(/\b\d+\b(?!n)/g) ?? []).toEqual([]);
  }
});
