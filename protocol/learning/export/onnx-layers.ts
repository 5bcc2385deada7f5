// What each Keras layer is in ONNX. Dropout is nothing when a model scores.
import { ConcordatError } from '../../errors.ts';
import type { Layer } from '../topology.ts';
import { ACTIVATION_OPS } from './onnx-activations.ts';
import type { Ops, Value } from './onnx-graph.ts';
import type { NamedTensor } from './tensors.ts';

export interface LayerContext {
  readonly layer: Layer;
  readonly inputs: readonly Value[];
  readonly ops: Ops;
  /** By name, such as first/kernel. */
  readonly tensors: ReadonlyMap<string, NamedTensor>;
}

type Translate = (context: LayerContext, input: Value) => Value;

const refused = ({ name, type }: Layer, why: string) =>
  new ConcordatError('EXPORT_UNSUPPORTED', `onnx: layer ${name}: ${why}`, { layer: name, type });

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** A weight of the layer, under its own name. undefined when the layer was told to do without. */
function weightOf(
  { layer, ops, tensors }: LayerContext,
  weight: string,
  shape?: readonly number[],
): string | undefined {
  const tensor = tensors.get(`${layer.name}/${weight}`);
  return tensor && ops.floats(tensor.values, shape ?? tensor.shape, tensor.name);
}

function required(context: LayerContext, weight: string, shape?: readonly number[]): string {
  const name = weightOf(context, weight, shape);
  if (name === undefined) throw refused(context.layer, `the model has no ${context.layer.name}/${weight}`);
  return name;
}

const constant = ({ ops }: LayerContext, value: number): string => ops.floats(Float32Array.of(value), []);

const numberOf = ({ layer }: LayerContext, option: string, byDefault: number): number =>
  Number(layer.options[option] ?? byDefault);

function activated(context: LayerContext, input: Value, activation: unknown): Value {
  const make = ACTIVATION_OPS.get(String(activation ?? 'linear'));
  if (!make) throw refused(context.layer, `the activation ${String(activation)} is not written`);
  return { name: make(context.ops, input.name), shape: input.shape };
}

const dense: Translate = (context, input) => {
  const { layer, ops } = context;
  let name = ops.op('MatMul', [input.name, required(context, 'kernel')]);
  const bias = weightOf(context, 'bias');
  if (bias !== undefined) name = ops.op('Add', [name, bias]);
  const shape = [...input.shape.slice(0, -1), Number(layer.options.units)];
  return activated(context, { name, shape }, layer.options.activation);
};

/** Axes as Keras counts them: 0 is the rows, −1 the last. */
function axesOf(context: LayerContext, input: Value): number[] {
  const said = context.layer.options.axis ?? -1;
  const rank = input.shape.length + 1;
  const axes = (Array.isArray(said) ? said : [said]).map((axis) => (Number(axis) + rank) % rank);
  if (axes.includes(0)) throw refused(context.layer, 'an axis over the rows is not written');
  return axes.sort((a, b) => a - b);
}

/** Weights of some axes, laid out so that they stretch over the others. */
const stretched = (input: Value, axes: readonly number[]): number[] =>
  input.shape.map((size, i) => (axes.includes(i + 1) ? size : 1));

/** (x − mean)/√(variance + ε)·gamma + beta, step by step: weights stay as they were published. */
function normalised(context: LayerContext, centred: string, variance: string, shape: readonly number[]): string {
  const { ops } = context;
  const epsilon = constant(context, numberOf(context, 'epsilon', 1e-3));
  let name = ops.op('Div', [centred, ops.op('Sqrt', [ops.op('Add', [variance, epsilon])])]);
  const [gamma, beta] = [weightOf(context, 'gamma', shape), weightOf(context, 'beta', shape)];
  if (gamma !== undefined) name = ops.op('Mul', [name, gamma]);
  return beta === undefined ? name : ops.op('Add', [name, beta]);
}

const batchNormalization: Translate = (context, input) => {
  const shape = stretched(input, axesOf(context, input));
  const mean = required(context, 'moving_mean', shape);
  const variance = required(context, 'moving_variance', shape);
  const centred = context.ops.op('Sub', [input.name, mean]);
  return { name: normalised(context, centred, variance, shape), shape: input.shape };
};

const layerNormalization: Translate = (context, input) => {
  const { ops } = context;
  const axes = axesOf(context, input);
  const mean = ops.op('ReduceMean', [input.name], { axes, keepdims: 1 });
  const centred = ops.op('Sub', [input.name, mean]);
  const variance = ops.op('ReduceMean', [ops.op('Mul', [centred, centred])], { axes, keepdims: 1 });
  return { name: normalised(context, centred, variance, stretched(input, axes)), shape: input.shape };
};

/** 0 stands for the rows, whose number is open. */
const reshaped = ({ ops }: LayerContext, input: Value, shape: readonly number[]): Value => ({
  name: ops.op('Reshape', [input.name, ops.integers([0, ...shape])]),
  shape,
});

