// Sums of per-customer gradients, each clipped on its own, without ever holding one: "ghost" norms, then one pass.
import * as tf from '@tensorflow/tfjs-core';
import type { ModelLayout } from '../../protocol/learning/model.ts';
import { outputOf } from '../../protocol/learning/output.ts';
import type { ClippedSum, ClippedSumInput, Labels } from '../../protocol/learning/strategies/strategy.ts';
import type { TaskDocument } from '../../protocol/learning/task.ts';
import { backThrough, createLayers, type Dense, disposeLayers, forward } from './dense.ts';
import { targetsOf, weightOf } from './targets.ts';

/** Of other kinds of models, a customer's gradient has no such norm: the strategies that need one refuse them. */
type DenseTask = Extract<TaskDocument['model'], { kind: 'dense' }>;

/** What a layer's part of every customer's gradient is made of: the outer product of the two, and delta for the bias. */
interface LayerSignals {
  readonly units: number;
  readonly inputs: number;
  /** rows × inputs */
  readonly activations: Float32Array;
  /** rows × units */
  readonly deltas: Float32Array;
}

/** Rows that go through the network in one go: bounds the memory. A row's result does not depend on its neighbours. */
const PASS_ROWS = 1_024;

/**
 * Adds up the gradients of the task's loss without its l2 penalty, each cut down to clipNorm and rounded to whole units of
 * 1/unitsPerGradient: whole numbers below 2^53, so the sum is exact and leaves no trace of order (Casacuberta et al.,
 * "Widespread Underestimation of Sensitivity in Differentially Private Libraries", 2022).
 */
export function clippedSum(model: DenseTask, layout: ModelLayout, input: ClippedSumInput): ClippedSum {
  const features = layout[0]?.shape[0] ?? 0;
  const rows = input.labels.length;
  const sum = new Float64Array(input.weights.length);
  const { units } = outputOf(model);
  const scores = new Float32Array(rows * units);
  const network = createLayers(model, layout, input.weights);
  try {
    for (let start = 0; start < rows; start += PASS_ROWS) {
      const end = Math.min(start + PASS_ROWS, rows);
      const labels = input.labels.subarray(start, end);
      const matrix = input.features.subarray(start * features, end * features);
      const pass = signalsOf(network, model, matrix, labels);
      scores.set(pass.scores, start * units);
      addClipped(pass.layers, clipFactors(pass.layers, labels.length, input.clipNorm), input.unitsPerGradient, sum);
    }
  } finally {
    disposeLayers(network);
  }
  return { sum, scores };
}

/** L2 norm of every row's gradient: |g|² = Σ over layers (|input|² + 1)·|delta|². */
function ghostNorms(layers: readonly LayerSignals[], rows: number): Float64Array {
  const squares = new Float64Array(rows);
  for (const { inputs, units, activations, deltas } of layers) {
    for (let r = 0; r < rows; r++) {
      const input = 1 + squareOf(activations, r * inputs, inputs);
      squares[r] = (squares[r] ?? 0) + input * squareOf(deltas, r * units, units);
    }
  }
  return squares.map(Math.sqrt);
}

function squareOf(values: Float32Array, from: number, length: number): number {
  let sum = 0;
  for (let i = from; i < from + length; i++) sum += (values[i] ?? 0) * (values[i] ?? 0);
  return sum;
}

/** A gradient that is not finite counts as none: whether there was one must not be told by a failure. */
function clipFactors(layers: readonly LayerSignals[], rows: number, clipNorm: number): Float64Array {
  return ghostNorms(layers, rows).map((norm) => (Number.isFinite(norm) ? Math.min(1, clipNorm / norm) : 0));
}

/** Forward and back through the network: as a step of SGD, but nothing is summed over rows. */
function signalsOf(
  network: readonly Dense[],
  model: DenseTask,
  matrix: Float32Array,
  labels: Labels,
): { layers: LayerSignals[]; scores: Float32Array } {
  const rows = labels.length;
  const layers: LayerSignals[] = [];
  const scores = tf.tidy(() => {
    const x = tf.tensor2d(matrix, [rows, matrix.length / rows]);
    const outputs = forward(network, x);
    const score = outputs[network.length] ?? x;
    const { units } = outputOf(model);
    const target = tf.tensor2d(targetsOf(labels, units), [rows, units]);
    const weights = Float32Array.from(labels, (y) => weightOf(y, model.positiveWeight));
    let delta: tf.Tensor2D = tf.mul(tf.sub(score, target), tf.tensor2d(weights, [rows, 1]));
    for (let i = network.length - 1; i >= 0; i--) {
      const [layer, input, below] = [network[i], outputs[i], network[i - 1]];
      if (!layer || !input) continue;
      const [inputs, units] = layer.kernel.shape;
      // the first layer's input is the matrix itself: no copy out of the tensor
      const activations = i === 0 ? matrix : (input.dataSync() as Float32Array);
      layers.unshift({ inputs, units, activations, deltas: delta.dataSync() as Float32Array });
      if (below) delta = backThrough(tf.matMul(delta, layer.kernel, false, true), input, below.activation);
    }
    return score.dataSync() as Float32Array;
  });
  return { layers, scores };
}

/** Adding and taking it away rounds |x| < 2^51 to the nearest whole number: faster than Math.round, ties to even. */
const ROUNDER = 1.5 * 2 ** 52;

function addClipped(
  layers: readonly LayerSignals[],
  factors: Float64Array,
  unitsPerGradient: number,
  sum: Float64Array,
): void {
  let at = 0;
  for (const layer of layers) {
    const size = (layer.inputs + 1) * layer.units;
    const part = sum.subarray(at, at + size);
    const delta = new Float64Array(layer.units);
    for (let r = 0; r < factors.length; r++) {
      const factor = (factors[r] ?? 0) * unitsPerGradient;
      if (factor === 0) continue;
      for (let u = 0; u < layer.units; u++) delta[u] = factor * (layer.deltas[r * layer.units + u] ?? 0);
      addRow(layer.activations.subarray(r * layer.inputs, (r + 1) * layer.inputs), delta, part);
    }
    at += size;
  }
}

/** One customer's part of a layer: kernel row after row, then the bias. */
function addRow(inputs: Float32Array, delta: Float64Array, part: Float64Array): void {
  const units = delta.length;
  let at = 0;
  for (let i = 0; i < inputs.length; i++, at += units) {
    const input = inputs[i] ?? 0;
    if (input === 0) continue; // most columns are one-hot
    for (let u = 0; u < units; u++) part[at + u] = (part[at + u] ?? 0) + (input * (delta[u] ?? 0) + ROUNDER - ROUNDER);
  }
  for (let u = 0; u < units; u++) part[at + u] = (part[at + u] ?? 0) + ((delta[u] ?? 0) + ROUNDER - ROUNDER);
}
