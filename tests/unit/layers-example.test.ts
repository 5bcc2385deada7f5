// The example's model of Keras layers: its block can be made from a model.json, and a small federation learns with it.
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { createTrainer } from '../../engines/tensor/train.ts';
import { COIL2000, loadTask } from '../../examples/simulation/load.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { auc } from '../../protocol/learning/metrics.ts';
import { initialModel } from '../../protocol/learning/model.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import type { TaskDocument } from '../../protocol/learning/task.ts';
import { simulateRounds } from '../../scripts/simulate.ts';
import { modelBlock } from '../../scripts/task/model.ts';
import { dense, layer, sequential } from '../helpers/keras.ts';

const example = loadTask(path.join(COIL2000, 'tasks/layers-mlp.yaml'));

test('`task model` makes the block of the example from its topology, whatever it is wrapped in', async () => {
  const { task } = await example;
  if (task.model.kind !== 'tfjs-layers') throw new Error('another kind');
  const { topology, weights } = task.model;
  const wrapped = [
    topology,
    { modelTopology: topology, format: 'layers-model', weightsManifest: [] },
    { modelTopology: { model_config: topology, keras_version: '2.15.0' } },
  ];
  for (const json of wrapped) {
    const block = await modelBlock(JSON.stringify(json), 'model.json');
    expect(block).toMatchObject({ kind: 'tfjs-layers', topology, loss: 'sigmoid-cross-entropy' });
    expect(block.weights).toEqual(weights);
  }
  const classes = sequential(4, [dense('score', 3, 'softmax')]);
  expect((await modelBlock(JSON.stringify(classes), 'model.json')).loss).toBe('softmax-cross-entropy');
  await expect(modelBlock('{', 'model.json')).rejects.toThrow('FILE_UNREADABLE');
  await expect(modelBlock('null', 'model.json')).rejects.toThrow('MODEL_UNTRAINABLE');
  const code = sequential(4, [layer('Lambda', 'code')]);
  await expect(modelBlock(JSON.stringify(code), 'model.json')).rejects.toThrow('no code is run');
});

/** Label 1 where one of the first three columns is. */
function dealer(label: string, rows: number, features: number) {
  const prng = createPrng(utf8ToBytes(label), 'dealer');
  const matrix = Float32Array.from({ length: rows * features }, () => (prng.unit() < 0.2 ? 1 : 0));
  const labels = Uint8Array.from({ length: rows }, (_, row) =>
    matrix.subarray(row * features, row * features + 3).includes(1) ? 1 : 0,
  );
  return { features: matrix, labels };
}

test.each([
  ['fedavg', {}],
  ['fedprox', { proximal: 0.05 }],
  ['scaffold', { serverLearningRate: 1, controlClipNorm: 5, dealers: 3 }],
  ['fedadam', { serverLearningRate: 0.03, beta1: 0.9, beta2: 0.99, tau: 0.001 }],
])(
  'a federation of three learns the example’s model with %s, and leaves no tensor',
  async (name, more) => {
    const { task, contract } = await example;
    const features = featureCount(contract);
    const strategy = { name, localEpochs: 2, batchSize: 16, learningRate: 0.2, ...more } as TaskDocument['strategy'];
    const trainer = await createTrainer(task, features);
    const before = tf.memory().numTensors;
    const dealers = ['a', 'b', 'c'].map((label) => dealer(label, 150, features));
    const initial = initialModel(task, contract).weights;
    const { weights } = await simulateRounds(
      { task: { ...task, strategy }, features, trainer, dealers, initial, seed: 'example' },
      3,
    );
    const holdOut = dealer('hold-out', 400, features);
    expect(auc(trainer.score(initial, holdOut.features), holdOut.labels)).toBeLessThan(0.65);
    expect(auc(trainer.score(weights, holdOut.features), holdOut.labels)).toBeGreaterThan(0.7);
    expect(tf.memory().numTensors).toBe(before);
  },
  60_000,
);
