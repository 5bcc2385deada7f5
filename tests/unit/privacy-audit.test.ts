// An attack with all advantages: is the canary in? What it finds must stay under what is claimed, come close to it, and go over
// when half the noise is missing.
import { beforeAll, describe, expect, test } from 'vitest';
import { createTrainer } from '../../engines/tensor/train.ts';
import { createAccountant } from '../../protocol/learning/privacy/accountant.ts';
import { discreteGaussian } from '../../protocol/learning/privacy/discrete-gaussian.ts';
import { createRandomWords } from '../../protocol/learning/privacy/random-words.ts';
import { strategyOf } from '../../protocol/learning/strategies/registry.ts';
import type { TaskDocument } from '../../protocol/learning/task.ts';
import { decodeSums } from '../../protocol/learning/update.ts';
import { shapeOf, vectorOf } from '../../protocol/learning/vector.ts';
import { type DealerRows, fedSgdTask, openedSum, seededFill } from './privacy-world.ts';

/** Of each bound; a wrong verdict of an honest mechanism comes once in a thousand seeds, and the seed is fixed. */
const MISS = 5e-4;

const logChoose = (n: number, k: number): number => {
  let sum = 0;
  for (let i = 1; i <= k; i++) sum += Math.log(n - k + i) - Math.log(i);
  return sum;
};

/** P(X >= successes) of a binomial. */
function upperTail(successes: number, trials: number, chance: number): number {
  let sum = 0;
  let term = logChoose(trials, successes) + successes * Math.log(chance) + (trials - successes) * Math.log1p(-chance);
  for (let k = successes; k <= trials; k++) {
    sum += Math.exp(term);
    term += Math.log((trials - k) / (k + 1)) + Math.log(chance / (1 - chance));
  }
  return sum;
}

/** Clopper and Pearson 1934: the chance is above this but for a chance of MISS. */
function chanceAtLeast(successes: number, trials: number): number {
  if (successes === 0) return 0;
  let [low, high] = [0, 1];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (upperTail(successes, trials, middle) < MISS) low = middle;
    else high = middle;
  }
  return low;
}
const chanceAtMost = (successes: number, trials: number): number => 1 - chanceAtLeast(trials - successes, trials);

/** Inverse of the normal distribution function, by bisection on its series. */
function quantile(p: number): number {
  const below = (x: number): number => {
    let [sum, term] = [x, x];
    for (let k = 3; k < 400; k += 2) {
      term *= (x * x) / k;
      sum += term;
    }
    return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
  };
  let [low, high] = [-7, 7];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (below(middle) < p) low = middle;
    else high = middle;
  }
  return low;
}

interface Found {
  /** Gaussian differential privacy: distance of the two worlds in deviations, at least. */
  readonly mu: number;
  readonly epsilon: number;
}

/** The threshold is fixed by theory, not chosen on the trials, so that the bounds hold. */
function attack(without: readonly number[], withIt: readonly number[], threshold: number, delta: number): Found {
  const over = (scores: readonly number[]) => scores.filter((score) => score > threshold).length;
  const hits = chanceAtLeast(over(withIt), withIt.length);
  const falseAlarms = chanceAtMost(over(without), without.length);
  const epsilon = Math.log(Math.max(hits - delta, 1e-12) / falseAlarms);
  return { mu: quantile(hits) - quantile(falseAlarms), epsilon };
}

describe('one discrete Gaussian, noise multiplier 1', () => {
  const TRIALS = 30_000;
  const SENSITIVITY = 20;

  function audit(noiseFactor: number): Found {
    const words = createRandomWords(seededFill('plain audit'));
    const gaussian = discreteGaussian({ numerator: BigInt(SENSITIVITY ** 2 * noiseFactor), denominator: 1n });
    const draw = (shift: number) => Array.from({ length: TRIALS }, () => shift + Number(gaussian.draw(words)));
    return attack(draw(0), draw(SENSITIVITY), SENSITIVITY / 2, 1e-5);
  }

  test('the attack finds 0.9 to 1 of what is claimed', () => {
    const { mu } = audit(1);
    expect(mu).toBeGreaterThan(0.9);
    expect(mu).toBeLessThanOrEqual(1);
  });
  test('half the noise is found out', () => {
    expect(audit(0.25).mu).toBeGreaterThan(1);
  });
});

