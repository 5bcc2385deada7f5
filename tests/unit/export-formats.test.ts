// Exported models give the scores that the federation gives: of every layer that is written, on onnxruntime-web and TensorFlow.js.
import { describe, expect, test } from 'vitest';
import { startTensorBackend } from '../../engines/tensor/backend.ts';
import { layoutOfTopology } from '../../engines/tensor/layers-build.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { onnxFile } from '../../protocol/learning/export/onnx.ts';
import { ACTIVATION_OPS } from '../../protocol/learning/export/onnx-activations.ts';
import { ONNX_LAYERS } from '../../protocol/learning/export/onnx-layers.ts';
import { graphOf, scoringTensors } from '../../protocol/learning/export/tensors.ts';
import { tfjsFiles } from '../../protocol/learning/export/tfjs.ts';
import { LAYER_ACTIVATIONS, LAYER_RULES } from '../../protocol/learning/layer-rules.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import type { Target } from '../../protocol/learning/target.ts';
import { predictionsOf } from '../../protocol/learning/target.ts';
import type { LayersModel } from '../../protocol/learning/task.ts';
import { topologyOf } from '../../protocol/learning/topology.ts';
import { furthest, runOnnx, runTfjs } from '../helpers/exported.ts';
import { dense, functional, type KerasEntry, layer, layersModel, sequential } from '../helpers/keras.ts';

const F = 12;
const ROWS = 17;
const BINARY: Target = { type: 'binary' };

function draw(label: string, length: number, scale = 1): Float32Array {
  const prng = createPrng(utf8ToBytes(label), 'test');
  return Float32Array.from({ length }, () => (prng.unit() * 2 - 1) * scale);
}
const features = draw('features', ROWS * F, 2);

/** With the weights that its layers have, drawn; variances are not negative, but for one that rounding left under zero. */
async function drawn(topology: Record<string, unknown>, more: Partial<LayersModel> = {}) {
  await startTensorBackend('cpu');
  const layout = layoutOfTopology(topologyOf(topology));
  const model = layersModel(topology, Object.fromEntries(layout.map(({ name, shape }) => [name, shape])), more);
  const parts = layout.map(({ name, shape }) => {
    const values = draw(
      name,
      shape.reduce((a, b) => a * b, 1),
      0.8,
    );
    return name.endsWith('variance') ? values.map((x, i) => (i === 0 ? -1e-9 : Math.abs(x))) : values;
  });
  const weights = Float32Array.from(parts.flatMap((part) => [...part]));
  const tensors = scoringTensors({ layout, weights });
  const scores = (await createTrainer({ model, backend: 'cpu' }, F)).score(weights, features);
  return { graph: graphOf(model, F), tensors, scores };
}

const head = dense('score', 1, 'sigmoid');
const onto = (...layers: readonly KerasEntry[]) => sequential(F, [...layers, head]);
const grid = layer('Reshape', 'grid', { target_shape: [3, 4] });
const flat = layer('Flatten', 'flat', {});
const branches = (merge: KerasEntry) =>
  functional(F, [
    [dense('left', 5, 'tanh'), 'row'],
    [dense('right', 5, 'relu'), 'row'],
    [dense('third', 5), 'row'],
    [merge, 'left', 'right', 'third'],
    [head, String(merge.config.name)],
  ]);

const CASES: Readonly<Record<string, Record<string, unknown>>> = {
  Dense: onto(dense('a_long.name-1', 7, 'relu'), layer('Dense', 'bare', { units: 4, use_bias: false })),
  ReLU: onto(layer('ReLU', 'bend'), dense('mid', 5), layer('ReLU', 'cut', { max_value: 0.5 })),
  LeakyReLU: onto(layer('LeakyReLU', 'bend', {}), dense('mid', 5), layer('LeakyReLU', 'other', { alpha: 0.05 })),
  ELU: onto(layer('ELU', 'bend', {})),
  PReLU: onto(grid, layer('PReLU', 'bend', { shared_axes: [1] }), layer('PReLU', 'each'), flat),
  Softmax: onto(grid, layer('Softmax', 'last', { axis: -1 }), layer('Softmax', 'again', { axis: 2 }), flat),
  Dropout: onto(layer('Dropout', 'drop', { rate: 0.5 })),
  SpatialDropout1D: onto(grid, layer('SpatialDropout1D', 'drop', { rate: 0.5 }), flat),
  BatchNormalization: onto(
    layer('BatchNormalization', 'norm'),
    grid,
    layer('BatchNormalization', 'middle', { axis: [2], epsilon: 0.01 }),
    flat,
  ),
  LayerNormalization: onto(
    layer('LayerNormalization', 'norm', { axis: [-1] }),
    grid,
    layer('LayerNormalization', 'middle', { axis: [1], epsilon: 0.01 }),
    layer('LayerNormalization', 'all', { axis: [1, 2] }),
    flat,
  ),
  Reshape: onto(grid, layer('Reshape', 'other', { target_shape: [2, 2, 3] }), dense('deep', 3, 'softmax'), flat),
  Permute: onto(grid, layer('Permute', 'turn', { dims: [2, 1] }), dense('deep', 2), flat),
  RepeatVector: onto(layer('RepeatVector', 'again', { n: 3 }), dense('deep', 2, 'tanh'), flat),
  Rescaling: onto(layer('Rescaling', 'scale', { scale: 0.5, offset: -0.25 })),
  ...Object.fromEntries(
    ['Add', 'Multiply', 'Average', 'Maximum', 'Minimum', 'Concatenate'].map((type) => [
      type,
      branches(layer(type, 'merge')),
    ]),
  ),
};

