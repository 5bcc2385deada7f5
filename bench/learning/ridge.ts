// Ridge regression over all records in one place, in float64 and never rounded: what the federated one must equal.
import { featureCount } from '../../protocol/learning/features.ts';
import { solveRidge, statisticsOf } from '../../protocol/learning/strategies/ridge.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { shapeOf } from '../../protocol/learning/vector.ts';
import { examplesOf, scoreOf } from '../../scripts/baseline.ts';
import { type Quality, qualityOf } from './federation.ts';
import type { Learning } from './material.ts';

export function centralisedRidge({ task, contract }: Learning, rows: readonly Row[], holdOut: readonly Row[]): Quality {
  if (task.strategy.name !== 'ridge') throw new TypeError(`${task.id} is no ridge task`);
  const features = featureCount(contract);
  const pooled = examplesOf(contract, rows);
  const { featureBound } = task.strategy;
  const statistics = statisticsOf(pooled.features, pooled.labels, shapeOf(task, features), featureBound);
  const solution = solveRidge(statistics, task.model.l2);
  const held = examplesOf(contract, holdOut);
  const scores = Float32Array.from(held.labels, (_, row) => {
    const cells = held.features.subarray(row * features, (row + 1) * features);
    return cells.reduce((sum, x, i) => sum + x * (solution[i] ?? 0), solution[features] ?? 0);
  });
  return qualityOf(scoreOf(scores, held));
}
