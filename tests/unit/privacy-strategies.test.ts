// The strategies with noise, dealers to model: what they learn, how much noise is in a sum, and what never leaves in the clear.
import { expect, test } from 'vitest';
import { createTrainer } from '../../engines/tensor/train.ts';
import { auc } from '../../protocol/learning/metrics.ts';
import { eigenSystem } from '../../protocol/learning/privacy/eigen.ts';
import { consistentCounts } from '../../protocol/learning/privacy/noisy-counts.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import { strategyOf } from '../../protocol/learning/strategies/registry.ts';
import { NO_STATE, type ServerStep, type StrategyState } from '../../protocol/learning/strategies/strategy.ts';
import type { TaskDocument } from '../../protocol/learning/task.ts';
import { decodeSums } from '../../protocol/learning/update.ts';
import { shapeOf, vectorOf } from '../../protocol/learning/vector.ts';
import { type DealerRows, fedSgdTask, openedSum, ridgeTask, runRound, seededFill } from './privacy-world.ts';

const FEATURES = 4;
const TRUTH = [1.5, -1, 0.5, 0];

function dealer(seed: string, rows: number): DealerRows {
  const prng = createPrng(new TextEncoder().encode(seed), 'rows');
  const features = Float32Array.from({ length: rows * FEATURES }, () => prng.unit() * 2 - 1);
  const labels = Uint8Array.from({ length: rows }, (_, r) => {
    const logit = TRUTH.reduce((sum, w, i) => sum + w * (features[r * FEATURES + i] ?? 0), 0);
    return prng.unit() < 1 / (1 + Math.exp(-3 * logit)) ? 1 : 0;
  });
  return { features, labels };
}

const DEALERS = ['a', 'b', 'c'].map((name) => dealer(name, 600));
const TEST = dealer('test', 2_000);

async function aucOf(task: TaskDocument, weights: Float32Array): Promise<number> {
  const trainer = await createTrainer(task, FEATURES);
  return auc(trainer.score(weights, TEST.features), TEST.labels) ?? 0;
}

async function train(task: TaskDocument, rounds: number, seed: string) {
  const fillRandom = seededFill(seed);
  let [base, state]: [Float32Array, StrategyState] = [new Float32Array(FEATURES + 1), NO_STATE];
  for (let round = 0; round < rounds; round++) {
    const next = await runRound({ task, features: FEATURES, dealers: DEALERS, base, state, fillRandom });
    [base, state] = [next.weights, next.state];
  }
  return { base, state };
}

test('dp-fedsgd learns under a budget, with momentum and without', async () => {
  const plain = fedSgdTask({ samplingRate: 0.3, noiseMultiplier: 2 });
  const momentum: TaskDocument = {
    ...plain,
    strategy: {
      name: 'dp-fedsgd',
      learningRate: 0.3,
      momentum: 0.8,
      averageDecay: 0,
      sumRange: 64,
      evaluationShare: 0.25,
    },
  };
  const scores = await Promise.all(
    [plain, momentum].map(async (task) => aucOf(task, (await train(task, 15, 'sgd')).base)),
  );
  const [best] = [await aucOf(plain, Float32Array.from([...TRUTH, 0]))];
  for (const score of scores) expect(score).toBeGreaterThan(best - 0.03);
});

test('dp-ridge finds nearly the best line in one round', async () => {
  const task = ridgeTask({ noiseMultiplier: 1, clipNorm: 2 }, 256);
  const { base } = await train(task, 1, 'ridge');
  expect(await aucOf(task, base)).toBeGreaterThan((await aucOf(task, Float32Array.from([...TRUTH, 0]))) - 0.02);
});

