// Topologies as Keras 2, Keras 3 and TensorFlow.js write them, what a task says of one, and what hostile ones must not do.
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, test } from 'vitest';
import { startTensorBackend } from '../../engines/tensor/backend.ts';
import { layoutOfTopology } from '../../engines/tensor/layers-build.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { initialWeight } from '../../protocol/learning/layers-model.ts';
import { initialModel, layoutOf } from '../../protocol/learning/model.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import { parseTask } from '../../protocol/learning/task.ts';
import { type Topology, topologyOf } from '../../protocol/learning/topology.ts';
import { contract, taskText } from '../helpers/audit/small-task.ts';
import { dense, functional, type KerasEntry, layer, layersModel, sequential } from '../helpers/keras.ts';

const F = 5;
const score = dense('score', 1, 'sigmoid');
const two = [dense('one', 4, 'relu'), score] as const;

const KERAS_3_DTYPE = {
  module: 'keras',
  class_name: 'DTypePolicy',
  config: { name: 'float32' },
  registered_name: null,
};

/** Keras 3: modules, a dtype policy, an input layer of its own, calls by history. */
function keras3(entries: readonly KerasEntry[], isSequential: boolean): Record<string, unknown> {
  const input = { class_name: 'InputLayer', config: { batch_shape: [null, F], dtype: 'float32', name: 'row' } };
  const history = (from: string) => ({
    class_name: '__keras_tensor__',
    config: { shape: [null, 4], dtype: 'float32', keras_history: [from, 0, 0] },
  });
  const layers = entries.map(({ class_name, config }, i) => {
    const from = i === 0 ? 'row' : String(entries[i - 1]?.config.name);
    return {
      module: 'keras.layers',
      class_name,
      config: { ...config, dtype: KERAS_3_DTYPE, quantization_config: null },
      registered_name: null,
      build_config: { input_shape: [null, F] },
      name: config.name,
      inbound_nodes: [{ args: [history(from)], kwargs: {} }],
    };
  });
  const config = { name: 'model', trainable: true, layers: [input, ...layers] };
  const ends = { input_layers: ['row', 0, 0], output_layers: [layers.at(-1)?.name, 0, 0] };
  const model = isSequential
    ? { class_name: 'Sequential', config }
    : { class_name: 'Functional', config: { ...config, ...ends } };
  return { keras_version: '3.3.3', backend: 'tensorflow', model_config: model };
}

const plain = ({ columns, layers }: Topology) => ({
  columns,
  layers: layers.map(({ name, type, options, inputs }) => [
    name,
    type,
    options.units,
    options.activation,
    inputs.length,
  ]),
});
const EXPECTED = {
  columns: F,
  layers: [
    ['one', 'Dense', 4, 'relu', 1],
    ['score', 'Dense', 1, 'sigmoid', 1],
  ],
};

test.each([
  ['Keras 2, sequential', sequential(F, two)],
  [
    'Keras 2, functional',
    functional(F, [
      [two[0], 'row'],
      [score, 'one'],
    ]),
  ],
  ['Keras 3, sequential', keras3(two, true)],
  ['Keras 3, functional', keras3(two, false)],
])('%s', (_, topology) => {
  expect(plain(topologyOf(topology))).toEqual(EXPECTED);
});

test.each([true, false, null])('a call with training: %s is read as it is meant, or not at all', (training) => {
  const written = JSON.stringify(
    functional(F, [
      [layer('Dropout', 'one', { rate: 0.5 }), 'row'],
      [score, 'one'],
    ]),
  );
  const keras2 = written.replace('["row",0,0,{}]', JSON.stringify(['row', 0, 0, { training }]));
  const node = { args: [{ config: { keras_history: ['row', 0, 0] } }], kwargs: { training, mask: null } };
  const newer = written.replace('[["row",0,0,{}]]', JSON.stringify(node));
  for (const source of [keras2, newer]) {
    expect(source).not.toBe(written);
    const read = () => topologyOf(JSON.parse(source));
    if (training) expect(read).toThrow('layer one: it is called with training');
    else expect(read().layers).toHaveLength(2);
  }
});

