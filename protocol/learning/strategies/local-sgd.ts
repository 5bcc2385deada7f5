// What the gradient strategies share at a dealer: some epochs of SGD from the base model, and the mean of what came out.
import { z } from 'zod';
import { isSquashed } from '../output.ts';
import type { Sketch } from '../sketch.ts';
import { type ClippedUpdate, clip, type LocalUpdate, localUpdate, weighted } from '../update.ts';
import { weightsPart } from './parts.ts';
import type {
  Contribution,
  FitInput,
  LocalWork,
  ServerRound,
  Shape,
  Strategy,
  TaskFault,
  Terms,
  VectorPart,
} from './strategy.ts';
import { NO_STATE } from './strategy.ts';

/** Fields of every strategy that trains at the dealer. */
export const LOCAL_SGD = {
  localEpochs: z.int().min(1).max(100),
  batchSize: z.int().min(1).max(65_536),
  learningRate: z.number().positive().max(10),
};

/** Of the step that the server takes: 1 is the mean of the dealers. */
export const serverRate = z.number().positive().max(100);

export interface LocalSgd {
  readonly localEpochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
}

/** Trains from the base model. `more` is what a strategy adds to the gradient. */
export async function train(
  work: LocalWork,
  { localEpochs, batchSize, learningRate }: LocalSgd,
  more: Pick<FitInput, 'proximal' | 'correction'> = {},
): Promise<LocalUpdate> {
  const { base, features, labels, seed, onEpoch } = work;
  const trained = await work.trainer.fit({
    weights: base,
    features,
    labels,
    seed,
    epochs: localEpochs,
    batchSize,
    learningRate,
    ...more,
    ...(onEpoch && { onEpoch }),
  });
  return localUpdate(base, trained);
}

export const clippedToTask = (update: LocalUpdate, work: LocalWork): ClippedUpdate =>
  clip(update, work.shape.terms.update.clipNorm);

/** The one part of a strategy that sends nothing but its update. */
export const deltaParts = (shape: Shape): VectorPart[] => [weightsPart('delta', shape, shape.terms.update.clipNorm)];

/** A strategy's dealer side when it sends nothing but its update. */
export async function sendDelta(
  work: LocalWork,
  sgd: LocalSgd,
  more?: Pick<FitInput, 'proximal' | 'correction'>,
): Promise<Contribution> {
  const update = clippedToTask(await train(work, sgd, more), work);
  return { parts: [weighted(update.delta, work.weightFraction)], dealerState: NO_STATE };
}

/** Mean of a part over the dealers, weighted by their records. */
export const meanOf = (round: ServerRound, part: number): Float64Array =>
  (round.sums[part] ?? new Float64Array()).map((sum) => sum / round.totalWeightFraction);

/** base + rate·step, rounded to float32 once. */
export const moved = (base: Float32Array, step: Float64Array, rate = 1): Float32Array =>
  base.map((weight, i) => weight + rate * (step[i] ?? 0));

/** What descends, descends on a loss with the activation that makes its gradient (score − target). */
export function descentFaults(name: string, { model }: Sketch<Terms>): TaskFault[] {
  if (model === undefined || !isSquashed(model)) return [];
  const advice = `${name} descends on sigmoid-cross-entropy, on softmax-cross-entropy, and on squared loss with a linear output: name one of them`;
  return [{ path: 'model.loss', advice }];
}

/** An explicit step of SGD overshoots when rate·curvature of its penalties reaches 1. */
function stepFaults({ model }: Sketch<Terms>, { learningRate }: LocalSgd, proximal: number): TaskFault[] {
  if (model?.l2 === undefined || !(learningRate * (model.l2 + proximal) >= 1)) return [];
  const penalties = proximal > 0 ? 'l2 + proximal' : 'l2';
  const advice = `learningRate·(${penalties}) must be under 1, or every step overshoots: lower one of them`;
  return [{ path: 'model.l2', advice }];
}

export const sgdFaults = (terms: Sketch<Terms>, settings: LocalSgd, proximal = 0): TaskFault[] => [
  ...descentFaults('this strategy', terms),
  ...stepFaults(terms, settings, proximal),
];

/** A strategy that differs from FedAvg in the server's step alone. */
export const withServerStep = (settings: LocalSgd, step: Strategy['step']): Strategy => ({
  faults: (terms) => sgdFaults(terms, settings),
  parts: deltaParts,
  contribute: (work) => sendDelta(work, settings),
  step,
});
