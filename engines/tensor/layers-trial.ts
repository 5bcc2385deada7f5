// Whether a model of Keras layers trains here: decided by doing it once, on a few rows, and comparing with the plain cpu backend.
import * as tf from '@tensorflow/tfjs-core';
import { ConcordatError } from '../../protocol/errors.ts';
import { type Backend, initialWeight } from '../../protocol/learning/layers-model.ts';
import { outputOf } from '../../protocol/learning/output.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import type { LayersModel } from '../../protocol/learning/task.ts';
import { topologyOf } from '../../protocol/learning/topology.ts';
import { startTensorBackend, useTensorBackend } from './backend.ts';
import { layersKind } from './layers-network.ts';
import type { NetworkKind } from './network.ts';

/** A kernel can be right for one row and wrong for two. */
const ROWS = 4;
const SEED = new Uint8Array(32).fill(7);
const KERNEL = /Kernel '(\w+)' not registered|gradient function not found for (\w+)/;

/** Backends differ by 1e-7; a wrong kernel by a hundredth and more. */
const TOLERANCE = 1e-4;

/** Models that passed, by backend: a node makes a trainer every round. */
const passed = new WeakMap<object, Set<Backend>>();

/**
 * The backend must have been started.
 * @throws ConcordatError MODEL_UNTRAINABLE, naming the kernel that is missing, the weight that differs, or what is wrong otherwise
 */
export async function tryLayers(model: LayersModel, backend: Backend): Promise<NetworkKind> {
  const kind = layersKind(model);
  const known = passed.get(model) ?? new Set();
  if (known.has(backend)) return kind;
  useTensorBackend(backend);
  const here = step(kind, model, backend);
  await startTensorBackend('cpu');
  useTensorBackend('cpu'); // another task may have trained since it was started
  requireAlike(here, step(kind, model, 'cpu'), model, backend);
  useTensorBackend(backend);
  passed.set(model, known.add(backend));
  return kind;
}

function requireAlike(here: Float32Array, onCpu: Float32Array, model: LayersModel, backend: Backend): void {
  const at = here.findIndex((weight, i) => !(Math.abs(weight - (onCpu[i] ?? 0)) <= TOLERANCE * (1 + Math.abs(weight))));
  if (at < 0) return;
  let end = 0;
  const weight = model.weights.find(({ shape }) => {
    end += shape.reduce((a, b) => a * b, 1);
    return at < end;
  });
  if (!Number.isFinite(here[at]) && !Number.isFinite(onCpu[at]))
    throw untrainable(
      `a step makes ${weight?.name} no finite number, on ${backend} and on cpu: look at the layers’ options`,
    );
  throw untrainable(
    `a step of ${weight?.name} on ${backend} differs from that on cpu: a kernel of ${backend} is wrong`,
  );
}

/** The weights after one step on the active backend. */
function step(kind: NetworkKind, model: LayersModel, backend: Backend): Float32Array {
  const prng = createPrng(SEED, 'trial');
  const weights = weightsFrom(model);
  const { columns } = topologyOf(model.topology);
  const { units } = outputOf(model);
  const network = kind.open(weights, { pull: { kernelFactor: 1, biasFactor: 1, drift: undefined }, seed: SEED });
  try {
    tf.tidy(() => {
      const cells = Float32Array.from({ length: ROWS * columns }, () => prng.unit() * 2 - 1);
      const features = tf.tensor2d(cells, [ROWS, columns]);
      const { shape } = network.forward(features);
      if (shape.join() !== `${ROWS},${units}`)
        throw untrainable(`the last layer puts out [${shape.slice(1).join(', ')}] for a row, not [${units}]`);
      network.step({ features, targets: tf.zeros([ROWS, units]), rates: tf.ones([ROWS, 1]) });
    });
    return network.weights();
  } catch (cause) {
    throw cause instanceof ConcordatError ? cause : untrainable(`${reasonOf(cause, backend)}: use other layers`, cause);
  } finally {
    network.dispose();
  }
}

function weightsFrom({ weights }: LayersModel): Float32Array {
  const prng = createPrng(SEED, 'trial-weights');
  const parts = weights.map(({ name, shape }) => initialWeight(name, shape, prng));
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function reasonOf(cause: unknown, backend: Backend): string {
  const { message } = cause as Error;
  const [, missing, noGradient] = KERNEL.exec(message) ?? [];
  if (missing) return `training needs ${missing}, which ${backend} lacks`;
  if (noGradient) return `${noGradient} has no gradient in TensorFlow.js`;
  return message.split('\n')[0] ?? 'no reason given';
}

const untrainable = (detail: string, cause?: unknown) =>
  new ConcordatError('MODEL_UNTRAINABLE', detail, {}, cause === undefined ? {} : { cause });
