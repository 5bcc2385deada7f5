// Models of Keras layers: the same mathematics as dense models where both can say it, moving statistics and dropout by hand, the
// same bits in another process, nothing left behind.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { createTrainer } from '../../engines/tensor/train.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import type { Labels } from '../../protocol/learning/strategies/strategy.ts';
import type { DenseModel, LayersModel } from '../../protocol/learning/task.ts';
import { dense, functional, layer, layersModel, sequential } from '../helpers/keras.ts';

const F = 9;
const ROWS = 70; // not a multiple of the batch
const SGD = { batchSize: 16, learningRate: 0.05, epochs: 2, seed: utf8ToBytes('a seed') };

function draw(label: string, length: number, scale = 1): Float32Array {
  const prng = createPrng(utf8ToBytes(label), 'test');
  return Float32Array.from({ length }, () => (prng.unit() * 2 - 1) * scale);
}

const sizeOf = (weights: LayersModel['weights']) =>
  weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
const furthest = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);
const digest = (weights: Float32Array) => createHash('sha256').update(new Uint8Array(weights.buffer)).digest('hex');

const hidden = [dense('one', 6, 'relu'), dense('two', 4, 'tanh')] as const;
const HIDDEN = { 'one/kernel': [F, 6], 'one/bias': [6], 'two/kernel': [6, 4], 'two/bias': [4] };
const DENSE_LAYERS: DenseModel['layers'] = [
  { units: 6, activation: 'relu' },
  { units: 4, activation: 'tanh' },
];

type Pair = readonly [string, DenseModel, LayersModel, Labels];

function pair(name: string, activation: 'sigmoid' | 'softmax' | 'linear', units: number, labels: Labels): Pair {
  const loss = ({ sigmoid: 'sigmoid-cross-entropy', softmax: 'softmax-cross-entropy', linear: 'squared' } as const)[
    activation
  ];
  const descent = { loss, positiveWeight: activation === 'sigmoid' ? 7 : 1, l2: 0.3 };
  const layers = [...DENSE_LAYERS, { units, activation }];
  const topology = sequential(F, [...hidden, dense('score', units, activation)]);
  const weights = { ...HIDDEN, 'score/kernel': [4, units], 'score/bias': [units] };
  return [name, { kind: 'dense', layers, ...descent }, layersModel(topology, weights, descent), labels];
}

const binary = Uint8Array.from(draw('labels', ROWS), (x) => (x > 0.5 ? 1 : 0));
const PAIRS: readonly Pair[] = [
  pair('binary', 'sigmoid', 1, binary),
  pair(
    'classes',
    'softmax',
    3,
    Uint8Array.from(draw('classes', ROWS), (x) => (x > 0.4 ? 2 : x > -0.3 ? 1 : 0)),
  ),
  pair(
    'regression',
    'linear',
    1,
    draw('numbers', ROWS, 0.5).map((x) => x + 0.5),
  ),
];

test.each(PAIRS)('%s: trained as the dense model of the same layers is, to 1e-6', async (_, plain, keras, labels) => {
  const weights = draw('weights', sizeOf(keras.weights), 0.5);
  const features = draw('features', ROWS * F, 2);
  const more = { proximal: 0.4, correction: draw('correction', weights.length, 0.1) };
  const [ours, theirs] = [await createTrainer({ model: plain }, F), await createTrainer({ model: keras }, F)];
  for (const pull of [{}, more]) {
    const input = { ...SGD, weights, features, labels, ...pull };
    const trained = await theirs.fit(input);
    expect(furthest(trained, await ours.fit(input))).toBeLessThan(1e-6);
    expect(furthest(trained, weights)).toBeGreaterThan(1e-2);
    expect(furthest(theirs.score(trained, features), ours.score(trained, features))).toBeLessThan(1e-6);
  }
});

