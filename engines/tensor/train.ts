// Local training and scoring. Deterministic: the same weights, rows, seed and backend give the same bits in any process.
import assert from 'node:assert';
import { setImmediate as breathe } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Backend } from '../../protocol/learning/layers-model.ts';
import { layoutOf, type ModelLayout, parameterCount } from '../../protocol/learning/model.ts';
import { outputOf } from '../../protocol/learning/output.ts';
import { createPrng, shuffled } from '../../protocol/learning/prng.ts';
import type { FitInput, LocalTrainer } from '../../protocol/learning/strategies/strategy.ts';
import type { TaskDocument } from '../../protocol/learning/task.ts';
import { startTensorBackend, useTensorBackend } from './backend.ts';
import { denseKind } from './dense.ts';
import { clippedSum } from './ghost.ts';
import type { Network, NetworkKind } from './network.ts';
import { pullOf } from './pull.ts';
import { targetsOf, weightOf } from './targets.ts';

/** The part of a task that decides what a network is; how it is trained comes with each fit. */
export type TrainingPlan = Pick<TaskDocument, 'model'> & { readonly backend?: Backend };

export interface Trainer extends LocalTrainer {
  readonly layout: ModelLayout;
}

/** Rows scored in one go: bounds the memory a large hold-out takes. */
const SCORE_ROWS = 8_192;

/** A kind of network by its model; the library of Keras layers is loaded when a model asks for it (80 ms). */
async function kindOf(model: TaskDocument['model'], layout: ModelLayout, backend: Backend): Promise<NetworkKind> {
  if (model.kind === 'dense') return denseKind(model, layout);
  const { tryLayers } = await import('./layers-trial.ts');
  return tryLayers(model, backend);
}

/**
 * Starts the backend when it is not yet running. `features`: columns of a row.
 * @throws ConcordatError TENSOR_BACKEND_WRONG, TENSOR_BACKEND_MISSING, MODEL_UNTRAINABLE
 */
export async function createTrainer(plan: TrainingPlan, features: number): Promise<Trainer> {
  const { model, backend = 'wasm' } = plan;
  await startTensorBackend(backend);
  const layout = layoutOf(plan, features);
  const kind = await kindOf(model, layout, backend);
  const { units: outputs } = outputOf(model);

  function rowsOf(weights: Float32Array, matrix: Float32Array): number {
    if (weights.length !== parameterCount(layout))
      throw new ConcordatError('MODEL_MISMATCH', 'the weights do not fill the layout');
    if (matrix.length % features !== 0) throw new ConcordatError('MODEL_MISMATCH', `a row is not ${features} features`);
    return matrix.length / features;
  }

  /** One pass over all rows in the given order; the last batch may be smaller. */
  function runEpoch(network: Network, input: FitInput, order: Uint32Array): void {
    const { batchSize, learningRate } = input;
    const batch = new Float32Array(Math.min(batchSize, order.length) * features);
    for (let start = 0; start < order.length; start += batchSize) {
      const rows = order.subarray(start, start + batchSize);
      const labels = Float32Array.from(rows, (row) => input.labels[row] ?? 0);
      rows.forEach((row, i) => {
        batch.set(input.features.subarray(row * features, (row + 1) * features), i * features);
      });
      const rates = Float32Array.from(labels, (y) => (learningRate * weightOf(y, model.positiveWeight)) / rows.length);
      tf.tidy(() => {
        network.step({
          features: tf.tensor2d(batch.subarray(0, rows.length * features), [rows.length, features]),
          targets: tf.tensor2d(targetsOf(labels, outputs), [rows.length, outputs]),
          rates: tf.tensor2d(rates, [rows.length, 1]),
        });
      });
    }
  }

  async function fit(input: FitInput): Promise<Float32Array> {
    const rows = rowsOf(input.weights, input.features);
    if (rows !== input.labels.length)
      throw new ConcordatError('MODEL_MISMATCH', `${rows} rows, ${input.labels.length} labels`);
    const prng = createPrng(input.seed, 'shuffle');
    useTensorBackend(backend);
    const network = kind.open(input.weights, { pull: pullOf(input, model.l2), seed: input.seed });
    try {
      for (let epoch = 1; epoch <= input.epochs; epoch++) {
        const before = tf.memory().numTensors;
        runEpoch(network, input, shuffled(rows, prng));
        assert.equal(tf.memory().numTensors, before, 'an epoch leaked tensors');
        input.onEpoch?.(epoch);
        await breathe(); // an epoch is synchronous; the process also keeps its links alive
        useTensorBackend(backend); // another task may have trained in between
      }
      const weights = network.weights();
      if (!weights.every(Number.isFinite)) throw new ConcordatError('TRAINING_DIVERGED', 'a weight is not finite');
      return weights;
    } finally {
      network.dispose();
    }
  }

  function score(weights: Float32Array, matrix: Float32Array): Float32Array {
    const rows = rowsOf(weights, matrix);
    const scores = new Float32Array(rows * outputs);
    useTensorBackend(backend);
    const network = kind.open(weights);
    try {
      for (let start = 0; start < rows; start += SCORE_ROWS) {
        const n = Math.min(SCORE_ROWS, rows - start);
        const part = tf.tidy(() => {
          const x = tf.tensor2d(matrix.subarray(start * features, (start + n) * features), [n, features]);
          return network.forward(x).dataSync();
        });
        scores.set(part, start * outputs);
      }
      return scores;
    } finally {
      network.dispose();
    }
  }

  return {
    layout,
    fit,
    score,
    clippedSum(input) {
      rowsOf(input.weights, input.features);
      useTensorBackend(backend);
      if (model.kind !== 'dense') throw new ConcordatError('MODEL_UNTRAINABLE', 'clipped sums need kind: dense');
      return clippedSum(model, layout, input);
    },
  };
}
