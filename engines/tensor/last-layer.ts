// What the last dense layer of a model is fed: for tuning that layer alone, with all layers under it as they are.
import * as tf from '@tensorflow/tfjs-core';
import type { Backend } from '../../protocol/learning/layers-model.ts';
import { layoutOf, parameterCount } from '../../protocol/learning/model.ts';
import type { DenseModel } from '../../protocol/learning/task.ts';
import { startTensorBackend, useTensorBackend } from './backend.ts';
import { createLayers, disposeLayers, forward } from './dense.ts';

export interface LastLayer {
  /** A model of its own: one layer. */
  readonly model: DenseModel;
  /** Units of the layer before it; the columns of a row when there is none. */
  readonly inputs: number;
  /** Where its weights begin in those of the whole model; they are the last. */
  readonly from: number;
}

/** @param columns of a row */
export function lastLayerOf(model: DenseModel, columns: number): LastLayer {
  const [last] = model.layers.slice(-1);
  if (last === undefined) throw new RangeError('a model has layers');
  const inputs = model.layers.at(-2)?.units ?? columns;
  const from = parameterCount(layoutOf({ model }, columns)) - (inputs + 1) * last.units;
  return { model: { ...model, layers: [last] }, inputs, from };
}

/** rows × inputs of the last layer. @throws ConcordatError TENSOR_BACKEND_WRONG, TENSOR_BACKEND_MISSING */
export async function lastLayerInputs(
  { model, backend }: { readonly model: DenseModel; readonly backend: Backend },
  columns: number,
  weights: Float32Array,
  features: Float32Array,
): Promise<Float32Array> {
  if (model.layers.length === 1) return features;
  await startTensorBackend(backend);
  useTensorBackend(backend);
  const layers = createLayers(model, layoutOf({ model }, columns), weights);
  try {
    return tf.tidy(() => {
      const rows = tf.tensor2d(features, [features.length / columns, columns]);
      const inputs = forward(layers, rows).at(-2);
      return inputs === undefined ? features : Float32Array.from(inputs.dataSync());
    });
  } finally {
    disposeLayers(layers);
  }
}