test('every layer that is written has a case', () => {
  const covered = new Set([...Object.keys(CASES), 'Activation', 'Flatten']);
  expect([...ONNX_LAYERS.keys()].filter((type) => !covered.has(type))).toEqual([]);
  expect([...ACTIVATION_OPS.keys()].sort()).toEqual([...LAYER_ACTIVATIONS].sort());
});

describe('onnxruntime-web and TensorFlow.js score as the federation does, to 1e-6', () => {
  const activations = [...LAYER_ACTIVATIONS].map(
    (name) => [`Activation ${name}`, onto(dense('mid', 6), layer('Activation', 'bend', { activation: name }))] as const,
  );
  test.each([...Object.entries(CASES), ...activations])('%s', async (_, topology) => {
    const { graph, tensors, scores } = await drawn(topology);
    expect(
      furthest((await runOnnx(onnxFile(graph, tensors, BINARY, {}), features, F)).score ?? [], scores),
    ).toBeLessThan(1e-6);
    expect(furthest(await runTfjs(tfjsFiles(graph, tensors, {}), features, F), scores)).toBeLessThan(1e-6);
  });
});

const WINDOWS = { pool_size: 2, strides: 1 };
const cube = layer('Reshape', 'cube', { target_shape: [3, 2, 2] });
const ONLY_TFJS: Readonly<Record<string, Record<string, unknown>>> = {
  SimpleRNN: onto(grid, layer('SimpleRNN', 'loop', { units: 3 })),
  GRU: onto(grid, layer('GRU', 'loop', { units: 3, reset_after: false })),
  LSTM: onto(grid, layer('LSTM', 'loop', { units: 3, return_sequences: true }), flat),
  Conv1D: onto(grid, layer('Conv1D', 'slide', { filters: 2, kernel_size: [2], padding: 'same' }), flat),
  Conv2D: onto(cube, layer('Conv2D', 'slide', { filters: 2, kernel_size: [2, 1] }), flat),
  DepthwiseConv2D: onto(cube, layer('DepthwiseConv2D', 'slide', { kernel_size: [2, 2] }), flat),
  MaxPooling1D: onto(grid, layer('MaxPooling1D', 'pool', WINDOWS), flat),
  AveragePooling1D: onto(grid, layer('AveragePooling1D', 'pool', WINDOWS), flat),
  MaxPooling2D: onto(cube, layer('MaxPooling2D', 'pool', { pool_size: [2, 1] }), flat),
  AveragePooling2D: onto(cube, layer('AveragePooling2D', 'pool', { pool_size: [2, 2] }), flat),
  GlobalMaxPooling1D: onto(grid, layer('GlobalMaxPooling1D', 'pool')),
  GlobalAveragePooling1D: onto(grid, layer('GlobalAveragePooling1D', 'pool')),
  GlobalMaxPooling2D: onto(cube, layer('GlobalMaxPooling2D', 'pool')),
  GlobalAveragePooling2D: onto(cube, layer('GlobalAveragePooling2D', 'pool')),
};

describe('a layer that ONNX is not written of is refused by name, and TensorFlow.js scores with it', () => {
  test('each layer is in one list or the other', () => {
    const known = new Set([...ONNX_LAYERS.keys(), ...Object.keys(ONLY_TFJS)]);
    expect([...LAYER_RULES.keys()].filter((type) => !known.has(type))).toEqual([]);
  });
  test.each(Object.entries(ONLY_TFJS))('%s', async (type, topology) => {
    const { graph, tensors, scores } = await drawn(topology);
    expect(() => onnxFile(graph, tensors, BINARY, {})).toThrow(
      new RegExp(`EXPORT_UNSUPPORTED.*${type} is not written`),
    );
    expect(furthest(await runTfjs(tfjsFiles(graph, tensors, {}), features, F), scores)).toBeLessThan(1e-6);
  });
});

test('inputs that Keras would stretch over one another are refused', async () => {
  const topology = functional(F, [
    [dense('left', 5), 'row'],
    [dense('right', 1), 'row'],
    [layer('Add', 'merge'), 'left', 'right'],
    [head, 'merge'],
  ]);
  const { graph, tensors } = await drawn(topology);
  expect(() => onnxFile(graph, tensors, BINARY, {})).toThrow('different shapes');
});

describe('beside the score, what it predicts', () => {
  test('the place of the likeliest class, the first of equals', async () => {
    const target: Target = { type: 'classes', codes: ['low', 'middle', 'high'] };
    const { graph, tensors, scores } = await drawn(sequential(F, [dense('score', 3, 'softmax')]), {
      loss: 'softmax-cross-entropy',
    });
    const { score = [], prediction = [] } = await runOnnx(onnxFile(graph, tensors, target, {}), features, F);
    expect(furthest(score, scores)).toBeLessThan(1e-6);
    expect(prediction.map((place) => target.codes[place])).toEqual(predictionsOf(target, scores));
    const zeros = tensors.map((tensor) => ({ ...tensor, values: new Float32Array(tensor.values.length) }));
    const equal = await runOnnx(onnxFile(graph, zeros, target, {}), features, F);
    expect(new Set(equal.prediction)).toEqual(new Set([0]));
  });

  test('a number between its bounds, in its own unit', async () => {
    const target: Target = { type: 'regression', minimum: -50, maximum: 250_000 };
    const { graph, tensors, scores } = await drawn(sequential(F, [dense('score', 1)]), { loss: 'squared' });
    const { score = [], prediction = [] } = await runOnnx(onnxFile(graph, tensors, target, {}), features, F);
    expect(furthest(score, scores)).toBeLessThan(1e-6);
    const expected = predictionsOf(target, scores).map(Number);
    expect(furthest(prediction, expected)).toBeLessThan(1e-6 * 250_050);
    expect(new Set(expected).has(-50)).toBe(true); // cut at its bound
    expect(new Set(expected).has(250_000)).toBe(true);
  });
});