test('what TensorFlow.js itself writes of a sequential and of a functional model is read, and its weights have these names', async () => {
  await startTensorBackend('cpu');
  const made = tfl.sequential({
    layers: [
      tfl.layers.dense({ units: 4, activation: 'relu', inputShape: [F], name: 'one' }),
      tfl.layers.batchNormalization({ name: 'norm' }),
      tfl.layers.dropout({ rate: 0.1, name: 'drop' }),
      tfl.layers.dense({ units: 1, activation: 'sigmoid', name: 'score' }),
    ],
  });
  const row = tfl.input({ shape: [F], name: 'row' });
  const left = tfl.layers.dense({ units: 4, activation: 'hardSigmoid', name: 'left' }).apply(row);
  const both = tfl.layers.concatenate({ name: 'both' }).apply([left as tfl.SymbolicTensor, row]);
  const out = tfl.layers.dense({ units: 1, activation: 'sigmoid', name: 'score' }).apply(both);
  const graph = tfl.model({ inputs: row, outputs: out as tfl.SymbolicTensor });
  for (const model of [made, graph]) {
    const topology = JSON.parse(model.toJSON(null, true) as string) as Record<string, unknown>;
    const layout = layoutOfTopology(topologyOf(topology));
    const named = model.weights.map(({ originalName, shape }) => `${originalName} ${shape}`);
    expect(layout.map(({ name, shape }) => `${name} ${shape}`).sort()).toEqual(named.sort());
  }
});

const document = JSON.parse(taskText) as Record<string, unknown>;
const COLUMNS = featureCount(contract);
const FEDAVG = { name: 'fedavg', localEpochs: 1, batchSize: 8, learningRate: 0.1 };

function taskWith(topology: unknown, more: { weights?: unknown; strategy?: object; backend?: string } = {}) {
  const model = {
    kind: 'tfjs-layers',
    topology,
    weights: more.weights ?? [
      { name: 'one/kernel', shape: [COLUMNS, 4] },
      { name: 'one/bias', shape: [4] },
      { name: 'score/kernel', shape: [4, 1] },
      { name: 'score/bias', shape: [1] },
    ],
    loss: 'sigmoid-cross-entropy',
    positiveWeight: 1,
    l2: 0,
  };
  const { backend = 'wasm', strategy = FEDAVG } = more;
  return parseTask(JSON.stringify({ ...document, model, backend, strategy }));
}

