// What the trainer asks of a network, whatever kind of model it is of.
import type * as tf from '@tensorflow/tfjs-core';
import type { PullPlan } from './pull.ts';

export interface Batch {
  /** batch × columns */
  readonly features: tf.Tensor2D;
  /** batch × outputs: one-hot for classes */
  readonly targets: tf.Tensor2D;
  /** batch × 1: learning rate × weight of the row / rows in the batch. It scales a row's loss, and so every gradient. */
  readonly rates: tf.Tensor2D;
}

/** Holds tensors until it is disposed of. */
export interface Network {
  /** Scores, rows × outputs. Called inside tf.tidy. */
  forward(features: tf.Tensor2D): tf.Tensor2D;
  /** One step of SGD in place, on Σ rate·loss over the batch and on the pull. Called inside tf.tidy; leaves no tensor behind. */
  step(batch: Batch): void;
  /** In layout order. */
  weights(): Float32Array;
  dispose(): void;
}

/** What a network that is trained is opened with. */
export interface FitPlan {
  /** What moves every weight beside the loss. */
  readonly pull: PullPlan;
  /** Decides what a network draws by itself (dropout); the order of the rows comes from elsewhere. */
  readonly seed: Uint8Array;
}

/** One per kind of model. */
export interface NetworkKind {
  /** `weights` in layout order, not changed. Without a plan it is for scoring alone, and `step` is not called. */
  open(weights: Float32Array, fit?: FitPlan): Network;
}
