// The tensor engine against plain arithmetic, against automatic differentiation, and against itself in another process.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import '@tensorflow/tfjs-layers'; // registers the gradients that the reference below needs
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { createTrainer } from '../../engines/tensor/train.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { createPrng, shuffled } from '../../protocol/learning/prng.ts';
import type { DenseModel } from '../../protocol/learning/task.ts';

type DensePlan = { readonly model: DenseModel };
const F = 12;
const ROWS = 150; // not a multiple of the batch: the last batch is smaller
const LOGISTIC: DensePlan = {
  model: {
    kind: 'dense',
    layers: [{ units: 1, activation: 'sigmoid' }],
    loss: 'sigmoid-cross-entropy',
    positiveWeight: 15,
    l2: 0.1,
  },
};
const SGD = { batchSize: 32, learningRate: 0.01 };
const DEEP: DensePlan = {
  model: {
    ...LOGISTIC.model,
    layers: [
      { units: 7, activation: 'relu' },
      { units: 5, activation: 'tanh' },
      { units: 1, activation: 'sigmoid' },
    ],
  },
};

function examples(label: string) {
  const prng = createPrng(utf8ToBytes(label), 'test');
  const features = Float32Array.from({ length: ROWS * F }, () => prng.unit() * 4 - 2);
  const labels = Uint8Array.from({ length: ROWS }, () => (prng.unit() < 0.1 ? 1 : 0));
  return { features, labels };
}

const seed = utf8ToBytes('a seed');
const digest = (weights: Float32Array) => createHash('sha256').update(new Uint8Array(weights.buffer)).digest('hex');

/** Logistic SGD in float64, straight from the definition. */
function reference(
  plan: DensePlan,
  start: Float32Array,
  data: ReturnType<typeof examples>,
  epochs: number,
  { proximal = 0, correction = new Float32Array(F + 1) } = {},
): Float64Array {
  const w = Float64Array.from(start);
  const { batchSize, learningRate } = SGD;
  const prng = createPrng(seed, 'shuffle');
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = shuffled(ROWS, prng);
    for (let at = 0; at < ROWS; at += batchSize) {
      const batch = order.subarray(at, at + batchSize);
      const gradient = new Float64Array(F + 1);
      for (const row of batch) {
        const x = [...data.features.subarray(row * F, (row + 1) * F), 1];
        const z = x.reduce((sum, cell, j) => sum + cell * (w[j] ?? 0), 0);
        const y = data.labels[row] ?? 0;
        const error = (1 / (1 + Math.exp(-z)) - y) * (y === 1 ? plan.model.positiveWeight : 1);
        for (let j = 0; j <= F; j++) gradient[j] = (gradient[j] ?? 0) + (error * (x[j] ?? 0)) / batch.length;
      }
      for (let j = 0; j <= F; j++) {
        const penalty = j < F ? plan.model.l2 * (w[j] ?? 0) : 0;
        const hold = proximal * ((w[j] ?? 0) - (start[j] ?? 0)) + (correction[j] ?? 0);
        w[j] = (w[j] ?? 0) - learningRate * ((gradient[j] ?? 0) + penalty + hold);
      }
    }
  }
  return w;
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);

