// Local training and scoring. Deterministic: the same weights, rows, seed and backend give the same bits in any process.
import assert from 'node:assert';
import { setImmediate as breathe } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { ConcordatError } from '../../protocol/errors.ts';
import { layoutOf, type ModelLayout, parameterCount } from '../../protocol/learning/model.ts';
import { createPrng, shuffled } from '../../protocol/learning/prng.ts';
import type { FitInput, LocalTrainer } from '../../protocol/learning/strategies/strategy.ts';
import type { TaskDocument } from '../../protocol/learning/task.ts';
import { startTensorBackend } from './backend.ts';
import { clippedSum } from './ghost.ts';
import { createNetwork, type Dense, descend, disposeNetwork, forward, readWeights } from './network.ts';
import { createPull, disposePull, type Pull, pullOf } from './pull.ts';

/** The part of a task that decides what a network is; how it is trained comes with each fit. */
export type TrainingPlan = Pick<TaskDocument, 'model'>;

export interface Trainer extends LocalTrainer {
  readonly layout: ModelLayout;
}

/** Rows scored in one go: bounds the memory a large hold-out takes. */
const SCORE_ROWS = 8_192;

/** Starts the backend when it is not yet running. `features`: columns of a row. */
export async function createTrainer(plan: TrainingPlan, features: number): Promise<Trainer> {
  await startTensorBackend();
  const { model } = plan;
  const layout = layoutOf(plan, features);

  function rowsOf(weights: Float32Array, matrix: Float32Array): number {
    if (weights.length !== parameterCount(layout))
      throw new ConcordatError('MODEL_MISMATCH', 'the weights do not fill the layout');
    if (matrix.length % features !== 0) throw new ConcordatError('MODEL_MISMATCH', `a row is not ${features} features`);
    return matrix.length / features;
  }

  /** One pass over all rows in the given order; the last batch may be smaller. */
  function runEpoch(network: readonly Dense[], input: FitInput, order: Uint32Array, pull: Pull): void {
    const { batchSize, learningRate } = input;
    const batch = new Float32Array(Math.min(batchSize, order.length) * features);
    for (let start = 0; start < order.length; start += batchSize) {
      const rows = order.subarray(start, start + batchSize);
      const labels = new Float32Array(rows.length);
      const rates = new Float32Array(rows.length);
      rows.forEach((row, i) => {
        batch.set(input.features.subarray(row * features, (row + 1) * features), i * features);
        labels[i] = input.labels[row] ?? 0;
        rates[i] = (learningRate * (labels[i] === 1 ? model.positiveWeight : 1)) / rows.length;
      });
      tf.tidy(() => {
        const x = tf.tensor2d(batch.subarray(0, rows.length * features), [rows.length, features]);
        descend(network, x, tf.tensor2d(labels, [rows.length, 1]), tf.tensor2d(rates, [rows.length, 1]), pull);
      });
    }
  }

  async function fit(input: FitInput): Promise<Float32Array> {
    const rows = rowsOf(input.weights, input.features);
    if (rows !== input.labels.length)
      throw new ConcordatError('MODEL_MISMATCH', `${rows} rows, ${input.labels.length} labels`);
    const prng = createPrng(input.seed, 'shuffle');
    const network = createNetwork(model, layout, input.weights);
    const pull = createPull(network, pullOf(input, model.l2));
    try {
      for (let epoch = 1; epoch <= input.epochs; epoch++) {
        const before = tf.memory().numTensors;
        runEpoch(network, input, shuffled(rows, prng), pull);
        assert.equal(tf.memory().numTensors, before, 'an epoch leaked tensors');
        input.onEpoch?.(epoch);
        await breathe(); // an epoch is synchronous; the process also keeps its links alive
      }
      const weights = readWeights(network);
      if (!weights.every(Number.isFinite)) throw new ConcordatError('TRAINING_DIVERGED', 'a weight is not finite');
      return weights;
    } finally {
      disposeNetwork(network);
      disposePull(pull);
    }
  }

  function score(weights: Float32Array, matrix: Float32Array): Float32Array {
    const rows = rowsOf(weights, matrix);
    const scores = new Float32Array(rows);
    const network = createNetwork(model, layout, weights);
    for (let start = 0; start < rows; start += SCORE_ROWS) {
      const n = Math.min(SCORE_ROWS, rows - start);
      const part = tf.tidy(() => {
        const x = tf.tensor2d(matrix.subarray(start * features, (start + n) * features), [n, features]);
        return forward(network, x).at(-1)?.dataSync();
      });
      if (part) scores.set(part, start);
    }
    disposeNetwork(network);
    return scores;
  }

  return {
    layout,
    fit,
    score,
    clippedSum(input) {
      rowsOf(input.weights, input.features);
      return clippedSum(model, layout, input);
    },
  };
}
