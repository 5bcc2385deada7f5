// Builds the layers of a topology with @tensorflow/tfjs-layers, one factory per layer that is allowed: nothing is looked up by name
// in the library, so nothing but these can ever be made. What comes out holds no weights yet but zeros.
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ConcordatError } from '../../protocol/errors.ts';
import type { OptionValue } from '../../protocol/learning/layer-options.ts';
import { LAYER_RULES, type OptionKind } from '../../protocol/learning/layer-rules.ts';
import { type ModelLayout, parameterCount } from '../../protocol/learning/model.ts';
import type { Layer, Topology } from '../../protocol/learning/topology.ts';
import { LIMITS } from '../../protocol/params.ts';

export type KerasLayer = tfl.layers.Layer;

export interface BuiltLayer {
  readonly layer: KerasLayer;
  readonly inputs: readonly string[];
}

/** Names and weights: `layer/weight`, whatever the library calls its cells. */
export type BuiltWeights = ReadonlyMap<string, tfl.LayerVariable>;

export interface BuiltModel {
  readonly input: string;
  /** By name, each after its inputs. */
  readonly layers: ReadonlyMap<string, BuiltLayer>;
  readonly weights: BuiltWeights;
}

// biome-ignore lint/suspicious/noExplicitAny: options were checked by the layer's rule; the library's types differ from layer to layer
type Factory = (options: any) => unknown;

const { layers } = tfl;
const FACTORIES: ReadonlyMap<string, Factory> = new Map<string, Factory>([
  ['Dense', layers.dense],
  ['Activation', layers.activation],
  ['ReLU', layers.reLU],
  ['LeakyReLU', layers.leakyReLU],
  ['ELU', layers.elu],
  ['PReLU', layers.prelu],
  ['Softmax', layers.softmax],
  ['Dropout', layers.dropout],
  ['SpatialDropout1D', layers.spatialDropout1d],
  ['BatchNormalization', layers.batchNormalization],
  ['LayerNormalization', layers.layerNormalization],
  ['Flatten', layers.flatten],
  ['Reshape', layers.reshape],
  ['Permute', layers.permute],
  ['RepeatVector', layers.repeatVector],
  ['Rescaling', layers.rescaling],
  ['Add', layers.add],
  ['Multiply', layers.multiply],
  ['Average', layers.average],
  ['Maximum', layers.maximum],
  ['Minimum', layers.minimum],
  ['Concatenate', layers.concatenate],
  ['MaxPooling1D', layers.maxPooling1d],
  ['AveragePooling1D', layers.averagePooling1d],
  ['MaxPooling2D', layers.maxPooling2d],
  ['AveragePooling2D', layers.averagePooling2d],
  ['GlobalMaxPooling1D', layers.globalMaxPooling1d],
  ['GlobalAveragePooling1D', layers.globalAveragePooling1d],
  ['GlobalMaxPooling2D', layers.globalMaxPooling2d],
  ['GlobalAveragePooling2D', layers.globalAveragePooling2d],
  ['SimpleRNN', layers.simpleRNN],
  ['GRU', layers.gru],
  ['LSTM', layers.lstm],
  ['Conv1D', layers.conv1d],
  ['Conv2D', layers.conv2d],
  ['DepthwiseConv2D', layers.depthwiseConv2d],
]);

/** Numbers of one row that all layers together put out: bounds the memory of a pass, and the steps of a recurrent layer. */
const MAX_ROW_VALUES = 32_768;
const MAX_STEPS = 256;
const RECURRENT = new Set(['SimpleRNN', 'GRU', 'LSTM']);

const untrainable = (detail: string, cause?: unknown) =>
  new ConcordatError('MODEL_UNTRAINABLE', detail, {}, cause === undefined ? {} : { cause });

const camel = (key: string): string => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Zeros, as long as the weights asked for so far are no more than the task names: a giant is refused before it is made. */
function createZeros(parameters: number) {
  const zeros = tfl.initializers.zeros();
  const make = zeros.apply.bind(zeros);
  let left = parameters;
  zeros.apply = (shape, dtype) => {
    left -= shape.reduce((a: number, b) => a * (b ?? 1), 1);
    if (left < 0)
      throw untrainable(
        `the layers have more than ${parameters} parameters, which is what model.weights names, or the most there may be`,
      );
    return make(shape, dtype);
  };
  return zeros;
}

/** The library writes words in camel case, and one axis as a number. */
function asTheLibrary(value: OptionValue, kind: OptionKind | undefined): unknown {
  if (typeof value === 'string') return camel(value);
  if (!Array.isArray(value)) return value;
  return kind === 'axis' && value.length === 1 ? value[0] : [...value];
}

function createLayer({ type, name, options }: Layer, zeros: unknown): KerasLayer {
  const factory = FACTORIES.get(type);
  const rule = LAYER_RULES.get(type);
  if (!factory || !rule) throw untrainable(`layer ${type} is not built here`);
  const config: Record<string, unknown> = { name };
  for (const [key, value] of Object.entries(options)) config[camel(key)] = asTheLibrary(value, rule.options[key]);
  for (const key of rule.initializers) config[camel(key)] = zeros;
  if (type === 'LSTM') config.unitForgetBias = false; // only a start, and the start is the federation's
  return factory(config) as KerasLayer;
}

