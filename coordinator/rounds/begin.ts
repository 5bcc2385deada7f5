// The first step: the task's unfinished round, or a new one.
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import { NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { RoundParts } from './parts.ts';

export async function openOrResume(parts: RoundParts): Promise<{ round: number; record: RoundRecord }> {
  const { ledger, task } = parts;
  const last = await ledger.roundCount();
  const record = last === 0 ? undefined : await ledger.roundOf(last);
  if (record && (record.status === 'open' || record.status === 'finalised')) return { round: last, record };
  const baseModelHash = (await ledger.lastModelOf(task.hash)) ?? parts.initialModel;
  const deadline = (await parts.chainNowSeconds()) + Math.ceil(task.cohort.deadlineMs / 1000);
  const opened = await ledger.openRound({
    taskHash: task.hash,
    requirement: parts.requirement,
    baseModelHash,
    epsilonAfterMilli: NO_PRIVACY_CAP,
    deadline,
  });
  parts.gas('openRound', opened.gasUsed);
  const fresh = await ledger.roundOf(opened.round);
  if (fresh === undefined) throw new ConcordatError('CHAIN_WRONG', `round ${opened.round} is not on chain`);
  return { round: opened.round, record: fresh };
}