test('without noise worth the name, a step is the mean clipped gradient and the counts are the counts', async () => {
  // 600 customers that pull one way: over a range of 64 clip norms they would be cut off
  const wide = {
    name: 'dp-fedsgd',
    learningRate: 1,
    momentum: 0,
    averageDecay: 0,
    sumRange: 512,
    evaluationShare: 0.25,
  } as const;
  const task = fedSgdTask({ samplingRate: 1, noiseMultiplier: 0.1, honestDealers: 1 }, { rounds: 1, strategy: wide });
  const base = new Float32Array(FEATURES + 1);
  const { weights, measured } = await runRound({
    task,
    features: FEATURES,
    dealers: DEALERS,
    base,
    fillRandom: seededFill('s'),
  });
  if (measured.type !== 'binary') throw new Error('another type');
  const { histogram } = measured;
  const trainer = await createTrainer(task, FEATURES);
  const sums = DEALERS.map((rows) =>
    trainer.clippedSum({ weights: base, ...rows, clipNorm: 1, unitsPerGradient: 2 ** 20 }),
  );
  const all = 1_800;
  weights.forEach((weight, i) => {
    const mean = sums.reduce((sum, one) => sum + (one.sum[i] ?? 0), 0) / 2 ** 20 / all;
    expect(Math.abs(weight + mean)).toBeLessThan(1e-3);
  });
  const positives = DEALERS.reduce((sum, { labels }) => sum + labels.filter((y) => y === 1).length, 0);
  expect(Math.abs((histogram.positives[5] ?? 0) - positives)).toBeLessThan(5);
  expect(Math.abs(histogram.negatives.reduce((a, b) => a + b, 0) - (all - positives))).toBeLessThan(8);
});

test.each([
  ['dp-fedsgd', fedSgdTask({ samplingRate: 1 })],
  ['dp-ridge', ridgeTask()],
])('%s: the noise in a sum is that of all dealers together, at least what is accounted for', async (_, task) => {
  const release = strategyOf(task).release?.(shapeOf(task, FEATURES));
  if (release === undefined || task.privacy.mode !== 'dp') throw new Error('no release');
  const fillRandom = seededFill('variance');
  const base = new Float32Array(FEATURES + 1);
  // nobody has a record: what is left is dither (0 here) and noise
  const nobody = { features: new Float32Array(), labels: new Uint8Array() };
  const dealers = [nobody, nobody, nobody];
  let [sum, count] = [0, 0];
  for (let round = 0; round < 150; round++) {
    const opened = await openedSum({ task, features: FEATURES, dealers, base, fillRandom });
    for (const part of decodeSums(opened, vectorOf(task, FEATURES), dealers.length).sums) {
      for (const level of part) [sum, count] = [sum + level * level, count + 1];
    }
  }
  const expected = 3 * release.shareVariance;
  expect(Math.abs(sum / count / expected - 1)).toBeLessThan(4.5 * Math.sqrt(2 / count));
  expect(expected).toBeGreaterThanOrEqual((task.privacy.noiseMultiplier * release.sensitivity) ** 2);
});

test('no exact count leaves with a noisy sum', () => {
  for (const task of [fedSgdTask(), ridgeTask()]) {
    const { evaluation, length, parts } = vectorOf(task, FEATURES);
    expect(evaluation.map((part) => part.length)).toEqual([0, 0]);
    expect(length).toBe(parts.reduce((sum, part) => sum + part.length, 0));
    // one value each: digits of their own would tell carries that the sum does not
    for (const part of parts) expect(part.bits).toBe(task.update.valueBits);
  }
});

test('values too narrow for the noise are refused before anybody trains', () => {
  for (const task of [fedSgdTask(), ridgeTask()]) {
    const narrow = { ...task, update: { ...task.update, valueBits: 6 } };
    expect(() => vectorOf(narrow, FEATURES)).toThrow(expect.objectContaining({ code: 'TASK_INVALID' }));
  }
});

test('counts with noise become counts: never negative, their total kept, exact ones untouched', () => {
  expect([...consistentCounts(Float64Array.from([5, 0, 7]))]).toEqual([5, 0, 7]);
  const noisy = Float64Array.from([100.4, -8, 3, -2, 50.6]);
  const counts = consistentCounts(noisy);
  expect(counts.reduce((a, b) => a + b, 0)).toBe(144);
  expect([counts[1], counts[3]]).toEqual([0, 0]);
  expect([...consistentCounts(Float64Array.from([-5, -1]))]).toEqual([0, 0]);
  expect([...consistentCounts(new Float64Array())]).toEqual([]);
});