describe('training', () => {
  test('logistic SGD is that of plain float64 arithmetic, to 1e-5', async () => {
    const data = examples('plain');
    const trainer = await createTrainer(LOGISTIC, F);
    const start = Float32Array.from({ length: F + 1 }, (_, i) => (i - 6) / 10);
    const weights = await trainer.fit({ ...data, ...SGD, weights: start, seed, epochs: 1 });
    expect(largestDifference(weights, reference(LOGISTIC, start, data, 1))).toBeLessThan(1e-5);
    expect(largestDifference(weights, start)).toBeGreaterThan(1e-2);
  });

  test.each([
    ['the pull to the base model', { proximal: 2 }],
    ['a correction of every gradient', { correction: Float32Array.from({ length: F + 1 }, (_, i) => (i - 4) / 3) }],
    ['both', { proximal: 0.5, correction: new Float32Array(F + 1).fill(-0.7) }],
  ])('%s is that of plain float64 arithmetic, to 1e-5', async (_, more) => {
    const data = examples('pull');
    const trainer = await createTrainer(LOGISTIC, F);
    const start = Float32Array.from({ length: F + 1 }, (_, i) => (i - 6) / 10);
    const weights = await trainer.fit({ ...data, ...SGD, ...more, weights: start, seed, epochs: 2 });
    expect(largestDifference(weights, reference(LOGISTIC, start, data, 2, more))).toBeLessThan(1e-5);
    // a fault planted: without it the weights are elsewhere, the bias too
    const without = reference(LOGISTIC, start, data, 2);
    expect(Math.abs((without.at(-1) ?? 0) - (weights.at(-1) ?? 0))).toBeGreaterThan(1e-4);
  });

  test('no pull is the same bits as a pull of nothing', async () => {
    const data = examples('nothing');
    const trainer = await createTrainer(DEEP, F);
    const size = trainer.layout.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const input = { ...data, ...SGD, weights: new Float32Array(size).fill(0.1), seed, epochs: 2 };
    const plain = digest(await trainer.fit(input));
    expect(digest(await trainer.fit({ ...input, proximal: 0 }))).toBe(plain);
    expect(digest(await trainer.fit({ ...input, correction: new Float32Array(size) }))).toBe(plain);
    expect(digest(await trainer.fit({ ...input, correction: new Float32Array(size).fill(1e-3) }))).not.toBe(plain);
  });

  test.each([
    ['logistic', LOGISTIC],
    ['three layers', DEEP],
  ])('gradients by hand are those of automatic differentiation: %s', async (_, plan) => {
    const data = examples('tape');
    const trainer = await createTrainer(plan, F);
    const prng = createPrng(seed, 'weights');
    const size = trainer.layout.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const start = Float32Array.from({ length: size }, () => prng.unit() - 0.5);
    const weights = await trainer.fit({ ...data, ...SGD, batchSize: ROWS, weights: start, seed, epochs: 1 });

    let at = 0;
    const variables = trainer.layout.map(({ shape }) => {
      const length = shape.reduce((a, b) => a * b, 1);
      at += length;
      return tf.variable(tf.tensor(start.slice(at - length, at), [...shape]));
    });
    const loss = (): tf.Scalar => {
      const y = tf.tensor2d(Float32Array.from(data.labels), [ROWS, 1]);
      let h: tf.Tensor = tf.tensor2d(data.features, [ROWS, F]);
      let penalty: tf.Tensor = tf.scalar(0);
      plan.model.layers.forEach(({ activation }, i) => {
        const kernel = variables[2 * i] as tf.Variable;
        penalty = tf.add(penalty, tf.mul(plan.model.l2 / 2, tf.sum(tf.square(kernel))));
        h = tf.add(tf.matMul(h as tf.Tensor2D, kernel as tf.Tensor2D), variables[2 * i + 1] as tf.Variable);
        if (activation === 'relu') h = tf.relu(h);
        if (activation === 'tanh') h = tf.tanh(h);
      });
      const entropy = tf.add(tf.sub(tf.relu(h), tf.mul(h, y)), tf.log1p(tf.exp(tf.neg(tf.abs(h)))));
      const weighted = tf.mul(entropy, tf.add(1, tf.mul(y, plan.model.positiveWeight - 1)));
      return tf.add(tf.mean(weighted), penalty) as tf.Scalar;
    };
    tf.tidy(() => {
      tf.train.sgd(SGD.learningRate).minimize(loss, false, variables);
    });
    const taped = variables.flatMap((variable) => [...variable.dataSync()]);
    expect(largestDifference(weights, taped)).toBeLessThan(1e-6);
    expect(largestDifference(weights, start)).toBeGreaterThan(1e-3);
    tf.dispose(variables);
  });

  test('leaves no tensor behind, also when it fails', async () => {
    const data = examples('leak');
    const trainer = await createTrainer(DEEP, F);
    const weights = new Float32Array(
      trainer.layout.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    ).fill(0.1);
    const before = tf.memory().numTensors;
    const trained = await trainer.fit({ ...data, ...SGD, weights, seed, epochs: 2, proximal: 0.1 });
    trainer.score(trained, data.features);
    const features = data.features.slice().fill(Number.NaN, 0, 1);
    await expect(trainer.fit({ ...data, ...SGD, features, weights, seed, epochs: 1 })).rejects.toThrow(
      'TRAINING_DIVERGED',
    );
    await expect(
      trainer.fit({
        ...data,
        ...SGD,
        weights,
        seed,
        epochs: 1,
        onEpoch: () => {
          throw new Error('stop');
        },
      }),
    ).rejects.toThrow('stop');
    expect(tf.memory().numTensors).toBe(before);
  });

  test('scores are in [0, 1] and refuse a matrix or weights of another size', async () => {
    const trainer = await createTrainer(LOGISTIC, F);
    const weights = new Float32Array(F + 1).fill(50);
    const scores = trainer.score(
      weights,
      Float32Array.from({ length: 2 * F }, (_, i) => (i < F ? 9 : -9)),
    );
    expect([...scores]).toEqual([1, 0]);
    expect(trainer.score(weights, new Float32Array())).toHaveLength(0);
    expect(() => trainer.score(weights, new Float32Array(F + 1))).toThrow('MODEL_MISMATCH');
    expect(() => trainer.score(new Float32Array(F), new Float32Array(F))).toThrow('MODEL_MISMATCH');
  });
});

