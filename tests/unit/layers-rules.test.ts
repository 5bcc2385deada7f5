// Every layer that is allowed is trained for one step on two backends, and every one that is said to lack a kernel lacks it.
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { startTensorBackend, useTensorBackend } from '../../engines/tensor/backend.ts';
import { layoutOfTopology } from '../../engines/tensor/layers-build.ts';
import { tryLayers } from '../../engines/tensor/layers-trial.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { LAYER_ACTIVATIONS, LAYER_RULES, REFUSED_LAYERS } from '../../protocol/learning/layer-rules.ts';
import { type Backend, initialWeight, layersFaults } from '../../protocol/learning/layers-model.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import type { LayersModel } from '../../protocol/learning/task.ts';
import { topologyOf } from '../../protocol/learning/topology.ts';
import { dense, functional, type KerasEntry, layer, layersModel, sequential } from '../helpers/keras.ts';
import { BACKENDS_HERE, NATIVE_INSTALLED } from '../helpers/native.ts';

const COLUMNS = 6;
const flat = layer('Flatten', 'flat');
const shape = (...target: number[]) => layer('Reshape', 'shape', { target_shape: target });

/** The library's own start of these does not run in this process. */
const START = { recurrent_initializer: { class_name: 'GlorotUniform', config: { seed: null } } };

/** Between a dense layer of 8 and the score. */
const MIDDLES: Readonly<Record<string, readonly KerasEntry[]>> = {
  Dense: [dense('middle', 3, 'tanh')],
  Activation: [layer('Activation', 'middle', { activation: 'softplus' })],
  ReLU: [layer('ReLU', 'middle', { max_value: 6, negative_slope: 0, threshold: 0 })],
  LeakyReLU: [layer('LeakyReLU', 'middle', { alpha: 0.2 })],
  ELU: [layer('ELU', 'middle', { alpha: 1 })],
  PReLU: [layer('PReLU', 'middle', { shared_axes: null })],
  Softmax: [layer('Softmax', 'middle', { axis: -1 })],
  Dropout: [layer('Dropout', 'middle', { rate: 0.3, noise_shape: null, seed: null })],
  SpatialDropout1D: [shape(2, 4), layer('SpatialDropout1D', 'middle', { rate: 0.3 }), flat],
  BatchNormalization: [layer('BatchNormalization', 'middle', { axis: [1], momentum: 0.9, epsilon: 0.001 })],
  LayerNormalization: [layer('LayerNormalization', 'middle', { axis: [1], epsilon: 0.001 })],
  Flatten: [shape(2, 4), flat],
  Reshape: [shape(2, 4), flat],
  Permute: [shape(2, 4), layer('Permute', 'middle', { dims: [2, 1] }), flat],
  RepeatVector: [layer('RepeatVector', 'middle', { n: 3 }), flat],
  Rescaling: [layer('Rescaling', 'middle', { scale: 0.5, offset: 1 })],
  MaxPooling1D: [
    shape(4, 2),
    layer('MaxPooling1D', 'middle', { pool_size: [2], strides: [2], padding: 'valid' }),
    flat,
  ],
  AveragePooling1D: [shape(4, 2), layer('AveragePooling1D', 'middle', { pool_size: [2], strides: [2] }), flat],
  MaxPooling2D: [shape(2, 2, 2), layer('MaxPooling2D', 'middle', { pool_size: [2, 2], strides: [2, 2] }), flat],
  AveragePooling2D: [shape(2, 2, 2), layer('AveragePooling2D', 'middle', { pool_size: [2, 2] }), flat],
  GlobalMaxPooling1D: [shape(4, 2), layer('GlobalMaxPooling1D', 'middle')],
  GlobalAveragePooling1D: [shape(4, 2), layer('GlobalAveragePooling1D', 'middle')],
  GlobalMaxPooling2D: [shape(2, 2, 2), layer('GlobalMaxPooling2D', 'middle', { data_format: 'channels_last' })],
  GlobalAveragePooling2D: [shape(2, 2, 2), layer('GlobalAveragePooling2D', 'middle')],
  SimpleRNN: [shape(4, 2), layer('SimpleRNN', 'middle', { ...START, units: 3, activation: 'tanh', dropout: 0 })],
  GRU: [
    shape(4, 2),
    layer('GRU', 'middle', {
      ...START,
      units: 3,
      recurrent_activation: 'sigmoid',
      return_sequences: true,
      reset_after: false,
    }),
    flat,
  ],
  LSTM: [shape(4, 2), layer('LSTM', 'middle', { ...START, units: 3, unit_forget_bias: true, unroll: false })],
  Conv1D: [shape(4, 2), layer('Conv1D', 'middle', { filters: 3, kernel_size: [2], padding: 'same' }), flat],
  Conv2D: [shape(2, 2, 2), layer('Conv2D', 'middle', { filters: 3, kernel_size: [2, 2] }), flat],
  DepthwiseConv2D: [shape(2, 2, 2), layer('DepthwiseConv2D', 'middle', { kernel_size: [2, 2] }), flat],
};
const MERGES = ['Add', 'Multiply', 'Average', 'Maximum', 'Minimum', 'Concatenate'];

const score = dense('score', 1, 'sigmoid');

function topologyFor(type: string): Record<string, unknown> {
  const middle = MIDDLES[type];
  if (middle) return sequential(COLUMNS, [dense('first', 8), ...middle, score]);
  return functional(COLUMNS, [
    [dense('left', 4), 'row'],
    [dense('right', 4, 'tanh'), 'row'],
    [layer(type, 'middle'), 'left', 'right'],
    [score, 'middle'],
  ]);
}

