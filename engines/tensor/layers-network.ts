// A network of Keras layers as the trainer wants it: forward pass by the library, gradients from the tape, one SGD step of ours.
import * as tf from '@tensorflow/tfjs-core';
import { ConcordatError } from '../../protocol/errors.ts';
import { createPrng, type Prng } from '../../protocol/learning/prng.ts';
import type { LayersModel } from '../../protocol/learning/task.ts';
import { headOf, type Topology, topologyOf } from '../../protocol/learning/topology.ts';
import { type BuiltModel, buildLayers, disposeBuilt, type KerasLayer } from './layers-build.ts';
import type { Batch, FitPlan, Network, NetworkKind } from './network.ts';
import { type PullPlan, pulled } from './pull.ts';

/** Of one weight, in layout order. */
interface Part {
  readonly name: string;
  readonly variable: tf.Variable;
  readonly trainable: boolean;
  readonly size: number;
}

/** What moves one weight beside the loss. */
interface PartPull {
  readonly factor: tf.Scalar | undefined;
  readonly drift: tf.Tensor | undefined;
}

/** @throws ConcordatError MODEL_UNTRAINABLE from `open`, when the layers cannot be built as the task describes them */
export function layersKind(model: LayersModel): NetworkKind {
  const { activation } = headOf(model.topology);
  const topology = withLinearHead(topologyOf(model.topology));
  return {
    open(weights, fit) {
      const built = buildLayers(topology, model.weights);
      const parts = partsOf(built, model);
      fill(parts, weights);
      return layersNetwork(built, parts, activation, fit);
    },
  };
}

/** Loss and gradient are taken from what goes into the last activation: exact where the activation is saturated. */
function withLinearHead(topology: Topology): Topology {
  const head = topology.layers.at(-1);
  if (!head) return topology;
  const linear = { ...head, options: { ...head.options, activation: 'linear' } };
  return { ...topology, layers: [...topology.layers.slice(0, -1), linear] };
}

function layersNetwork(built: BuiltModel, parts: readonly Part[], activation: string, fit?: FitPlan): Network {
  const pulls = fit ? createPulls(parts, fit.pull) : [];
  const draw = fit && createPrng(fit.seed, 'dropout');
  return {
    forward: (features) => scoresOf(run(built, features, false), activation),
    step(batch) {
      if (draw) reseed(built, draw);
      descend(built, parts, pulls, activation, batch);
    },
    weights: () => readParts(parts),
    dispose() {
      disposeBuilt(built);
      for (const { factor, drift } of pulls) tf.dispose([factor, drift].filter((tensor) => tensor !== undefined));
    },
  };
}

function partsOf({ weights }: BuiltModel, model: LayersModel): Part[] {
  return model.weights.flatMap(({ name }) => {
    const weight = weights.get(name);
    if (!weight) return [];
    const variable = weight.read() as tf.Variable;
    return [{ name, variable, trainable: weight.trainable, size: variable.size }];
  });
}

/** Rounding of a sum can leave a variance just under zero. */
const isVariance = (name: string): boolean => name.endsWith('/moving_variance');

function fill(parts: readonly Part[], weights: Float32Array): void {
  let at = 0;
  for (const { name, variable, size } of parts) {
    const part = weights.subarray(at, at + size);
    const values = tf.tensor(isVariance(name) ? part.map((x) => Math.max(0, x)) : part, variable.shape);
    variable.assign(values);
    values.dispose();
    at += size;
  }
}

function readParts(parts: readonly Part[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, { size }) => sum + size, 0));
  let at = 0;
  for (const { variable, size } of parts) {
    out.set(variable.dataSync(), at);
    at += size;
  }
  return out;
}

/** What a weight maps inputs with is penalised; biases and scales are not. Moving statistics are moved by nothing but batches. */
function createPulls(parts: readonly Part[], { kernelFactor, biasFactor, drift }: PullPlan): PartPull[] {
  let at = 0;
  return parts.map(({ variable, trainable, size }) => {
    const own = trainable ? drift?.subarray(at, at + size) : undefined;
    at += size;
    const factor = variable.rank > 1 ? kernelFactor : biasFactor;
    return {
      factor: factor === 1 || !trainable ? undefined : tf.scalar(factor),
      drift: own && tf.tensor(own, variable.shape),
    };
  });
}

/** What the last layer puts out before its activation. Moving statistics move when `training`. */
function run({ input, layers }: BuiltModel, features: tf.Tensor2D, training: boolean): tf.Tensor2D {
  const outputs = new Map<string, tf.Tensor>([[input, features]]);
  let last: tf.Tensor = features;
  for (const [name, { layer, inputs }] of layers) {
    const given = inputs.flatMap((from) => outputs.get(from) ?? []);
    last = layer.apply(given.length === 1 && given[0] ? given[0] : given, { training }) as tf.Tensor;
    outputs.set(name, last);
  }
  return last as tf.Tensor2D;
}

function scoresOf(output: tf.Tensor2D, activation: string): tf.Tensor2D {
  if (activation === 'sigmoid') return tf.sigmoid(output);
  return activation === 'softmax' ? tf.softmax(output) : output;
}

/** The library's dropout makes the same mask from the same seed: each step and each layer gets its own. 0 would mean unseeded. */
function reseed({ layers }: BuiltModel, draw: Prng): void {
  for (const { layer } of layers.values()) {
    if (isDropout(layer)) layer.seed = 1 + draw.below(2 ** 31);
  }
}

const isDropout = (layer: KerasLayer): layer is KerasLayer & { seed: number } =>
  ['Dropout', 'SpatialDropout1D'].includes(layer.getClassName());

/**
 * The tape is given (score − target)·rate as the gradient of the output, which is what a loss with its canonical activation makes
 * of it: no loss is computed, none can overflow.
 */
function descend(
  built: BuiltModel,
  parts: readonly Part[],
  pulls: readonly PartPull[],
  activation: string,
  { features, targets, rates }: Batch,
): void {
  const seedGradient = tf.customGrad((output, save) => {
    const delta = tf.mul(tf.sub(scoresOf(output as tf.Tensor2D, activation), targets), rates);
    (save as tf.GradSaveFunc)([delta]);
    return { value: tf.sum(delta), gradFunc: (_, saved) => saved };
  });
  const trained = parts.filter(({ trainable }) => trainable).map(({ variable }) => variable);
  const grads = taped(() => seedGradient(run(built, features, true)) as tf.Scalar, trained);
  parts.forEach(({ name, variable, trainable }, i) => {
    const step = grads[variable.name];
    if (!trainable) return;
    if (!step) throw new ConcordatError('MODEL_UNTRAINABLE', `${name} has no part in the output`);
    variable.assign(tf.sub(pulled<tf.Tensor>(variable, pulls[i]?.factor, pulls[i]?.drift), step));
  });
}

/** A backward pass that fails leaves its tape running: everything computed later would be recorded, and kept, for ever. */
function taped(loss: () => tf.Scalar, trained: tf.Variable[]): tf.NamedTensorMap {
  try {
    return tf.variableGrads(loss, trained).grads;
  } catch (cause) {
    const { state } = tf.engine();
    tf.dispose((state.activeTape ?? []).flatMap(({ saved }) => saved ?? []));
    state.activeTape = [];
    throw cause;
  }
}
