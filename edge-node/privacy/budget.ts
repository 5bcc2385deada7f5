// Before a dealer takes part: what the round costs its customers, computed from chain and task alone, is what the round states.
import type { EarlierRounds } from '../../engines/chain/earlier-rounds.ts';
import type { RoundLedger } from '../../engines/chain/round-ledger.ts';
import { NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { epsilonAfterNextRound } from '../../protocol/learning/privacy/ledger.ts';
import type { Task } from '../../protocol/learning/task.ts';

/**
 * A round that states more than it costs is let pass: that protects everybody, and a round before it may have failed since.
 * @throws ConcordatError PRIVACY_BUDGET_SPENT, PRIVACY_UNDERSTATED
 */
export async function requirePrivacy(
  round: number,
  { epsilonAfterMilli }: { readonly epsilonAfterMilli: number },
  { task, earlierRounds }: Pick<NextRoundParts, 'task' | 'earlierRounds'>,
): Promise<void> {
  // without a budget the cost is "no cap": a round that stated less would let in customers who set one
  const earlier = task.privacy.mode === 'none' ? [] : await earlierRounds(round);
  const costs = epsilonAfterNextRound(task, earlier);
  if (epsilonAfterMilli >= costs) return;
  const detail = `round ${round} states ${epsilonAfterMilli} thousandths, and costs ${costs}`;
  throw new ConcordatError('PRIVACY_UNDERSTATED', detail, { round, stated: epsilonAfterMilli, costs });
}

interface NextRoundParts {
  readonly task: Task;
  readonly earlierRounds: EarlierRounds;
  readonly ledger: Pick<RoundLedger, 'roundCount'>;
}

/** What the next round would state: whom to prepare proofs for. NO_PRIVACY_CAP when there will be none. */
export async function epsilonOfNextRound({ task, earlierRounds, ledger }: NextRoundParts): Promise<number> {
  if (task.privacy.mode === 'none') return NO_PRIVACY_CAP;
  const earlier = await earlierRounds(1 + (await ledger.roundCount()));
  try {
    return epsilonAfterNextRound(task, earlier);
  } catch (error) {
    if (error instanceof ConcordatError && error.code === 'PRIVACY_BUDGET_SPENT') return NO_PRIVACY_CAP;
    throw error;
  }
}