/** TensorFlow.js fails at others, half-way through a step or only when scoring. */
const ALONG_THE_LAST = new Set(['BatchNormalization', 'Softmax']);

function requireLastAxis({ type, name, options }: Layer, shape: tfl.Shape = []): void {
  const axes = [options.axis ?? -1].flat();
  const last = axes.length === 1 && (axes[0] === -1 || axes[0] === shape.length - 1);
  if (ALONG_THE_LAST.has(type) && !last)
    throw untrainable(
      `${type} ${name}: axis ${axes.join(', ')} of [rows, ${shape.slice(1).join(', ')}]: only the last axis, -1, is computed: Permute before and after it`,
    );
}

function connect(layer: KerasLayer, type: string, inputs: readonly tfl.SymbolicTensor[]): tfl.SymbolicTensor {
  const [only, second] = inputs;
  if (RECURRENT.has(type) && (only?.shape[1] ?? 0) > MAX_STEPS)
    throw untrainable(`layer ${layer.name}: ${only?.shape[1]} steps, at most ${MAX_STEPS}`);
  const output = layer.apply(only && second === undefined ? only : [...inputs]);
  if (Array.isArray(output)) throw untrainable(`layer ${layer.name} has several outputs`);
  return output as tfl.SymbolicTensor;
}

function weightsOf(built: BuiltModel['layers']): BuiltWeights {
  const named = [...built].flatMap(([name, { layer }]) =>
    layer.weights.map((weight) => [`${name}/${weight.originalName.split('/').at(-1)}`, weight] as const),
  );
  return new Map(named);
}

/** What is wrong, said by name: the task's author mends the list from it. */
function checkWeights(built: BuiltWeights, layout: ModelLayout): void {
  const text = (shape: readonly (number | null)[]) => `[${shape.join(', ')}]`;
  for (const { name, shape } of layout) {
    const weight = built.get(name);
    if (!weight)
      throw untrainable(`model.weights: the layers have no ${name}; they have ${[...built.keys()].join(', ')}`);
    if (text(weight.shape) !== text(shape))
      throw untrainable(`model.weights: ${name} is ${text(weight.shape)}, not ${text(shape)}`);
  }
  const named = new Set(layout.map(({ name }) => name));
  const missing = [...built].find(([name]) => !named.has(name));
  if (missing) throw untrainable(`model.weights: ${missing[0]} ${text(missing[1].shape)} is missing`);
}

function build({ input, columns, layers: list }: Topology, zeros: unknown): Map<string, BuiltLayer> {
  const outputs = new Map([[input, tfl.input({ shape: [columns], name: input })]]);
  const built = new Map<string, BuiltLayer>();
  let values = 0;
  for (const description of list) {
    const { name, type, inputs } = description;
    const layer = createLayer(description, zeros);
    built.set(name, { layer, inputs });
    const given = inputs.flatMap((from) => outputs.get(from) ?? []);
    requireLastAxis(description, given[0]?.shape);
    const output = connect(layer, type, given);
    outputs.set(name, output);
    values += output.shape.reduce((a: number, b) => a * (b ?? 1), 1);
    if (!(values <= MAX_ROW_VALUES))
      throw untrainable(`layer ${name}: a row passes through ${values} numbers, at most ${MAX_ROW_VALUES}`);
  }
  return built;
}

/**
 * The caller must `disposeBuilt`.
 * @throws ConcordatError MODEL_UNTRAINABLE when the layers do not fit together, or have other weights than `layout`
 */
export function buildLayers(topology: Topology, layout: ModelLayout): BuiltModel {
  return orNothing(() => {
    const built = buildWithin(topology, parameterCount(layout));
    checkWeights(built.weights, layout);
    return built;
  });
}

/**
 * The weights that a topology's layers have, for its author.
 * @throws ConcordatError MODEL_UNTRAINABLE
 */
export function layoutOfTopology(topology: Topology): ModelLayout {
  const built = orNothing(() => buildWithin(topology, LIMITS.maxModelParameters));
  const layout = [...built.weights].map(([name, { shape }]) => ({ name, shape: shape.map((size) => size ?? 0) }));
  disposeBuilt(built);
  return layout;
}

function buildWithin(topology: Topology, parameters: number): BuiltModel {
  const layers = tidily(() => build(topology, createZeros(parameters)));
  return { input: topology.input, layers, weights: weightsOf(layers) };
}

/** Leaves no variable behind when it fails: a layer that fails half-way does not tell which it has. */
function orNothing(make: () => BuiltModel): BuiltModel {
  const before = new Set(variables());
  try {
    return make();
  } catch (cause) {
    tf.dispose(variables().filter((variable) => !before.has(variable)));
    throw cause instanceof ConcordatError ? cause : untrainable((cause as Error).message.split('\n')[0] ?? '', cause);
  }
}

/** What the library leaves lying about is swept up; variables stay. */
function tidily<T>(make: () => T): T {
  const made: T[] = [];
  tf.tidy(() => {
    made.push(make());
  });
  return made[0] as T;
}

const variables = (): tf.Variable[] => Object.values(tf.engine().registeredVariables);

export function disposeBuilt({ weights }: BuiltModel): void {
  for (const weight of weights.values()) weight.dispose();
}