test('eigenvalues and eigenvectors put a symmetric matrix together again, of either sign and with repeats', () => {
  const prng = createPrng(new Uint8Array(4), 'matrix');
  const size = 12;
  const random = Array.from({ length: size }, () => new Float64Array(size));
  for (let i = 0; i < size; i++) {
    for (let j = i; j < size; j++) {
      const x = prng.unit() * 2 - 1;
      for (const [a, b] of [
        [i, j],
        [j, i],
      ] as const)
        (random[a] ?? new Float64Array())[b] = x;
    }
  }
  const diagonal = [3, 3, -3, 0].map((x, i) => Float64Array.from({ length: 4 }, (_, j) => (i === j ? x : 0)));
  for (const matrix of [random, diagonal]) {
    const pairs = eigenSystem(matrix);
    for (let i = 0; i < matrix.length; i++) {
      for (let j = 0; j < matrix.length; j++) {
        const entry = pairs.reduce((sum, { value, vector }) => sum + value * (vector[i] ?? 0) * (vector[j] ?? 0), 0);
        expect(Math.abs(entry - (matrix[i]?.[j] ?? 0))).toBeLessThan(1e-12);
      }
    }
  }
  expect(
    eigenSystem(diagonal)
      .map(({ value }) => value)
      .toSorted(),
  ).toEqual([-3, 0, 3, 3]);
});

test('averaging: the iterates are those of plain descent, the published model is their running average', () => {
  const settings = { name: 'dp-fedsgd', learningRate: 0.5, momentum: 0.5, sumRange: 64, evaluationShare: 0 } as const;
  const taskOf = (averageDecay: number) => fedSgdTask({ samplingRate: 1 }, { strategy: { ...settings, averageDecay } });
  const [plain, averaged] = [taskOf(0), taskOf(0.9)];
  const prng = createPrng(new Uint8Array(4), 'sums');
  const start = { weights: new Float32Array(FEATURES + 1), state: NO_STATE };
  let [iterate, published]: [ServerStep, ServerStep] = [start, start];
  let average = Float64Array.from(start.weights);
  for (let round = 0; round < 20; round++) {
    const sums = [Float64Array.from(start.weights, () => prng.unit() * 2_000 - 1_000), new Float64Array()];
    const next = (task: TaskDocument, { weights: base, state }: ServerStep) =>
      strategyOf(task).step({ shape: shapeOf(task, FEATURES), base, state, sums, dealers: 3, totalWeightFraction: 1 });
    [iterate, published] = [next(plain, iterate), next(averaged, published)];
    average = average.map((x, i) => 0.9 * x + 0.1 * (iterate.weights[i] ?? 0));
    published.state.iterate?.forEach((x, i) => {
      expect(Math.abs(x - (iterate.weights[i] ?? 0))).toBeLessThan(1e-4);
    });
    published.weights.forEach((x, i) => {
      expect(Math.abs(x - (average[i] ?? 0))).toBeLessThan(1e-4);
    });
  }
  expect(iterate.state.iterate).toBeUndefined();
});

test('averaging: gradients are taken at the iterate, counts are of the published model', async () => {
  const strategy = { name: 'dp-fedsgd', learningRate: 1, momentum: 0, averageDecay: 0.9, sumRange: 512 } as const;
  const task = fedSgdTask(
    { samplingRate: 1, noiseMultiplier: 0.1, honestDealers: 1 },
    { rounds: 1, strategy: { ...strategy, evaluationShare: 0.25 } },
  );
  expect(strategyOf(task).dealersReadState).toBe(true);
  const base = new Float32Array(FEATURES + 1).fill(9); // scores near 0 or 1
  const state = { iterate: new Float64Array(FEATURES + 1) };
  const trainer = await createTrainer(task, FEATURES);
  const [rows] = DEALERS;
  if (rows === undefined) throw new Error('no dealer');
  const { parts } = await strategyOf(task).contribute({
    ...rows,
    shape: shapeOf(task, FEATURES),
    base,
    serverState: state,
    dealerState: NO_STATE,
    weightFraction: 1,
    seed: new Uint8Array(32),
    fillRandom: seededFill('averaging'),
    trainer,
  });
  const { levelsPerClip = 1, levelsPerCount = 1 } = strategyOf(task).release?.(shapeOf(task, FEATURES)) ?? {};
  const zero = trainer.clippedSum({
    weights: Float32Array.from(state.iterate),
    ...rows,
    clipNorm: 1,
    unitsPerGradient: 1e6,
  });
  parts[0]?.forEach((level, i) => {
    expect(Math.abs(level / levelsPerClip - (zero.sum[i] ?? 0) / 1e6)).toBeLessThan(0.1);
  });
  const inBin = (bin: number) => ((parts[1]?.[bin] ?? 0) + (parts[1]?.[10 + bin] ?? 0)) / levelsPerCount;
  expect(inBin(5)).toBeLessThan(30); // where the zero model has everybody
  expect(inBin(0) + inBin(9)).toBeGreaterThan(500);
});
