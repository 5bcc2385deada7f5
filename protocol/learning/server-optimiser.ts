// What the coordinator does with the opened sum. Pure: an auditor repeats it bit for bit.
import { ConcordatError } from '../errors.ts';
import { strategyOf } from './strategies/registry.ts';
import type { ServerRound, ServerStep } from './strategies/strategy.ts';
import type { TaskDocument } from './task.ts';

/**
 * The next model of a round, and what the strategy carries on.
 * @throws ConcordatError MODEL_MISMATCH, TRAINING_DIVERGED
 */
export function serverStep(task: TaskDocument, round: ServerRound): ServerStep {
  const strategy = strategyOf(task);
  const lengths = strategy.parts(round.shape).map(({ length }) => length);
  const fits =
    round.base.length === round.shape.parameters &&
    lengths.length === round.sums.length &&
    lengths.every((length, p) => round.sums[p]?.length === length);
  if (!fits) throw new ConcordatError('MODEL_MISMATCH', 'the update has another size');
  const next = strategy.step(round);
  const finite =
    next.weights.every(Number.isFinite) && Object.values(next.state).every((v) => v.every(Number.isFinite));
  if (!finite) throw new ConcordatError('TRAINING_DIVERGED', 'a weight is not finite');
  return next;
}
