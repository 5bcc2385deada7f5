// The vector that a task's dealers send: the strategy's parts, then how the base model scored.
import { ConcordatError } from '../errors.ts';
import { LIMITS } from '../params.ts';
import { blocksFor } from '../secagg/packing.ts';
import { layoutOf, parameterCount } from './model.ts';
import { countsPart } from './strategies/parts.ts';
import { strategyOf } from './strategies/registry.ts';
import type { Shape } from './strategies/strategy.ts';
import { packingOf, type TaskDocument } from './task.ts';
import { digitsOf, type Vector } from './update.ts';

/**
 * @param features columns of a row: the data contract's `featureCount`
 * @throws ConcordatError TASK_INVALID when the model is larger than a round can carry
 */
export const shapeOf = (task: TaskDocument, features: number): Shape => ({
  terms: task,
  features,
  parameters: parameterCount(layoutOf(task, features)),
});

/** @throws ConcordatError TASK_INVALID as shapeOf, and when the vector is longer than a payload: some strategies send several per weight */
export function vectorOf(task: TaskDocument, features: number): Vector {
  const { valueBits } = task.update;
  const shape = shapeOf(task, features);
  const strategy = strategyOf(task);
  const parts = strategy.parts(shape);
  // exact counts beside noisy sums would undo the noise: such a strategy sends its own, or none
  const bins = strategy.histogram ? 0 : task.evaluation.histogramBins;
  const evaluation = [countsPart('negatives', bins), countsPart('positives', bins)] as const;
  const length = [...parts, ...evaluation].reduce((sum, part) => sum + part.length * digitsOf(part, valueBits), 0);
  requireFits(task, length);
  const { histogram } = strategy;
  const own = histogram && { histogram: (sums: readonly Float64Array[]) => histogram(sums, shape) };
  return { parts, evaluation, valueBits, length, ...own };
}

function requireFits(task: TaskDocument, values: number): void {
  const blocks = blocksFor(values, packingOf(task));
  if (blocks <= LIMITS.maxPayloadBlocks) return;
  const path = 'strategy.name';
  const detail = `${path}: ${task.strategy.name} sends ${values} values, ${blocks} blocks of at most ${LIMITS.maxPayloadBlocks}: use a smaller model, or a denser packing`;
  throw new ConcordatError('TASK_INVALID', detail, { path });
}
