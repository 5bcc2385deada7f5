// What moves the weights of a step beside the loss: the penalty λ, FedProx's pull to the base model, SCAFFOLD's correction.
// All three are w ← factor·w + drift with a drift that no step changes, so they share one path, and cost nothing unused.
import * as tf from '@tensorflow/tfjs-core';
import type { FitInput } from '../../protocol/learning/strategies/strategy.ts';

export interface PullPlan {
  readonly kernelFactor: number;
  /** Biases are not penalised, but FedProx holds them too. */
  readonly biasFactor: number;
  /** In layout order; undefined for none. */
  readonly drift: Float32Array | undefined;
}

/** η·μ·(w − w₀) + η·correction taken from every step; η·λ·w from kernels. */
export function pullOf({ weights, learningRate, proximal = 0, correction }: FitInput, l2: number): PullPlan {
  const hold = learningRate * proximal;
  const drift =
    hold === 0 && correction === undefined
      ? undefined
      : weights.map((w, i) => hold * w - learningRate * (correction?.[i] ?? 0));
  return { kernelFactor: 1 - learningRate * l2 - hold, biasFactor: 1 - hold, drift };
}

export interface Pull {
  readonly kernel: tf.Scalar;
  /** undefined when it is 1 */
  readonly bias: tf.Scalar | undefined;
  /** One per layer; undefined when nothing drifts. */
  readonly drifts: readonly Weights[] | undefined;
}

interface Weights {
  readonly kernel: tf.Tensor2D;
  readonly bias: tf.Tensor1D;
}

/** The caller must `disposePull`. */
export function createPull(network: readonly Weights[], { kernelFactor, biasFactor, drift }: PullPlan): Pull {
  let at = 0;
  const cut = (from: Float32Array, length: number) => {
    at += length;
    return from.subarray(at - length, at);
  };
  const drifts =
    drift &&
    network.map(({ kernel, bias }) => ({
      kernel: tf.tensor2d(cut(drift, kernel.size), kernel.shape),
      bias: tf.tensor1d(cut(drift, bias.size)),
    }));
  return {
    kernel: tf.scalar(kernelFactor),
    bias: biasFactor === 1 ? undefined : tf.scalar(biasFactor),
    drifts,
  };
}

export function disposePull({ kernel, bias, drifts }: Pull): void {
  tf.dispose([kernel, ...(bias ? [bias] : []), ...(drifts ?? []).flatMap((drift) => [drift.kernel, drift.bias])]);
}

/** factor·w + drift. Call inside tf.tidy. */
export function pulled<T extends tf.Tensor>(weight: T, factor: tf.Scalar | undefined, drift: T | undefined): T {
  const scaled = factor === undefined ? weight : tf.mul<T>(weight, factor);
  return drift === undefined ? scaled : tf.add<T>(scaled, drift);
}
