// One federation of a benchmark: a task over dealt-out records, learnt as dealers do it, scored on records nobody trained on.
import { createTrainer } from '../../engines/tensor/train.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { initialModel } from '../../protocol/learning/model.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { examplesOf, scoreOf } from '../../scripts/baseline.ts';
import { simulateRounds } from '../../scripts/simulate.ts';
import type { Learning } from './material.ts';
import { seededFill } from './stream.ts';

export interface Quality {
  readonly auc: number;
  /** Positives among the best fifth of the hold-out. */
  readonly hits: number;
}

/** The hold-out has both labels: an AUC is there. */
export const qualityOf = ({ auc = Number.NaN, hits }: { auc?: number | undefined; hits: number }): Quality => ({
  auc,
  hits,
});

/** Clipped, rounded and, with a budget, noisy as dealers send it; all noise shares are in the sum. */
export async function federated(
  { task, contract }: Learning,
  shares: readonly (readonly Row[])[],
  holdOut: readonly Row[],
  seed: string,
): Promise<Quality> {
  const features = featureCount(contract);
  const trainer = await createTrainer(task, features);
  const dealers = shares.map((share) => examplesOf(contract, share));
  const fillRandom = seededFill(`${seed}/noise/${task.id}`);
  const initial = initialModel(task, contract).weights;
  const simulation = { task, features, trainer, dealers, initial, seed, fillRandom };
  const { weights } = await simulateRounds(simulation, task.rounds);
  const held = examplesOf(contract, holdOut);
  return qualityOf(scoreOf(trainer.score(weights, held.features), held));
}
