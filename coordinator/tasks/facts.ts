// Everything the rounds of one task are driven with, and what a task must fit before it is taken.

import type { Hex } from '../../protocol/bytes.ts';
import type { Requirement } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { cohortNoiseFault } from '../../protocol/learning/privacy/check-task.ts';
import type { EarlierRound } from '../../protocol/learning/privacy/ledger.ts';
import { epsilonAfterNextRound } from '../../protocol/learning/privacy/ledger.ts';
import { checkTaskContract, requirementOfTask, type Task } from '../../protocol/learning/task.ts';
import { requirePackingHolds, type UpdateLayout, updateLayoutOf } from '../layout.ts';

export interface TaskFacts extends UpdateLayout {
  readonly task: Task;
  readonly contract: DataContract;
  readonly requirement: Requirement;
  /** Hash of the first model; its file is a blob. */
  readonly initialModel: Hex;
}

export function taskFactsOf(task: Task, contract: DataContract, initialModel: Hex): TaskFacts {
  const requirement = requirementOfTask(task, contract);
  return { ...updateLayoutOf(task, contract), task, contract, requirement, initialModel };
}

export interface Federation {
  /** Registered. */
  readonly dealers: number;
  /** The fewest that its contracts take for a sum. */
  readonly minCohort: number;
  /** Rounds on chain, in order. */
  readonly earlier: readonly EarlierRound[];
}

/**
 * That this federation can run a round of the task: refused here, it costs nobody anything.
 * @throws ConcordatError TASK_INVALID for what does not fit: contract, label, layout, packing, cohort, noise; PRIVACY_BUDGET_SPENT
 */
export function requireRunnable(task: Task, contract: DataContract, federation: Federation): void {
  const { dealers, minCohort, earlier } = federation;
  checkTaskContract(task, contract);
  requirePackingHolds(dealers, updateLayoutOf(task, contract).packing);
  if (task.cohort.min > dealers) {
    const path = 'cohort.min';
    throw new ConcordatError(
      'TASK_INVALID',
      `${path}: asks for ${task.cohort.min} dealers, ${dealers} are registered`,
      {
        path,
      },
    );
  }
  const tooFew = cohortNoiseFault(task, minCohort);
  if (tooFew !== undefined) {
    const path = 'privacy.honestDealers';
    throw new ConcordatError('TASK_INVALID', `${path}: ${tooFew}`, { path });
  }
  epsilonAfterNextRound(task, earlier);
}