describe('a task', () => {
  test('its hash covers the topology, its layout is what it names, its start anyone can recompute', () => {
    const task = taskWith(sequential(COLUMNS, two));
    expect(taskWith(sequential(COLUMNS, [dense('one', 4, 'tanh'), score])).hash).not.toBe(task.hash);
    expect(layoutOf(task, COLUMNS).map(({ name }) => name)).toEqual([
      'one/kernel',
      'one/bias',
      'score/kernel',
      'score/bias',
    ]);
    expect(() => layoutOf(task, COLUMNS + 1)).toThrow(`the input takes ${COLUMNS} columns`);
    const { weights } = initialModel(task, contract);
    expect(initialModel(task, contract).weights).toEqual(weights);
    const limit = Math.sqrt(6 / (COLUMNS + 4));
    expect(weights.subarray(0, 4 * COLUMNS).every((w) => w !== 0 && Math.abs(w) <= limit)).toBe(true);
    expect([...weights.subarray(4 * COLUMNS, 4 * COLUMNS + 4)]).toEqual([0, 0, 0, 0]);
  });

  test('scales and variances start at one, a convolution counts its window', () => {
    const prng = createPrng(new Uint8Array(32), 'test');
    expect([...initialWeight('norm/gamma', [2], prng), ...initialWeight('norm/moving_variance', [1], prng)]).toEqual([
      1, 1, 1,
    ]);
    expect([...initialWeight('norm/moving_mean', [2], prng)]).toEqual([0, 0]);
    const wide = initialWeight('conv/kernel', [5, 5, 3, 4], prng);
    const most = wide.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    const limit = Math.sqrt(6 / (25 * 7));
    expect(most).toBeLessThanOrEqual(limit);
    expect(most).toBeGreaterThan(0.9 * limit);
  });

  const norm = layer('BatchNormalization', 'norm');
  const adam = { ...FEDAVG, name: 'fedadam', serverLearningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 0.001 };
  test.each<[string, unknown, Parameters<typeof taskWith>[1], string, RegExp]>([
    [
      'an embedding',
      sequential(F, [layer('Embedding', 'one'), score]),
      {},
      'model.topology',
      /one-hot columns and Dense/,
    ],
    ['code', sequential(F, [layer('Lambda', 'one'), score]), {}, 'model.topology', /no code is run/],
    [
      'a layer nobody knows',
      sequential(F, [layer('Mine', 'one'), score]),
      {},
      'model.topology',
      /Mine: it is not known/,
    ],
    [
      'a convolution on wasm',
      sequential(F, [layer('Conv1D', 'one'), score]),
      {},
      'model.topology',
      /Conv2DBackpropFilter.*backend: cpu/,
    ],
    ...['1', '1.5', '-0.5'].map((rate): [string, unknown, Parameters<typeof taskWith>[1], string, RegExp] => [
      `a dropout rate of ${rate}`,
      sequential(F, [layer('Dropout', 'one', { rate: Number(rate) }), score]),
      {},
      'model.topology',
      /rate does not fit: give a number from 0, under 1/,
    ]),
    [
      'an epsilon under 0',
      sequential(F, [layer('LayerNormalization', 'one', { epsilon: -1 }), score]),
      {},
      'model.topology',
      /epsilon does not fit: give a number over 0/,
    ],
    [
      'a momentum over 1',
      sequential(F, [layer('BatchNormalization', 'one', { momentum: 2 }), score]),
      {},
      'model.topology',
      /momentum does not fit: give a number from 0 to 1/,
    ],
    ['unseeded noise', sequential(F, [layer('GaussianNoise', 'one'), score]), {}, 'model.topology', /use Dropout/],
    ['a model inside', sequential(F, [layer('Sequential', 'one'), score]), {}, 'model.topology', /one by one/],
    [
      'a frozen layer',
      sequential(F, [dense('one', 4), { ...score, config: { ...score.config, trainable: false } }]),
      {},
      'model.topology',
      /trainable true/,
    ],
    [
      'a penalty of its own',
      sequential(F, [layer('Dense', 'one', { kernel_regularizer: { class_name: 'L2' } }), score]),
      {},
      'model.topology',
      /model\.l2/,
    ],
    [
      'an option that would be ignored',
      sequential(F, [layer('GRU', 'one', { units: 2, reset_after: false, stateful: true }), score]),
      {},
      'model.topology',
      /stateful is not read/,
    ],
    [
      'half precision',
      sequential(F, [layer('Dense', 'one', { dtype: 'float16' }), score]),
      {},
      'model.topology',
      /float32/,
    ],
    [
      'an activation that is no function of ours',
      sequential(F, [dense('one', 4, 'constructor'), score]),
      {},
      'model.topology',
      /activation constructor does not fit: give one of elu, /,
    ],
    [
      'a head of two units',
      sequential(COLUMNS, [dense('one', 4), dense('score', 2, 'sigmoid')]),
      {},
      'model.topology',
      /units: 1/,
    ],
    [
      'a head that is no Dense',
      sequential(COLUMNS, [dense('one', 4), layer('Activation', 'score', { activation: 'sigmoid' })]),
      {},
      'model.topology',
      /last layer/,
    ],
    [
      'a weight of no layer',
      sequential(COLUMNS, two),
      { weights: [{ name: 'other/kernel', shape: [1] }] },
      'model.weights.0.name',
      /no such layer/,
    ],
    [
      'a weight named twice',
      sequential(COLUMNS, two),
      { weights: [1, 2].map(() => ({ name: 'one/bias', shape: [4] })) },
      'model.weights.1.name',
      /twice/,
    ],
    [
      'moving statistics under Adam',
      sequential(COLUMNS, [norm, score]),
      { strategy: adam, weights: [{ name: 'norm/gamma', shape: [COLUMNS] }] },
      'model.topology',
      /LayerNormalization, or fedavg/,
    ],
    [
      'ridge',
      sequential(COLUMNS, two),
      { strategy: { name: 'ridge', featureBound: 20, entryBits: 32 } },
      'model.kind',
      /kind: dense/,
    ],
  ])('%s is refused', (_, topology, more, path, advice) => {
    expect(() => taskWith(topology, more)).toThrow(advice);
    expect(() => taskWith(topology, more)).toThrow(
      expect.objectContaining({ fields: expect.objectContaining({ path }) }),
    );
  });
});