test('a saturated score still has its gradient', async () => {
  const model = layersModel(sequential(1, [dense('score', 1, 'sigmoid')]), {
    'score/kernel': [1, 1],
    'score/bias': [1],
  });
  const trainer = await createTrainer({ model }, 1);
  const one = { features: Float32Array.of(1), labels: Uint8Array.of(1), seed: SGD.seed, epochs: 1, batchSize: 1 };
  const [kernel, bias] = await trainer.fit({ ...one, weights: Float32Array.of(-100, -100), learningRate: 1 });
  expect([kernel, bias]).toEqual([-99, -99]);
  // and at a score of exactly one half
  expect([...(await trainer.fit({ ...one, weights: Float32Array.of(0, 0), learningRate: 1 }))]).toEqual([0.5, 0.5]);
});

const NORMAL = layersModel(
  sequential(F, [layer('BatchNormalization', 'norm', { momentum: 0.9, epsilon: 0.001 }), dense('score', 1, 'sigmoid')]),
  {
    'norm/gamma': [F],
    'norm/beta': [F],
    'score/kernel': [F, 1],
    'score/bias': [1],
    'norm/moving_mean': [F],
    'norm/moving_variance': [F],
  },
);

test('moving statistics are weights: moved by batches alone, used by scores, and never under zero', async () => {
  const trainer = await createTrainer({ model: NORMAL }, F);
  const weights = new Float32Array(5 * F + 1);
  weights.fill(1, 0, F);
  weights.fill(1, 4 * F + 1);
  const features = draw('features', ROWS * F, 2);
  const fit = { ...SGD, weights, features, labels: binary, epochs: 1, batchSize: ROWS };
  // a pull moves trained weights alone
  const trained = await trainer.fit({ ...fit, proximal: 5, correction: new Float32Array(weights.length).fill(3) });
  for (let column = 0; column < F; column++) {
    const cells = Array.from({ length: ROWS }, (_, row) => features[row * F + column] ?? 0);
    const mean = cells.reduce((a, b) => a + b, 0) / ROWS;
    const variance = cells.reduce((sum, x) => sum + (x - mean) ** 2, 0) / ROWS;
    expect(trained[3 * F + 1 + column]).toBeCloseTo(0.1 * mean, 5);
    expect(trained[4 * F + 1 + column]).toBeCloseTo(0.9 + 0.1 * variance, 5);
  }
  const moved = weights.slice();
  moved.fill(0.7, F, 2 * F); // beta
  moved.fill(0.5, 2 * F, 3 * F); // kernel
  const still = trainer.score(moved, features);
  moved.fill(9, 3 * F + 1, 4 * F + 1);
  expect(furthest(trainer.score(moved, features), still)).toBeGreaterThan(0.01);
  moved.fill(-1e-3, 4 * F + 1); // what rounding of a sum may leave
  expect(trainer.score(moved, features).every(Number.isFinite)).toBe(true);
});

const DROPOUT = layersModel(
  functional(F, [
    [dense('wide', 8, 'relu'), 'row'],
    [layer('Dropout', 'left', { rate: 0.5, seed: 3 }), 'wide'],
    [layer('Dropout', 'right', { rate: 0.5, seed: 3 }), 'wide'],
    [layer('Concatenate', 'both', { axis: -1 }), 'left', 'right'],
    [layer('BatchNormalization', 'norm'), 'both'],
    [dense('score', 1, 'sigmoid'), 'norm'],
  ]),
  {
    'wide/kernel': [F, 8],
    'wide/bias': [8],
    'norm/gamma': [16],
    'norm/beta': [16],
    'norm/moving_mean': [16],
    'norm/moving_variance': [16],
    'score/kernel': [16, 1],
    'score/bias': [1],
  },
);

