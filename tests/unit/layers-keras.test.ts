// Models that Python's Keras wrote, scored and trained for a step: what it computed is what is computed here.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { startTensorBackend } from '../../engines/tensor/backend.ts';
import { layoutOfTopology } from '../../engines/tensor/layers-build.ts';
import { createTrainer, type Trainer } from '../../engines/tensor/train.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { LAYER_ACTIVATIONS, LAYER_RULES } from '../../protocol/learning/layer-rules.ts';
import { layersFaults } from '../../protocol/learning/layers-model.ts';
import type { LayersModel } from '../../protocol/learning/task.ts';
import { topologyOf } from '../../protocol/learning/topology.ts';
import { layersModel } from '../helpers/keras.ts';
import { BACKENDS_HERE } from '../helpers/native.ts';

interface Vector {
  readonly source: string;
  readonly topology: Record<string, unknown>;
  readonly weights: Readonly<Record<string, readonly number[]>>;
  readonly rows: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly scores: readonly number[];
  readonly learningRate: number;
  readonly trained: Readonly<Record<string, readonly number[]>>;
}

const FOLDER = new URL('../../protocol/vectors/', import.meta.url);
const VECTORS = readdirSync(FOLDER)
  .filter((name) => /^keras-\d-\w+\.json$/.test(name))
  .map((name) => [name, JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as Vector] as const);

const TOLERANCE = 1e-5;
const COLUMNS = 6;

const furthest = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);

async function modelOf(topology: Record<string, unknown>): Promise<LayersModel> {
  await startTensorBackend('cpu');
  const layout = layoutOfTopology(topologyOf(topology));
  return layersModel(topology, Object.fromEntries(layout.map(({ name, shape }) => [name, shape])));
}

/** By name: the order is TensorFlow.js's. Keras 3 calls one weight otherwise. */
function inOrder({ weights }: LayersModel, values: Vector['weights']): Float32Array {
  expect(Object.keys(values)).toHaveLength(weights.length);
  const all = weights.flatMap(({ name, shape }) => {
    const value = values[name] ?? values[name.replace('/depthwise_kernel', '/kernel')];
    expect([name, value?.length]).toEqual([name, shape.reduce((x, y) => x * y, 1)]);
    return value ?? [];
  });
  return Float32Array.from(all);
}

const rowsOf = ({ rows }: Vector) => Float32Array.from(rows.flat());

const stepped = (trainer: Trainer, vector: Vector, weights: Float32Array) =>
  trainer.fit({
    weights,
    features: rowsOf(vector),
    labels: Uint8Array.from(vector.labels),
    seed: utf8ToBytes('keras'),
    epochs: 1,
    batchSize: vector.labels.length,
    learningRate: vector.learningRate,
  });

test.each(['2', '3'])('Keras %s has written every layer and every activation that is known here', (version) => {
  const layers = VECTORS.filter(([name]) => name.startsWith(`keras-${version}`)).flatMap(
    ([, { topology }]) => topologyOf(topology).layers,
  );
  expect(new Set(layers.map(({ type }) => type))).toEqual(new Set(LAYER_RULES.keys()));
  const activations = new Set(layers.map(({ options }) => options.activation));
  const missing = [...LAYER_ACTIVATIONS].filter((activation) => !activations.has(activation));
  expect(missing).toEqual(version === '3' ? ['hard_sigmoid'] : []); // another function there
});

describe.each(VECTORS)('%s', (file, vector) => {
  test.each(BACKENDS_HERE)('on %s, scores and a step of SGD are those of Keras, to 1e-5', async (backend) => {
    const model = await modelOf(vector.topology);
    if (layersFaults(model, 'fedavg', backend).length > 0) {
      expect([backend, file]).toEqual(['wasm', expect.stringContaining('windows')]); // lacks a kernel, and says so
      return;
    }
    const trainer = await createTrainer({ model, backend }, COLUMNS);
    const weights = inOrder(model, vector.weights);
    expect(furthest(trainer.score(weights, rowsOf(vector)), Float32Array.from(vector.scores))).toBeLessThan(TOLERANCE);
    const trained = await stepped(trainer, vector, weights);
    const theirs = inOrder(model, vector.trained);
    expect(furthest(theirs, weights)).toBeGreaterThan(1e-3);
    expect(furthest(trained, theirs)).toBeLessThan(TOLERANCE);
  });
});

