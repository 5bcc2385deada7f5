// The vector that a task's dealers send: the strategy's parts, then how the base model scored.
import { ConcordatError } from '../errors.ts';
import { LIMITS } from '../params.ts';
import { blocksFor } from '../secagg/packing.ts';
import { measureOf, momentsPart } from './measure.ts';
import { layoutOf, parameterCount } from './model.ts';
import { countsPart } from './strategies/parts.ts';
import { strategyOf } from './strategies/registry.ts';
import type { Labels, Shape } from './strategies/strategy.ts';
import { packingOf, type TaskDocument } from './task.ts';
import { type Counted, digitsOf, type Vector } from './update.ts';

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
  const measure = measureOf(task);
  const exact = strategy.counts === undefined ? measure : { counters: 0, moments: 0 };
  const evaluation = [countsPart('counts', exact.counters), momentsPart(exact.moments)] as const;
  const length = [...parts, ...evaluation].reduce((sum, part) => sum + part.length * digitsOf(part, valueBits), 0);
  requireFits(task, length);
  const { counts } = strategy;
  const own = counts && { ownCounts: (sums: readonly Float64Array[]) => counts(sums, shape) };
  return { parts, evaluation, measure, valueBits, length, ...own };
}

/** Of the base model's scores; nothing where the strategy sends its own counts. `score` is then not called. */
export function countedOf(vector: Vector, score: () => Float32Array, labels: Labels): Counted {
  if (vector.ownCounts) return [[], []];
  const scores = score();
  return [vector.measure.countsOf(scores, labels), vector.measure.momentsOf(scores, labels)];
}

function requireFits(task: TaskDocument, values: number): void {
  const blocks = blocksFor(values, packingOf(task));
  if (blocks <= LIMITS.maxPayloadBlocks) return;
  const path = 'strategy.name';
  const detail = `${path}: ${task.strategy.name} sends ${values} values, ${blocks} blocks of at most ${LIMITS.maxPayloadBlocks}: use a smaller model, or a denser packing`;
  throw new ConcordatError('TASK_INVALID', detail, { path });
}