test('dropout draws another mask at every step, in every layer and from every seed, and none when scoring', async () => {
  // one weight per unit, inputs all one: a weight that a mask hides is not moved
  const units = 64;
  const model = layersModel(
    functional(1, [
      [dense('wide', units), 'row'],
      [layer('Dropout', 'left', { rate: 0.5 }), 'wide'],
      [layer('Dropout', 'right', { rate: 0.5 }), 'wide'],
      [layer('Concatenate', 'both', { axis: -1 }), 'left', 'right'],
      [dense('score', 1, 'sigmoid'), 'both'],
    ]),
    { 'wide/kernel': [1, units], 'wide/bias': [units], 'score/kernel': [2 * units, 1], 'score/bias': [1] },
  );
  const trainer = await createTrainer({ model }, 1);
  const weights = new Float32Array(sizeOf(model.weights));
  weights.fill(1, 0, units);
  const step = async (seed: string, epochs: number) => {
    const one = { features: Float32Array.of(1), labels: Uint8Array.of(1), batchSize: 1, learningRate: 0.01 };
    return await trainer.fit({ ...one, weights, seed: utf8ToBytes(seed), epochs });
  };
  /** Of the score layer's inputs, which were seen. */
  const seen = (trained: Float32Array, from: Float32Array = weights) =>
    [...trained.subarray(2 * units, 4 * units)].map((x, i) => x !== from[2 * units + i]).join();
  const first = await step('a', 1);
  const second = await step('a', 2);
  expect(seen(second, first)).not.toBe(seen(first));
  expect(seen(first).slice(0, seen(first).length / 2)).not.toBe(seen(first).slice(seen(first).length / 2 + 1));
  expect(seen(await step('b', 1))).not.toBe(seen(first));
  expect(await step('a', 1)).toEqual(first);
  const features = Float32Array.of(1);
  expect(trainer.score(second, features)).toEqual(trainer.score(second, features));
});

test('the same rows and seed give the same bits here, twice, and in another process; no tensor is left', async () => {
  const trainer = await createTrainer({ model: DROPOUT }, F);
  const weights = draw('weights', sizeOf(DROPOUT.weights), 0.5).map((x) => Math.abs(x));
  const features = draw('features', ROWS * F, 2);
  const before = tf.memory().numTensors;
  const here = digest(await trainer.fit({ ...SGD, weights, features, labels: binary }));
  expect(digest(await trainer.fit({ ...SGD, weights, features, labels: binary }))).toBe(here);
  const other = await trainer.fit({ ...SGD, weights, features, labels: binary, seed: utf8ToBytes('another') });
  expect(digest(other)).not.toBe(here);
  const broken = features.slice().fill(Number.NaN, 0, 1);
  await expect(trainer.fit({ ...SGD, weights, features: broken, labels: binary })).rejects.toThrow('TRAINING_DIVERGED');
  expect(tf.memory().numTensors).toBe(before);

  const program = `
    import { createHash } from 'node:crypto';
    import { createTrainer } from './engines/tensor/train.ts';
    const trainer = await createTrainer({ model: ${JSON.stringify(DROPOUT)} }, ${F});
    const weights = await trainer.fit({
      features: Float32Array.from(${JSON.stringify([...features])}),
      labels: Uint8Array.from(${JSON.stringify([...binary])}),
      weights: Float32Array.from(${JSON.stringify([...weights])}),
      seed: new TextEncoder().encode('a seed'), epochs: 2, batchSize: 16, learningRate: 0.05,
    });
    process.stdout.write(createHash('sha256').update(new Uint8Array(weights.buffer)).digest('hex'));`;
  const there = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program]).toString();
  expect(there).toBe(here);
});

test('clipped sums are of dense models alone', async () => {
  const trainer = await createTrainer({ model: NORMAL }, F);
  const input = { weights: new Float32Array(5 * F + 1), features: new Float32Array(F), labels: Uint8Array.of(1) };
  expect(() => trainer.clippedSum({ ...input, clipNorm: 1, unitsPerGradient: 1 })).toThrow('MODEL_UNTRAINABLE');
});

test('a step that overflows on every backend is not laid to a kernel', async () => {
  const vast = (name: string) => layer('Rescaling', name, { scale: 1e30, offset: 0 });
  const model = layersModel(
    sequential(F, [vast('one'), vast('two'), dense('score', 1, 'linear')]),
    { 'score/kernel': [F, 1], 'score/bias': [1] },
    { loss: 'squared', positiveWeight: 1, l2: 0 },
  );
  await expect(createTrainer({ model }, F)).rejects.toThrow(/score\/kernel no finite number, on wasm and on cpu/);
});
