// Backends: each task on its own, two in one process, and a stand-in for the native one (itself: tensor-backends-native.test.ts).
import { createRequire } from 'node:module';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { startTensorBackend, useTensorBackend } from '../../engines/tensor/backend.ts';
import { loadNative } from '../../engines/tensor/native.ts';
import { createTrainer, type TrainingPlan } from '../../engines/tensor/train.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { BACKENDS, type Backend } from '../../protocol/learning/layers-model.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import { parseTask } from '../../protocol/learning/task.ts';
import { taskText } from '../helpers/audit/small-task.ts';
import { dense, layer, layersModel, sequential } from '../helpers/keras.ts';

const F = 30;
const ROWS = 200;
const prng = createPrng(utf8ToBytes('backends'), 'test');
const features = Float32Array.from({ length: ROWS * F }, () => prng.unit() * 2 - 1);
const labels = Uint8Array.from({ length: ROWS }, () => prng.below(2));
const descent = { loss: 'sigmoid-cross-entropy', positiveWeight: 3, l2: 0.01 } as const;

const DENSE: TrainingPlan['model'] = {
  kind: 'dense',
  layers: [
    { units: 16, activation: 'relu' },
    { units: 1, activation: 'sigmoid' },
  ],
  ...descent,
};
const LAYERS = layersModel(
  sequential(F, [
    dense('one', 16, 'relu'),
    layer('LayerNormalization', 'norm'),
    layer('Dropout', 'drop', { rate: 0.2 }),
    dense('score', 1, 'sigmoid'),
  ]),
  {
    'one/kernel': [F, 16],
    'one/bias': [16],
    'norm/gamma': [16],
    'norm/beta': [16],
    'score/kernel': [16, 1],
    'score/bias': [1],
  },
  descent,
);

async function train(plan: TrainingPlan, epochs = 3): Promise<Float32Array> {
  const trainer = await createTrainer(plan, F);
  const size = trainer.layout.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const start = createPrng(utf8ToBytes('start'), 'test');
  const weights = Float32Array.from({ length: size }, () => start.unit() - 0.5);
  const fit = { weights, features, labels, seed: utf8ToBytes('seed'), epochs, batchSize: 32, learningRate: 0.05 };
  const trained = await trainer.fit(fit);
  return Float32Array.of(...trained, ...trainer.score(trained, features));
}

const furthest = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);

test.each([
  ['dense', DENSE],
  ['Keras layers', LAYERS],
])('%s: cpu and wasm agree to 1e-5, and differ in bits', async (_, model) => {
  const [cpu, wasm] = [await train({ model, backend: 'cpu' }), await train({ model, backend: 'wasm' })];
  expect(furthest(cpu, wasm)).toBeLessThan(1e-5);
  expect(cpu).not.toEqual(wasm);
  expect(await train({ model })).toEqual(wasm);
});

test('two tasks on two backends at the same time each have the bits they have alone', async () => {
  const plans = [DENSE, LAYERS].flatMap((model) => (['cpu', 'wasm'] as const).map((backend) => ({ model, backend })));
  const alone: Float32Array[] = [];
  for (const plan of plans) alone.push(await train(plan));
  const before = tf.memory().numTensors;
  const together = await Promise.all(plans.map((plan) => train(plan)));
  expect(together).toEqual(alone);
  expect(tf.memory().numTensors).toBe(before);
});

const NOT_THERE = "Cannot find module '@tensorflow/tfjs-node'\nRequire stack:\n- backend.ts";
const fails = (message: string) => () => {
  throw new Error(message);
};

test.each([
  ['is not installed', fails(NOT_THERE), /tfjs-node is not installed.*npm install @tensorflow\/tfjs-node/],
  ['lacks one of its parts', fails("Cannot find module 'nopt'"), "does not start: Cannot find module 'nopt' ("],
  ['has a broken binary', fails('it does not load\nits stack'), 'tfjs-node does not start: it does not load ('],
  ['registers nothing', () => undefined, "does not start: Backend name 'tensorflow' not found"],
])('the native backend %s: what to do is said, and the others still run', async (_, load, message) => {
  const started = startTensorBackend('tensorflow', load);
  await expect(started).rejects.toThrow('TENSOR_BACKEND_MISSING');
  await expect(started).rejects.toThrow(message);
  expect(() => useTensorBackend('tensorflow')).toThrow('TENSOR_BACKEND_WRONG');
  useTensorBackend('wasm');
  expect(tf.getBackend()).toBe('wasm');
});

test('the package sees no arguments while it is loaded: node-pre-gyp would take --dir of a dealer for its --directory', () => {
  const { argv } = process;
  process.argv = [...argv.slice(0, 2), '--dir', 'dealer'];
  const all = process.argv;
  try {
    expect(loadNative(() => process.argv)).toEqual(argv.slice(0, 2));
    expect(process.argv).toBe(all);
    expect(() => loadNative(fails(NOT_THERE))).toThrow('Cannot find');
    expect(process.argv).toBe(all);
  } finally {
    process.argv = argv;
  }
});

test('once it is installed it is found, trains, and can be left again', async () => {
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
  util.isNullOrUndefined = undefined; // as from Node 23 on
  const seen: unknown[] = [];
  // what importing the package does: it registers a backend of that name and makes it the active one
  const load = async () => {
    const { isNullOrUndefined } = util as { isNullOrUndefined(x: unknown): boolean };
    seen.push(process.env.TF_NUM_INTRAOP_THREADS, isNullOrUndefined(undefined), isNullOrUndefined(0));
    await startTensorBackend('cpu');
    tf.env().set('PROD', true); // or the stand-in would advertise what it stands for
    tf.copyRegisteredKernels('cpu', 'tensorflow');
    tf.registerBackend('tensorflow', () => new MathBackendCPU());
    await tf.setBackend('tensorflow');
  };
  process.env.TF_NUM_INTRAOP_THREADS = '8';
  await startTensorBackend('tensorflow', load);
  expect(seen).toEqual(['1', true, false]);
  expect(tf.getBackend()).toBe('tensorflow');
  const native = await train({ model: LAYERS, backend: 'tensorflow' });
  expect(native).toEqual(await train({ model: LAYERS, backend: 'cpu' }));
  useTensorBackend('wasm');
});

test('the backend is part of what a task’s hash covers; left out, it is wasm', () => {
  const document = JSON.parse(taskText) as Record<string, unknown>;
  const hashOf = (backend?: Backend) => parseTask(JSON.stringify({ ...document, backend })).hash;
  expect(new Set(BACKENDS.map(hashOf)).size).toBe(BACKENDS.length);
  expect(hashOf()).toBe(hashOf('wasm'));
  expect(() => parseTask(JSON.stringify({ ...document, backend: 'webgl' }))).toThrow('backend');
});
