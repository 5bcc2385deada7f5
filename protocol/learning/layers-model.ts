// A model that is any graph of Keras layers: what a task says of it, what does not fit, and the weights it starts from.
import { z } from 'zod';
import { LIMITS } from '../params.ts';
import { jsonFault } from './json-bounds.ts';
import { LAYER_RULES } from './layer-rules.ts';
import type { Prng } from './prng.ts';
import type { Sketch } from './sketch.ts';
import type { TaskFault } from './strategies/strategy.ts';
import { type Topology, topologyOf } from './topology.ts';
import { TopologyFault } from './topology-json.ts';

/** How TensorFlow.js computes; another one differs in the last bits, so it is part of the task. */
export const BACKENDS = ['wasm', 'cpu', 'tensorflow'] as const;
export type Backend = (typeof BACKENDS)[number];

const TOPOLOGY_BOUNDS = { depth: 24, values: 30_000, characters: 256 * 1_024 };
const WEIGHT_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\/[a-z_]{1,32}$/;

const topologySchema = z.record(z.string(), z.unknown()).superRefine((topology, context) => {
  const fault = jsonFault(topology, TOPOLOGY_BOUNDS);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: `the topology ${fault}` });
});

const weightSchema = z.strictObject({
  name: z.string().regex(WEIGHT_NAME, 'must be layer/weight, such as dense/kernel'),
  shape: z.array(z.int().min(1).max(LIMITS.maxModelParameters)).min(1).max(4),
});

export const LAYERS_MODEL = {
  kind: z.literal('tfjs-layers'),
  /** `modelTopology` of a model.json, as it is. */
  topology: topologySchema,
  /** Names and shapes in the order of the model file: nobody but a trainer builds the model. */
  weights: z.array(weightSchema).min(1).max(512),
};

interface LayersModel {
  readonly topology: Readonly<Record<string, unknown>>;
  readonly weights: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

const DENSE_ONLY: readonly string[] = ['ridge', 'dp-ridge', 'dp-fedsgd'];
/** Their step is a weighted mean, so a variance stays one. */
const AVERAGING: readonly string[] = ['fedavg', 'fedprox'];

/** What of the model does not fit the strategy or the backend, or is not what it says; what is not known is not blamed. */
export function layersFaults(
  { topology: json, weights = [] }: Sketch<LayersModel>,
  strategy: string | undefined,
  backend: Backend | undefined,
): TaskFault[] {
  if (strategy !== undefined && DENSE_ONLY.includes(strategy)) {
    const advice = `${strategy} needs each customer’s own gradient or statistics: give kind: dense, or another strategy`;
    return [{ path: 'model.kind', advice }]; // a dense model has none of what follows
  }
  const named = weights.flatMap((weight, i) => (weight?.name === undefined ? [] : [{ name: weight.name, i }]));
  const twice = twiceFaults(named);
  if (json === undefined) return twice;
  const topology = readOrFaults(json);
  if (Array.isArray(topology)) return [...topology, ...twice];
  return [
    ...(backend === 'wasm' ? wasmFaults(topology) : []),
    ...strangerFaults(named, topology),
    ...twice,
    ...(strategy === undefined ? [] : movingFaults(topology, strategy)),
  ];
}

const atTopology = (advice: string): TaskFault => ({ path: 'model.topology', advice });

function readOrFaults(json: LayersModel['topology']): Topology | TaskFault[] {
  try {
    return topologyOf(json);
  } catch (cause) {
    if (cause instanceof TopologyFault) return cause.all.map(atTopology);
    throw cause;
  }
}

function wasmFaults({ layers }: Topology): TaskFault[] {
  return layers.flatMap(({ name, type }) => {
    const { missingOnWasm, wrongOnWasm } = LAYER_RULES.get(type) ?? {};
    const kernel = missingOnWasm ?? wrongOnWasm;
    if (kernel === undefined) return [];
    const why = missingOnWasm ? `${kernel}, which wasm lacks` : `${kernel}, which is wrong on wasm`;
    return atTopology(
      `layer ${name}: training ${type} needs ${why}: give backend: cpu (slower) or tensorflow, or use other layers`,
    );
  });
}

interface NamedWeight {
  readonly name: string;
  /** Its place in the list. */
  readonly i: number;
}

function twiceFaults(weights: readonly NamedWeight[]): TaskFault[] {
  const seen = new Set<string>();
  return weights.flatMap(({ name, i }) => {
    if (seen.has(name)) return [{ path: `model.weights.${i}.name`, advice: `${name} is named twice` }];
    seen.add(name);
    return [];
  });
}

function strangerFaults(weights: readonly NamedWeight[], { layers }: Topology): TaskFault[] {
  const known = new Set(layers.map(({ name }) => name));
  return weights
    .filter(({ name }) => !known.has(name.split('/')[0] ?? ''))
    .map(({ name, i }) => ({ path: `model.weights.${i}.name`, advice: `${name}: the topology has no such layer` }));
}

function movingFaults({ layers }: Topology, strategy: string): TaskFault[] {
  if (AVERAGING.includes(strategy)) return [];
  return layers
    .filter(({ type }) => type === 'BatchNormalization')
    .map(({ name }) =>
      atTopology(
        `layer ${name}: ${strategy} would step moving statistics as if they were weights: use LayerNormalization, or fedavg`,
      ),
    );
}

/**
 * Glorot and Bengio 2010 for whatever maps inputs to outputs (rank 2 and up; a convolution's window counts), ones for scales and
 * variances, zeros for the rest. The topology's own initialisers are not used: few of them are the same on every machine.
 */
export function initialWeight(name: string, shape: readonly number[], prng: Prng): Float32Array {
  const size = shape.reduce((a, b) => a * b, 1);
  if (/\/(gamma|moving_variance)$/.test(name)) return new Float32Array(size).fill(1);
  const [units, inputs] = [shape.at(-1), shape.at(-2)];
  if (units === undefined || inputs === undefined) return new Float32Array(size);
  const window = size / (units * inputs);
  const limit = Math.sqrt(6 / (window * (inputs + units)));
  return Float32Array.from({ length: size }, () => (prng.unit() * 2 - 1) * limit);
}
