// What every export format is written from: a model's weights by name, and its layers as one graph whatever kind it is.
import type { Model } from '../model.ts';
import type { TaskDocument } from '../task.ts';
import { type Topology, topologyOf } from '../topology.ts';

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** One file of an export. */
export interface ExportFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** In layout order; the values are views of the model's. */
export function tensorsOf({ layout, weights }: Model): NamedTensor[] {
  let at = 0;
  return layout.map(({ name, shape }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = weights.subarray(at, at + size);
    at += size;
    return { name, shape, values };
  });
}

/** A variance that averaging and rounding left just under zero counts as zero, as it does when the federation scores. */
export const scoringTensors = (model: Model): NamedTensor[] =>
  tensorsOf(model).map(({ name, shape, values }) => ({
    name,
    shape,
    values: name.endsWith('/moving_variance') ? values.map((x) => Math.max(0, x)) : values,
  }));

/** A dense model is the graph of its layers in a row, with the names that its layout has. */
export function graphOf(model: TaskDocument['model'], columns: number): Topology {
  if (model.kind === 'tfjs-layers') return topologyOf(model.topology);
  const layers = model.layers.map(({ units, activation }, i) => ({
    name: `dense_${i}`,
    type: 'Dense',
    options: { units, activation },
    inputs: [i === 0 ? 'features' : `dense_${i - 1}`],
  }));
  return { input: 'features', columns, layers };
}

/** Little-endian whatever the machine's own order. */
export function float32Bytes(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setFloat32(4 * i, value, true);
  });
  return bytes;
}
