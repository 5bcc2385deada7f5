// The model: its layout, its file, its hash, and the one every federation starts from.
import { z } from 'zod';
import { fromHex, type Hex, sha256, toHex } from '../bytes.ts';
import { decodeCbor, encodeCbor } from '../codec.ts';
import { ConcordatError } from '../errors.ts';
import { LIMITS } from '../params.ts';
import type { DataContract } from './data-contract.ts';
import { featureCount } from './features.ts';
import { initialWeight } from './layers-model.ts';
import { createPrng } from './prng.ts';
import type { Task } from './task.ts';
import { topologyOf } from './topology.ts';

export interface LayoutEntry {
  readonly name: string;
  readonly shape: readonly number[];
}
/** The weights' order and shapes. Kernels are [inputs, units] in row-major order, as TensorFlow.js has them. */
export type ModelLayout = readonly LayoutEntry[];

export interface Model {
  readonly layout: ModelLayout;
  /** All weights in layout order, parameterCount long. */
  readonly weights: Float32Array;
  /** sha256 of what the strategy carries on from this model: `strategy-state.ts`. Absent when that is nothing. */
  readonly state?: Hex;
}

const MODEL_TAG = 'concordat/1/model';
const MAX_FILE_BYTES = 4 * LIMITS.maxModelParameters + 65_536;

const modelSchema = z.strictObject({
  v: z.literal(MODEL_TAG),
  layout: z
    .array(z.strictObject({ name: z.string().min(1).max(128), shape: z.array(z.int().min(1)).min(1).max(4) }))
    .min(1)
    .max(512),
  weights: z.instanceof(Uint8Array),
  state: z.templateLiteral(['0x', z.string().regex(/^[0-9a-f]{64}$/)]).optional(),
});

const mismatch = (detail: string) => new ConcordatError('MODEL_MISMATCH', detail);

const sizeOf = (entry: LayoutEntry): number => entry.shape.reduce((a, b) => a * b, 1);

export const parameterCount = (layout: ModelLayout): number => layout.reduce((sum, entry) => sum + sizeOf(entry), 0);

/** Kernel and bias of each dense layer in turn: dense_0/kernel [F, units], dense_0/bias [units], dense_1/kernel, … */
function denseLayout(layers: readonly { readonly units: number }[], inputs: number): ModelLayout {
  let width = inputs;
  return layers.flatMap(({ units }, i): LayoutEntry[] => {
    const entries = [
      { name: `dense_${i}/kernel`, shape: [width, units] },
      { name: `dense_${i}/bias`, shape: [units] },
    ];
    width = units;
    return entries;
  });
}

/**
 * The weights of a task's model. Of Keras layers: as the task names them, since only a trainer builds the model; it refuses one
 * that has others.
 * @throws ConcordatError TASK_INVALID when the model is larger than a round can carry, or takes other columns than `inputs`
 */
export function layoutOf({ model }: Pick<Task, 'model'>, inputs: number): ModelLayout {
  const [path, layout] =
    model.kind === 'dense' ? ['model.layers', denseLayout(model.layers, inputs)] : ['model.weights', model.weights];
  const parameters = parameterCount(layout);
  if (parameters > LIMITS.maxModelParameters) {
    const detail = `${path}: ${parameters} parameters, at most ${LIMITS.maxModelParameters}: use fewer units`;
    throw new ConcordatError('TASK_INVALID', detail, { path });
  }
  if (model.kind === 'tfjs-layers') requireColumns(topologyOf(model.topology).columns, inputs);
  return layout;
}

function requireColumns(columns: number, inputs: number): void {
  if (columns === inputs) return;
  const path = 'model.topology';
  const detail = `${path}: the input takes ${columns} columns, the data contract makes ${inputs}: give it the shape [null, ${inputs}]`;
  throw new ConcordatError('TASK_INVALID', detail, { path });
}

/**
 * What round 1 starts from; anyone can recompute it. Logistic regression starts at zero (the loss is convex). Other models'
 * kernels are uniform within ±sqrt(6/(inputs+units)) (Glorot and Bengio 2010) from the task's hash: `initialWeight`.
 */
export function initialModel(task: Task, contract: DataContract): Model {
  const layout = layoutOf(task, featureCount(contract));
  const weights = new Float32Array(parameterCount(layout));
  if (task.model.kind === 'dense' && task.model.layers.length === 1) return { layout, weights };
  const prng = createPrng(fromHex(task.hash), 'initial-model');
  let at = 0;
  for (const { name, shape } of layout) {
    const part = initialWeight(name, shape, prng);
    weights.set(part, at);
    at += part.length;
  }
  return { layout, weights };
}

/** Canonical CBOR; weights are float32, little-endian, whatever the machine's own order. */
export function encodeModel(model: Model): Uint8Array {
  const bytes = new Uint8Array(4 * model.weights.length);
  const view = new DataView(bytes.buffer);
  model.weights.forEach((weight, i) => {
    view.setFloat32(4 * i, weight, true);
  });
  const layout = model.layout.map(({ name, shape }) => ({ name, shape: [...shape] }));
  return encodeCbor({ v: MODEL_TAG, layout, weights: bytes, ...(model.state && { state: model.state }) });
}

/**
 * Reads a model file. With `expected`, also checks that it has that layout.
 * @throws ConcordatError MESSAGE_MALFORMED, MESSAGE_TOO_LARGE, MODEL_MISMATCH
 */
export function decodeModel(bytes: Uint8Array, expected?: ModelLayout): Model {
  const file = decodeCbor(bytes, modelSchema, MAX_FILE_BYTES);
  const { layout } = file;
  if (expected && JSON.stringify(expected) !== JSON.stringify(layout))
    throw mismatch('the layout is not that of the task');
  if (file.weights.length !== 4 * parameterCount(layout)) throw mismatch('the weights do not fill the layout');
  const view = new DataView(file.weights.buffer, file.weights.byteOffset, file.weights.byteLength);
  const weights = Float32Array.from({ length: file.weights.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  if (!weights.every(Number.isFinite)) throw mismatch('a weight is not a finite number');
  return { layout, weights, ...(file.state && { state: file.state }) };
}

/** sha256 of the model file. */
export const modelHash = (file: Uint8Array): Hex => toHex(sha256(file));