describe('a hostile topology', () => {
  const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });
  const named = (entry: KerasEntry, name: unknown): KerasEntry => ({ ...entry, config: { ...entry.config, name } });
  const cycle = functional(F, [
    [dense('one', 4), 'two'],
    [dense('two', 4), 'one'],
    [score, 'two'],
  ]);
  const many = Array.from({ length: 200 }, (_, i) => dense(`d${i}`, 1));
  test.each<[string, unknown]>([
    ['nested too deep', { ...sequential(F, two), more: nested(30) }],
    ['of many values', { ...sequential(F, two), more: Array.from({ length: 40_000 }, () => 0) }],
    ['of much text', { ...sequential(F, two), more: 'x'.repeat(300_000) }],
    ['with a prototype', JSON.parse('{"class_name":"Sequential","config":{"__proto__":{"layers":[]}}}')],
    ['with a constructor', { ...sequential(F, two), more: { constructor: { prototype: {} } } }],
    ['that reads from nowhere', functional(F, [[score, 'nowhere']])],
    ['that goes in a circle', cycle],
    ['that uses a layer twice', { ...functional(F, [[score, 'row']]), class_name: 'Model' }],
    [
      'with a layer that leads nowhere',
      functional(F, [
        [dense('one', 4), 'row'],
        [score, 'row'],
      ]),
    ],
    ['with two layers of a name', sequential(F, [dense('one', 4), dense('one', 4), score])],
    ['with a layer called toString', sequential(F, [named(score, 'toString')])],
    ['with a layer called by a path', sequential(F, [named(score, '../score')])],
    ['with a name that is no text', sequential(F, [named(score, ['score'])])],
    ['of 200 layers', sequential(F, [...many, score])],
    ['of a million columns', sequential(1_000_000, two)],
    ['of no columns', sequential(0, two)],
    ['with a million units', sequential(F, [dense('one', 1e6), score])],
    ['with half a unit', sequential(F, [dense('one', 0.5), score])],
    ['that is a list', []],
    ['that is nothing', null],
    ['whose layers are a text', { class_name: 'Sequential', config: { layers: 'Dense' } }],
  ])('%s is refused when it is read', (name, topology) => {
    const twice = topology as { config?: { layers?: { inbound_nodes?: unknown[] }[] } };
    if (name.includes('twice')) twice.config?.layers?.at(-1)?.inbound_nodes?.push([['row', 0, 0, {}]]);
    const start = performance.now();
    expect(() => taskWith(topology, { weights: [{ name: 'score/kernel', shape: [1, 1] }] })).toThrow('TASK_INVALID');
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['two giants', sequential(F, [dense('one', 65_000), dense('two', 65_000), score]), /parameters/],
    [
      'a giant without weights',
      sequential(F, [layer('RepeatVector', 'one', { n: 65_000 }), layer('Flatten', 'two'), score]),
      /numbers/,
    ],
    [
      'a walk of many steps',
      sequential(300, [
        layer('Reshape', 'one', { target_shape: [300, 1] }),
        layer('GRU', 'two', { units: 1, reset_after: false }),
        score,
      ]),
      /300 steps/,
    ],
    [
      'a shape that does not fit',
      sequential(F, [layer('Reshape', 'one', { target_shape: [7] }), score]),
      /MODEL_UNTRAINABLE/,
    ],
  ])('%s is refused before it is made', async (_, topology, reason) => {
    const { columns } = topologyOf(topology);
    const model = layersModel(topology, { 'score/kernel': [100, 1], 'score/bias': [1] });
    const start = performance.now();
    await expect(createTrainer({ model }, columns)).rejects.toThrow(reason);
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });
});
