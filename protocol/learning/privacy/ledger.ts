// The privacy ledger: what a round's stated epsilon must be, given the rounds before it. One rule for all who check it.

import type { Hex } from '../../bytes.ts';
import { NO_PRIVACY_CAP } from '../../consent/policy.ts';
import { ConcordatError } from '../../errors.ts';
import { type Accountant, createAccountant } from './accountant.ts';
import type { DpTerms, PrivacyTerms } from './terms.ts';

/** A round that was opened before, in order. */
export interface EarlierRound {
  readonly taskHash: Hex;
  /** As stated on chain. */
  readonly epsilonAfterMilli: number;
  /** Its sum was opened, or still may be: everything but a round that failed before its set was fixed. */
  readonly counts: boolean;
}

export interface LedgerTask {
  readonly hash: Hex;
  readonly rounds: number;
  readonly privacy: PrivacyTerms;
}

const accountants = new WeakMap<DpTerms, Accountant>();

function accountantOf(terms: DpTerms, rounds: number): Accountant {
  const known = accountants.get(terms) ?? createAccountant(terms, rounds);
  accountants.set(terms, known);
  return known;
}

/**
 * Epsilon per customer after the task's next round, thousandths, over all tasks of the ledger: epsilons of different tasks add
 * up (and so do their deltas). Rounds of a task without privacy do not count: nobody with a cap is in them.
 * @throws ConcordatError PRIVACY_BUDGET_SPENT when the task's own share would pass its budget
 */
export function epsilonAfterNextRound(task: LedgerTask, earlier: readonly EarlierRound[]): number {
  const { privacy } = task;
  if (privacy.mode === 'none') return NO_PRIVACY_CAP;
  const accountant = accountantOf(privacy, task.rounds);
  let [total, sums] = [0, 0];
  const more = () => accountant.epsilonMilliAfter(sums + 1) - accountant.epsilonMilliAfter(sums);
  for (const { taskHash, epsilonAfterMilli, counts } of earlier) {
    if (!counts) continue;
    // whatever it stated: a round that says "no cap" would otherwise spend nothing of the task's budget, any number of times
    if (taskHash === task.hash) {
      total += more();
      sums += 1;
    } else if (epsilonAfterMilli !== NO_PRIVACY_CAP) total = Math.max(total, epsilonAfterMilli);
  }
  requireBudget(privacy, accountant.epsilonMilliAfter(sums + 1), sums);
  return Math.min(NO_PRIVACY_CAP, total + more());
}

function requireBudget({ epsilon }: DpTerms, epsilonAfterMilli: number, sums: number): void {
  const budgetMilli = Math.floor(1_000 * epsilon + 1e-9);
  if (epsilonAfterMilli <= budgetMilli) return;
  const detail = `after ${sums} rounds one more would cost ${epsilonAfterMilli / 1_000} of ${epsilon}`;
  throw new ConcordatError('PRIVACY_BUDGET_SPENT', detail, { epsilonAfterMilli, budgetMilli, sums });
}