const reshape: Translate = (context, input) => {
  const said = context.layer.options.target_shape;
  const shape = (Array.isArray(said) ? said : [said]).map(Number);
  const known = sizeOf(shape.filter((size) => size > 0));
  return reshaped(
    context,
    input,
    shape.map((size) => (size > 0 ? size : sizeOf(input.shape) / known)),
  );
};

const permute: Translate = ({ layer, ops }, input) => {
  const said = layer.options.dims;
  const dims = (Array.isArray(said) ? said : [said]).map(Number);
  const name = ops.op('Transpose', [input.name], { perm: [0, ...dims] });
  return { name, shape: dims.map((axis) => input.shape[axis - 1] ?? 1) };
};

const repeatVector: Translate = (context, input) => {
  const [n, columns] = [numberOf(context, 'n', 1), sizeOf(input.shape)];
  const { name } = reshaped(context, input, [1, columns]);
  return { name: context.ops.op('Expand', [name, context.ops.integers([1, n, columns])]), shape: [n, columns] };
};

const rescaling: Translate = (context, input) => {
  const scaled = context.ops.op('Mul', [input.name, constant(context, numberOf(context, 'scale', 1))]);
  const offset = constant(context, numberOf(context, 'offset', 0));
  return { name: context.ops.op('Add', [scaled, offset]), shape: input.shape };
};

const relu: Translate = (context, input) => {
  const name = context.ops.op('Relu', [input.name]);
  const { max_value } = context.layer.options;
  if (max_value === undefined) return { name, shape: input.shape };
  return { name: context.ops.op('Min', [name, constant(context, Number(max_value))]), shape: input.shape };
};

const elementwise =
  (type: string, attributes: (context: LayerContext) => Record<string, number> = () => ({})): Translate =>
  (context, input) => ({ name: context.ops.op(type, [input.name], attributes(context)), shape: input.shape });

const pRelu: Translate = (context, input) => ({
  name: context.ops.op('PRelu', [input.name, required(context, 'alpha')]),
  shape: input.shape,
});

const softmax: Translate = (context, input) => {
  const [axis = -1] = axesOf(context, input);
  return { name: context.ops.op('Softmax', [input.name], { axis }), shape: input.shape };
};

/** Keras stretches inputs of different shapes over one another by rules of its own. */
const merged =
  (type: string): Translate =>
  (context, input) => {
    const { layer, inputs, ops } = context;
    if (inputs.some(({ shape }) => String(shape) !== String(input.shape)))
      throw refused(layer, `${layer.type} of inputs of different shapes is not written`);
    const [first = '', ...rest] = inputs.map(({ name }) => name);
    // of two at a time: Mul takes no more
    const name = type === 'Mul' ? rest.reduce((a, b) => ops.op(type, [a, b]), first) : ops.op(type, [first, ...rest]);
    return { name, shape: input.shape };
  };

const concatenate: Translate = (context, input) => {
  const [axis = 1] = axesOf(context, input);
  const { inputs, ops } = context;
  const names = inputs.map(({ name }) => name);
  const length = inputs.reduce((sum, { shape }) => sum + (shape[axis - 1] ?? 0), 0);
  const shape = input.shape.map((size, i) => (i === axis - 1 ? length : size));
  return { name: ops.op('Concat', names, { axis }), shape };
};

const nothing: Translate = (_, input) => input;

/** tests/unit/export-onnx.test.ts compares each with TensorFlow.js. */
export const ONNX_LAYERS: ReadonlyMap<string, Translate> = new Map<string, Translate>([
  ['Dense', dense],
  ['Activation', (context, input) => activated(context, input, context.layer.options.activation)],
  ['ReLU', relu],
  ['LeakyReLU', elementwise('LeakyRelu', (context) => ({ alpha: numberOf(context, 'alpha', 0.3) }))],
  ['ELU', elementwise('Elu', (context) => ({ alpha: numberOf(context, 'alpha', 1) }))],
  ['PReLU', pRelu],
  ['Softmax', softmax],
  ['Dropout', nothing],
  ['SpatialDropout1D', nothing],
  ['BatchNormalization', batchNormalization],
  ['LayerNormalization', layerNormalization],
  ['Flatten', (context, input) => reshaped(context, input, [sizeOf(input.shape)])],
  ['Reshape', reshape],
  ['Permute', permute],
  ['RepeatVector', repeatVector],
  ['Rescaling', rescaling],
  ['Add', merged('Sum')],
  ['Multiply', merged('Mul')],
  ['Average', merged('Mean')],
  ['Maximum', merged('Max')],
  ['Minimum', merged('Min')],
  ['Concatenate', concatenate],
]);

/** @throws ConcordatError EXPORT_UNSUPPORTED */
export function translateLayer(context: LayerContext): Value {
  const { layer, inputs } = context;
  const translate = ONNX_LAYERS.get(layer.type);
  if (!translate) {
    const written = [...ONNX_LAYERS.keys()].join(', ');
    throw refused(layer, `${layer.type} is not written; those that are: ${written}`);
  }
  const [input] = inputs;
  if (!input) throw refused(layer, 'it has no input');
  return translate(context, input);
}