describe('determinism', () => {
  // WebAssembly's arithmetic is defined bit for bit, but XNNPACK inside picks its kernels by the kind of processor.
  const GOLDEN_X64 = '0391189d0398068c69b5d1c2fc3d08dd746a34e99087e5581ef62dcc13e0c5e5';

  test('the same rows and seed give the same bits here, in another process, and as frozen', async () => {
    const trainer = await createTrainer(DEEP, F);
    const size = trainer.layout.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const input = { ...examples('bits'), ...SGD, weights: new Float32Array(size).fill(0.05), epochs: 3 };
    const here = digest(await trainer.fit({ ...input, seed }));
    expect(digest(await trainer.fit({ ...input, seed }))).toBe(here);
    expect(digest(await trainer.fit({ ...input, seed: utf8ToBytes('another') }))).not.toBe(here);

    const program = `
      import { createHash } from 'node:crypto';
      import { createTrainer } from './engines/tensor/train.ts';
      const trainer = await createTrainer(${JSON.stringify(DEEP)}, ${F});
      const weights = await trainer.fit({
        features: Float32Array.from(${JSON.stringify([...input.features])}),
        labels: Uint8Array.from(${JSON.stringify([...input.labels])}),
        weights: new Float32Array(${size}).fill(0.05), epochs: 3, ...${JSON.stringify(SGD)}, seed: new TextEncoder().encode('a seed'),
      });
      process.stdout.write(createHash('sha256').update(new Uint8Array(weights.buffer)).digest('hex'));`;
    const there = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program]).toString();
    expect(there).toBe(here);
    if (process.arch === 'x64') expect(here).toBe(GOLDEN_X64);
  });

  test('the backend leaves no listener that turns an orderly stop into a crash', async () => {
    await createTrainer(LOGISTIC, F);
    const listeners = ['uncaughtException', 'unhandledRejection'].flatMap((event) =>
      process.rawListeners(event).map(String),
    );
    expect(listeners.filter((text) => /ExitStatus|\{\s*throw reason;?\s*\}/.test(text))).toEqual([]);
  });
});

test('the generator is frozen: shuffles decide what a replay computes', () => {
  const prng = createPrng(utf8ToBytes('seed'), 'label');
  // computed apart from this code, in Python
  expect([prng.uint32(), prng.uint32(), prng.uint32()]).toEqual([1_834_844_314, 3_465_304_340, 3_328_911_384]);
  // without rejection, the first third of so large a bound would come up half of the time
  const low = Array.from({ length: 3_000 }, () => prng.below(3 * 2 ** 30)).filter((draw) => draw < 2 ** 30).length;
  expect(Math.abs(low - 1_000)).toBeLessThan(100);
  const order = shuffled(1_000, createPrng(seed, 'shuffle'));
  expect(new Set(order).size).toBe(1_000);
  expect(Math.max(...order)).toBe(999);
});
