// What the coordinator does with the mean update. Pure: an auditor repeats it bit for bit. One entry per strategy.
import { ConcordatError } from '../errors.ts';
import { fedAvg } from './fedavg.ts';
import type { OptimiserState, ServerOptimiser, ServerStep } from './optimiser.ts';
import type { TaskDocument } from './task.ts';

type StrategyName = TaskDocument['strategy']['name'];

const OPTIMISERS: Readonly<Record<StrategyName, ServerOptimiser>> = { fedavg: fedAvg };

/**
 * The next model of a round.
 * @throws ConcordatError MODEL_MISMATCH, TRAINING_DIVERGED
 */
export function serverStep(
  strategy: StrategyName,
  weights: Float32Array,
  delta: Float64Array,
  state: OptimiserState = {},
): ServerStep {
  if (weights.length !== delta.length) throw new ConcordatError('MODEL_MISMATCH', 'the update has another size');
  const next = OPTIMISERS[strategy](weights, delta, state);
  if (!next.weights.every(Number.isFinite)) throw new ConcordatError('TRAINING_DIVERGED', 'a weight is not finite');
  return next;
}
