// Topologies as Keras writes them, and tasks' models made of them.
import type { LayersModel } from '../../protocol/learning/task.ts';

export interface KerasEntry {
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly name?: string;
  readonly inbound_nodes?: unknown;
}

export const layer = (class_name: string, name: string, config: object = {}): KerasEntry => ({
  class_name,
  config: { name, trainable: true, dtype: 'float32', ...config },
});

export const dense = (name: string, units: number, activation = 'linear'): KerasEntry =>
  layer('Dense', name, {
    units,
    activation,
    use_bias: true,
    kernel_initializer: { class_name: 'GlorotUniform', config: { seed: null } },
    bias_initializer: { class_name: 'Zeros', config: {} },
    kernel_regularizer: null,
    bias_constraint: null,
  });

/** Keras 2: the first layer carries the shape of a row. */
export function sequential(columns: number, layers: readonly KerasEntry[]): Record<string, unknown> {
  const [first, ...rest] = layers;
  const shaped = first && { ...first, config: { ...first.config, batch_input_shape: [null, columns] } };
  return {
    class_name: 'Sequential',
    config: { name: 'sequential', layers: [shaped, ...rest] },
    keras_version: '2.15.0',
    backend: 'tensorflow',
  };
}

/** Keras 2: each layer with the names of its inputs. */
export function functional(
  columns: number,
  layers: readonly (readonly [KerasEntry, ...string[]])[],
): Record<string, unknown> {
  const nameOf = (entry: KerasEntry | undefined) => String(entry?.config.name);
  const input = layer('InputLayer', 'row', { batch_input_shape: [null, columns], sparse: false, ragged: false });
  return {
    class_name: 'Functional',
    config: {
      name: 'model',
      layers: [
        { ...input, name: 'row', inbound_nodes: [] },
        ...layers.map(([entry, ...inputs]) => ({
          ...entry,
          name: nameOf(entry),
          inbound_nodes: [inputs.map((from) => [from, 0, 0, {}])],
        })),
      ],
      input_layers: [['row', 0, 0]],
      output_layers: [[nameOf(layers.at(-1)?.[0]), 0, 0]],
    },
  };
}

type Weights = Readonly<Record<string, readonly number[]>>;

export const layersModel = (
  topology: Record<string, unknown>,
  weights: Weights,
  more: Partial<LayersModel> = {},
): LayersModel => ({
  kind: 'tfjs-layers',
  topology,
  weights: Object.entries(weights).map(([name, shape]) => ({ name, shape: [...shape] })),
  loss: 'sigmoid-cross-entropy',
  positiveWeight: 1,
  l2: 0,
  ...more,
});
