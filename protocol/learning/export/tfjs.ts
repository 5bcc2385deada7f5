// The model.json and weights.bin of TensorFlow.js, which tf.loadLayersModel and tensorflowjs_converter read.
import { concatBytes, utf8ToBytes } from '../../bytes.ts';
import type { LayerOptions } from '../layer-options.ts';
import { LAYER_RULES } from '../layer-rules.ts';
import type { Layer, Topology } from '../topology.ts';
import { type ExportFile, float32Bytes, type NamedTensor } from './tensors.ts';

const WEIGHTS = 'weights.bin';

/**
 * The graph as this federation trained it, in Keras 2's words: a topology of Keras 3 reads the same afterwards, and initialisers,
 * which nobody used, are gone.
 */
export function tfjsFiles(
  graph: Topology,
  tensors: readonly NamedTensor[],
  notes: Readonly<Record<string, string>>,
): ExportFile[] {
  const model = {
    format: 'layers-model',
    generatedBy: 'concordat/1',
    convertedBy: null,
    modelTopology: {
      class_name: 'Functional',
      config: configOf(graph),
      keras_version: '2.15.0',
      backend: 'tensorflow',
    },
    weightsManifest: [
      { paths: [WEIGHTS], weights: tensors.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })) },
    ],
    userDefinedMetadata: notes,
  };
  return [
    { name: 'model.json', bytes: utf8ToBytes(`${JSON.stringify(model, undefined, 2)}\n`) },
    { name: WEIGHTS, bytes: concatBytes(...tensors.map(({ values }) => float32Bytes(values))) },
  ];
}

function configOf({ input, columns, layers }: Topology) {
  const config = { name: input, batch_input_shape: [null, columns], dtype: 'float32', sparse: false };
  return {
    name: 'concordat',
    layers: [{ class_name: 'InputLayer', name: input, config, inbound_nodes: [] }, ...layers.map(layerJson)],
    input_layers: [[input, 0, 0]],
    output_layers: [[layers.at(-1)?.name, 0, 0]],
  };
}

const layerJson = ({ type, name, options, inputs }: Layer) => ({
  class_name: type,
  name,
  config: { name, trainable: true, dtype: 'float32', ...ALOUD[type], ...optionsJson(type, options) },
  inbound_nodes: [inputs.map((from) => [from, 0, 0, {}])],
});

/** Said aloud where Python's Keras takes something else for granted than TensorFlow.js, which trained it. */
const ALOUD: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  GRU: { reset_after: false },
};

/** TensorFlow.js wants the one axis of Keras 3's list as a number. */
function optionsJson(type: string, options: LayerOptions): Record<string, unknown> {
  const kinds = LAYER_RULES.get(type)?.options ?? {};
  const entries = Object.entries(options).map(([key, value]) => {
    const [only, second] = Array.isArray(value) && kinds[key] === 'axis' ? value : [];
    return [key, only !== undefined && second === undefined ? only : value] as const;
  });
  return Object.fromEntries(entries);
}