async function modelFor(topology: Record<string, unknown>): Promise<LayersModel> {
  await startTensorBackend('cpu');
  const layout = layoutOfTopology(topologyOf(topology));
  return layersModel(topology, Object.fromEntries(layout.map(({ name, shape: size }) => [name, size])));
}

async function trainedOn(backend: Backend, model: LayersModel): Promise<Float32Array> {
  const prng = createPrng(utf8ToBytes('layers'), 'test');
  const weights = Float32Array.from(
    model.weights.flatMap(({ name, shape: size }) => [...initialWeight(name, size, prng)]),
  );
  const features = Float32Array.from({ length: 20 * COLUMNS }, () => prng.unit() * 2 - 1);
  const labels = Uint8Array.from({ length: 20 }, () => prng.below(2));
  const trainer = await createTrainer({ model, backend }, COLUMNS);
  const before = tf.memory().numTensors;
  const trained = await trainer.fit({
    weights,
    features,
    labels,
    seed: utf8ToBytes('seed'),
    epochs: 2,
    batchSize: 8,
    learningRate: 0.1,
  });
  const scores = trainer.score(trained, features);
  expect(tf.memory().numTensors).toBe(before);
  expect(trained.some((weight, i) => weight !== weights[i])).toBe(true);
  return Float32Array.of(...trained, ...scores);
}

const furthest = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);

test('each rule has a model here', () => {
  expect([...Object.keys(MIDDLES), ...MERGES].sort()).toEqual([...LAYER_RULES.keys()].sort());
  expect([...REFUSED_LAYERS.keys()].filter((type) => LAYER_RULES.has(type))).toEqual([]);
});

test.each([...LAYER_RULES.keys()])(
  '%s trains alike on cpu and wasm (and natively, where that is installed), to 1e-5, or lacks what it is said to lack',
  async (type) => {
    const model = await modelFor(topologyFor(type));
    const { missingOnWasm, wrongOnWasm } = LAYER_RULES.get(type) ?? {};
    expect(layersFaults(model, 'fedavg', 'cpu')).toEqual([]);
    const onCpu = await trainedOn('cpu', model);
    if (NATIVE_INSTALLED) {
      expect(layersFaults(model, 'fedavg', 'tensorflow')).toEqual([]);
      expect(furthest(onCpu, await trainedOn('tensorflow', model))).toBeLessThan(1e-5);
    }
    if (wrongOnWasm !== undefined) {
      expect(layersFaults(model, 'fedavg', 'wasm')[0]?.advice).toContain(`${wrongOnWasm}, which is wrong on wasm`);
      // the day this fails, the library is mended and the rule can go
      await expect(trainedOn('wasm', model)).rejects.toThrow('on wasm differs from that on cpu');
      return;
    }
    if (missingOnWasm === undefined) {
      expect(layersFaults(model, 'fedavg', 'wasm')).toEqual([]);
      expect(furthest(onCpu, await trainedOn('wasm', model))).toBeLessThan(1e-5);
      return;
    }
    expect(layersFaults(model, 'fedavg', 'wasm')[0]?.advice).toContain(missingOnWasm);
    const before = tf.memory().numTensors;
    await expect(trainedOn('wasm', model)).rejects.toThrow(missingOnWasm); // the trial says the same as the table
    expect(tf.memory().numTensors).toBe(before);
  },
);

test.each([...LAYER_ACTIVATIONS])('activation %s trains alike on every backend here, to 1e-5', async (activation) => {
  const model = await modelFor(sequential(COLUMNS, [dense('first', 8, activation), score]));
  const onCpu = await trainedOn('cpu', model);
  for (const backend of BACKENDS_HERE) expect(furthest(onCpu, await trainedOn(backend, model))).toBeLessThan(1e-5);
});

test.each([...LAYER_RULES.keys()])(
  '%s as the library itself writes it, every option said, is read to the same',
  async (type) => {
    await startTensorBackend('cpu');
    const ours = topologyOf(topologyFor(type));
    const made = await tfl.loadLayersModel(tf.io.fromMemory({ modelTopology: topologyFor(type) }));
    const written = JSON.parse(made.toJSON(null, true) as string) as Record<string, unknown>;
    const theirs = topologyOf(written);
    expect(theirs.layers.map(({ name, inputs }) => [name, inputs.length])).toEqual(
      ours.layers.map(({ name, inputs }) => [name, inputs.length]),
    );
    expect(layoutOfTopology(theirs)).toEqual(layoutOfTopology(ours));
    made.dispose();
  },
);

test('weights other than those named are refused by name, and nothing is left behind', async () => {
  const model = await modelFor(topologyFor('Dense'));
  const [first, ...rest] = model.weights;
  if (!first) throw new Error('no weight');
  useTensorBackend('cpu');
  const before = tf.memory().numTensors;
  await expect(tryLayers({ ...model, weights: rest }, 'cpu')).rejects.toThrow(
    /MODEL_UNTRAINABLE.*more than \d+ parameters/,
  );
  await expect(
    tryLayers({ ...model, weights: [...model.weights, { name: 'first/more', shape: [2] }] }, 'cpu'),
  ).rejects.toThrow('the layers have no first/more; they have first/kernel, first/bias');
  await expect(tryLayers({ ...model, weights: [{ name: first.name, shape: [8, 6] }, ...rest] }, 'cpu')).rejects.toThrow(
    'first/kernel is [6, 8], not [8, 6]',
  );
  await expect(
    tryLayers({ ...model, weights: [{ name: 'first/extra', shape: [6, 8] }, ...rest] }, 'cpu'),
  ).rejects.toThrow('no first/extra');
  expect(tf.memory().numTensors).toBe(before);
});
