// Keras's activations, by its names, as operators of ONNX's opset 13.
import type { Ops } from './onnx-graph.ts';

type Make = (ops: Ops, input: string) => string;

const plain =
  (type: string, attributes = {}): Make =>
  (ops, input) =>
    ops.op(type, [input], attributes);

const number = (ops: Ops, value: number): string => ops.floats(Float32Array.of(value), []);

/** x·Φ(x), by the error function: not the approximation by tanh. */
const gelu: Make = (ops, x) => {
  const erf = ops.op('Erf', [ops.op('Div', [x, number(ops, Math.SQRT2)])]);
  const half = ops.op('Mul', [ops.op('Add', [erf, number(ops, 1)]), number(ops, 0.5)]);
  return ops.op('Mul', [x, half]);
};

export const ACTIVATION_OPS: ReadonlyMap<string, Make> = new Map<string, Make>([
  ['linear', (_, x) => x],
  ['relu', plain('Relu')],
  ['relu6', (ops, x) => ops.op('Min', [ops.op('Relu', [x]), number(ops, 6)])],
  ['elu', plain('Elu', { alpha: 1 })],
  ['selu', plain('Selu')],
  ['gelu', gelu],
  ['sigmoid', plain('Sigmoid')],
  ['hard_sigmoid', plain('HardSigmoid', { alpha: 0.2, beta: 0.5 })],
  ['tanh', plain('Tanh')],
  ['softplus', plain('Softplus')],
  ['softsign', plain('Softsign')],
  ['softmax', plain('Softmax', { axis: -1 })],
  ['swish', (ops, x) => ops.op('Mul', [x, ops.op('Sigmoid', [x])])],
  ['mish', (ops, x) => ops.op('Mul', [x, ops.op('Tanh', [ops.op('Softplus', [x])])])],
]);
