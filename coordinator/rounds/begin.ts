// The first step: the task's unfinished round, or a new one.
import type { EarlierRounds } from '../../engines/chain/earlier-rounds.ts';
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { epsilonAfterNextRound } from '../../protocol/learning/privacy/ledger.ts';
import type { RoundParts } from './parts.ts';

/** Opened, and neither published nor failed. */
export const isUnderWay = ({ status }: Pick<RoundRecord, 'status'>): boolean =>
  status === 'open' || status === 'finalised';

/** @throws ConcordatError TASK_STOPPED when a round is not wanted any more */
export function requireWanted(cancel: AbortSignal | undefined): void {
  if (cancel?.aborted) throw new ConcordatError('TASK_STOPPED', 'stopped by its operator');
}

/**
 * @throws ConcordatError PRIVACY_BUDGET_SPENT when the task has no round left to open; TASK_STOPPED; CONFLICT while another task
 *   has a round under way
 */
export async function openOrResume(
  parts: RoundParts,
  earlierRounds: EarlierRounds,
  cancel?: AbortSignal,
): Promise<{ round: number; record: RoundRecord }> {
  const { ledger, task } = parts;
  const last = await ledger.roundCount();
  const record = last === 0 ? undefined : await ledger.roundOf(last);
  if (record && isUnderWay(record)) {
    if (record.taskHash === task.hash) return { round: last, record };
    throw new ConcordatError('CONFLICT', `round ${last} is of task ${record.taskHash} and not over`);
  }
  const baseModelHash = (await ledger.lastModelOf(task.hash)) ?? parts.initialModel;
  const earlier = task.privacy.mode === 'none' ? [] : await earlierRounds(last + 1);
  const epsilonAfterMilli = epsilonAfterNextRound(task, earlier);
  const deadline = (await parts.chainNowSeconds()) + Math.ceil(task.cohort.deadlineMs / 1000);
  requireWanted(cancel);
  const opened = await ledger.openRound({
    taskHash: task.hash,
    requirement: parts.requirement,
    baseModelHash,
    epsilonAfterMilli,
    deadline,
  });
  parts.gas('openRound', opened.gasUsed);
  const fresh = await ledger.roundOf(opened.round);
  if (fresh === undefined) throw new ConcordatError('CHAIN_WRONG', `round ${opened.round} is not on chain`);
  return { round: opened.round, record: fresh };
}