const FEATURES = 3;
const BASE = new Float32Array(FEATURES + 1);
/** The canary's own column, large: its gradient is all in there, and clipped. */
const CANARY = { row: [0, 0, 1_000], label: 1 };
const OTHERS = [
  { row: [1, -0.5, 0], label: 0 },
  { row: [-0.5, 1, 0], label: 1 },
];
const rowsOf = (customers: readonly { row: number[]; label: number }[]): DealerRows => ({
  features: Float32Array.from(customers.flatMap(({ row }) => row)),
  labels: Uint8Array.from(customers, ({ label }) => label),
});
const WITHOUT = [rowsOf(OTHERS), rowsOf(OTHERS)];
const WITH = [rowsOf([...OTHERS, CANARY]), rowsOf(OTHERS)];

describe('dp-fedsgd over two dealers', () => {
  const TRIALS = 3_000;
  const taskOf = (samplingRate: number): TaskDocument =>
    fedSgdTask({ samplingRate, noiseMultiplier: 1, honestDealers: 2, epsilon: 100 }, { rounds: 1 });

  beforeAll(async () => {
    await createTrainer(taskOf(1), FEATURES);
  });

  /** How far an opened sum lies in the direction in which the canary moves it, gradient and evaluation count together. */
  async function audit(samplingRate: number, thresholdShare: number, noiseFactor = 1) {
    const task = taskOf(samplingRate);
    const shape = shapeOf(task, FEATURES);
    const release = strategyOf(task).release?.(shape);
    if (release === undefined) throw new Error('no release');
    const vector = vectorOf(task, FEATURES);
    const fillRandom = seededFill(`audit ${samplingRate} ${noiseFactor}`);
    const { levelsPerClip, levelsPerCount } = release;
    const length = Math.hypot(levelsPerClip, levelsPerCount);
    const bins = task.evaluation.histogramBins;
    async function score(dealers: readonly DealerRows[]): Promise<number> {
      const opened = await openedSum({ task, features: FEATURES, dealers, base: BASE, fillRandom, noiseFactor });
      const [gradient, counts] = decodeSums(opened, vector, dealers.length).sums;
      // the score of the zero model is 0.5; the others of label 1 are in this bin too
      const along = -(gradient?.[2] ?? 0) * levelsPerClip + (counts?.[bins + bins / 2] ?? 0) * levelsPerCount;
      return (along - 2 * samplingRate * levelsPerCount ** 2) / length;
    }
    const [without, withIt]: [number[], number[]] = [[], []];
    for (let trial = 0; trial < TRIALS; trial++) {
      without.push(await score(WITHOUT));
      withIt.push(await score(WITH));
    }
    const { delta } = task.privacy.mode === 'dp' ? task.privacy : { delta: 0 };
    return attack(without, withIt, thresholdShare * length, delta);
  }

  const claimed = (samplingRate: number): number =>
    createAccountant({ delta: 1e-5, noiseMultiplier: 1, samplingRate }, 1).epsilonAfter(1);

  test('everybody sampled: the attack finds 0.8 to 1 of what is claimed', { timeout: 60_000 }, async () => {
    const found = await audit(1, 0.5);
    expect(found.mu).toBeGreaterThan(0.8);
    expect(found.mu).toBeLessThanOrEqual(1);
    expect(found.epsilon).toBeGreaterThan(0.1 * claimed(1));
    expect(found.epsilon).toBeLessThanOrEqual(claimed(1));
  });
  test('half the noise is found out', { timeout: 60_000 }, async () => {
    expect((await audit(1, 0.5, 0.25)).mu).toBeGreaterThan(1);
  });
  test('half of them sampled: less is found, and less is claimed', { timeout: 60_000 }, async () => {
    const found = await audit(0.5, 1.5);
    expect(found.epsilon).toBeGreaterThan(0.1 * claimed(0.5));
    expect(found.epsilon).toBeLessThanOrEqual(claimed(0.5));
    expect(claimed(0.5)).toBeLessThan(claimed(1));
  });
});