const written = (name: string) => {
  const [, vector] = VECTORS.find(([file]) => file === `keras-${name}.json`) ?? [];
  return JSON.stringify(vector?.topology);
};

test.each<[string, string, string | RegExp, string, string]>([
  ['Keras 3’s hard_sigmoid', '3-branches', '"tanh"', '"hard_sigmoid"', 'right: hard_sigmoid of Keras 3 is not that'],
  [
    'a gate of it',
    '3-loops',
    '"recurrent_activation":"sigmoid"',
    '"recurrent_activation":"hard_sigmoid"',
    'GRU gru: hard',
  ],
  ['a GRU that resets after', '2-loops', '"reset_after":false', '"reset_after":true', 'with reset_after=False'],
  ['a GRU that does not say', '3-loops', '"reset_after":false,', '', 'with reset_after=False'],
  ['dropout in a loop', '3-loops', '"recurrent_dropout":0', '"recurrent_dropout":0.1', 'put a Dropout layer'],
  ['a norm without scale', '3-norms', '"scale":true', '"scale":false', 'batch: scale must be true'],
  ['a norm without centre', '2-norms', '"center":true', '"center":false', 'batch: center must be true'],
  ['renormalisation', '3-norms', '"renorm":false', '"renorm":true', 'batch: the option renorm is not read'],
  ['a slope of ELU', '3-slopes', '"alpha":1', '"alpha":0.5', 'ELU elu: alpha must be 1'],
  ['a slope of ReLU', '3-slopes', /"negative_slope":0(?=[,}])/, '"negative_slope":0.1', 'use LeakyReLU'],
  ['a slope said twice', '3-slopes', '"negative_slope":0.1', '"negative_slope":0.1,"alpha":0.3', 'give one'],
  ['an open size', '2-shapes', '"target_shape":[4,4]', '"target_shape":[4,-1]', 'none of them -1'],
  ['half precision', '3-branches', '"name":"float32"', '"name":"mixed_float16"', 'only float32'],
  [
    'x + y',
    '3-branches',
    '"module":"keras.layers","class_name":"Add"',
    '"module":"keras.src.ops.numpy","class_name":"Add"',
    'an operation on tensors',
  ],
  ['x + y of Keras 2', '2-branches', '"class_name":"Add"', '"class_name":"TFOpLambda"', 'an operation on tensors'],
  [
    'one’s own Dense',
    '3-branches',
    '"module":"keras.layers","class_name":"Dense"',
    '"module":"mine","class_name":"Dense"',
    'not Keras’s own',
  ],
  [
    'a registered Dense',
    '3-branches',
    /"registered_name":null,"build_config"/,
    '"registered_name":"mine>Dense","build_config"',
    'not Keras’s own',
  ],
])('%s is refused as a Keras user would say it', (_, name, from, to, message) => {
  const source = written(name);
  const changed = source.replace(from, to);
  expect(changed).not.toBe(source);
  expect(() => topologyOf(JSON.parse(source))).not.toThrow();
  expect(() => topologyOf(JSON.parse(changed))).toThrow(message);
});

test.each([
  ['BatchNormalization', '2-norms', /"axis":\[2\]/],
  ['Softmax', '3-slopes', '"axis":-1'],
])('%s along a middle axis is refused before it fails', async (type, name, from) => {
  const changed = written(name).replace(from, '"axis":1');
  await startTensorBackend('cpu');
  expect(() => layoutOfTopology(topologyOf(JSON.parse(changed)))).toThrow(new RegExp(`${type} .*: only the last axis`));
});

test('what is left out is what Keras takes for granted: a gate’s sigmoid, the last axis of Softmax', () => {
  const gates = written('3-loops').replaceAll('"recurrent_activation":"sigmoid",', '');
  const softmax = written('2-slopes').replace(/"axis":-1/, '"axis":null');
  for (const [source, whole] of [
    [gates, '3-loops'],
    [softmax, '2-slopes'],
  ] as const) {
    expect(source).not.toBe(written(whole));
    expect(topologyOf(JSON.parse(source))).toEqual(topologyOf(JSON.parse(written(whole))));
  }
});
