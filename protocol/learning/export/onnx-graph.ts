// A graph of ONNX operators as it is put together, and its file. Field numbers: onnx/onnx.proto; operators: opset 13.
import { concatBytes, uintToBytes } from '../../bytes.ts';
import { bytesField, float, int, message, text } from './protobuf.ts';
import { float32Bytes } from './tensors.ts';

const IR_VERSION = 7;
const OPSET = 13;
const TYPES = { float: 1, int64: 7 } as const;
type ElementType = keyof typeof TYPES;

/** A tensor of the graph: rows × shape. */
export interface Value {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Whole numbers, but for those that ONNX calls floats. */
export type Attributes = Readonly<Record<string, number | readonly number[]>>;
const FLOATS: ReadonlySet<string> = new Set(['alpha', 'beta']);

export interface Graph {
  /** Names of what follows begin with this. */
  within(scope: string): Ops;
  /** @param notes free text by name: the file's metadata_props */
  file(inputs: readonly Port[], outputs: readonly Port[], notes: Readonly<Record<string, string>>): Uint8Array;
}

/** An input or output of the whole graph. */
export interface Port extends Value {
  readonly type: ElementType;
}

export interface Ops {
  /** @returns the name of the result: `as`, or one that is made up */
  op(type: string, inputs: readonly string[], attributes?: Attributes, as?: string): string;
  /** Floats of this shape. Under its own name, or one that is made up. */
  floats(values: Float32Array, shape: readonly number[], as?: string): string;
  integers(values: readonly number[]): string;
}

export function createGraph(name: string): Graph {
  const nodes: Uint8Array[] = [];
  const tensors: Uint8Array[] = [];
  let made = 0;
  return {
    within(scope) {
      const fresh = (): string => `${scope}:${made++}`;
      return {
        op(type, inputs, attributes = {}, as = fresh()) {
          nodes.push(nodeBytes(type, inputs, attributes, as));
          return as;
        },
        floats(values, shape, as = fresh()) {
          tensors.push(tensorBytes(as, shape, 'float', float32Bytes(values)));
          return as;
        },
        integers(values) {
          const as = fresh();
          const words = values.map((value) => uintToBytes(value, 8).reverse());
          tensors.push(tensorBytes(as, [values.length], 'int64', concatBytes(...words)));
          return as;
        },
      };
    },
    file(inputs, outputs, notes) {
      const graph = [
        ...nodes.map((node) => bytesField(1, node)),
        text(2, name),
        ...tensors.map((tensor) => bytesField(5, tensor)),
        ...inputs.map((port) => message(11, portBytes(port))),
        ...outputs.map((port) => message(12, portBytes(port))),
      ];
      return concatBytes(
        int(1, IR_VERSION),
        text(2, 'concordat'),
        text(3, '1'),
        message(7, ...graph),
        message(8, text(1, ''), int(2, OPSET)),
        ...Object.entries(notes).map(([key, value]) => message(14, text(1, key), text(2, value))),
      );
    },
  };
}

const nodeBytes = (type: string, inputs: readonly string[], attributes: Attributes, output: string): Uint8Array =>
  concatBytes(
    ...inputs.map((input) => text(1, input)),
    text(2, output),
    text(3, output),
    text(4, type),
    ...Object.entries(attributes).map(([name, value]) => message(5, attributeBytes(name, value))),
  );

function attributeBytes(name: string, value: number | readonly number[]): Uint8Array {
  if (typeof value !== 'number') return concatBytes(text(1, name), ...value.map((one) => int(8, one)), int(20, 7));
  if (FLOATS.has(name)) return concatBytes(text(1, name), float(2, value), int(20, 1));
  return concatBytes(text(1, name), int(3, value), int(20, 2));
}

const tensorBytes = (name: string, shape: readonly number[], type: ElementType, data: Uint8Array): Uint8Array =>
  concatBytes(...shape.map((size) => int(1, size)), int(2, TYPES[type]), text(8, name), bytesField(9, data));

/** The number of rows is left open, under one name. */
function portBytes({ name, shape, type }: Port): Uint8Array {
  const dimensions = [text(2, 'rows'), ...shape.map((size) => int(1, size))];
  const tensorType = message(1, int(1, TYPES[type]), message(2, ...dimensions.map((size) => message(1, size))));
  return concatBytes(text(1, name), message(2, tensorType));
}
