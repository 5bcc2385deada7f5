// What each customer has given so far: epsilon over the rounds that their record was eligible for, by this dealer's own journal.

import { privacyCounts } from '../../engines/chain/earlier-rounds.ts';
import type { RoundLedger } from '../../engines/chain/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { createAccountant } from '../../protocol/learning/privacy/accountant.ts';
import type { Task } from '../../protocol/learning/task.ts';
import type { Participations } from '../participation.ts';

export interface CustomerPrivacy {
  /** Rounds that the customer was selected for, whether or not the sampling took them: nobody may know that. */
  readonly rounds: readonly number[];
  /** Thousandths, rounded up. At most what the chain states for the last of the rounds. */
  readonly epsilonMilli: number;
  readonly delta: number;
  /** Of the task. */
  readonly budgetMilli: number;
}

export interface PrivacyLedger {
  /** Under this dealer's task; undefined when that has no budget. */
  of(subject: Hex): Promise<CustomerPrivacy | undefined>;
}

export interface PrivacyLedgerParts {
  readonly task: Task;
  readonly participations: Pick<Participations, 'usageOf'>;
  readonly ledger: Pick<RoundLedger, 'roundOf'>;
}

export function createPrivacyLedger({ task, participations, ledger }: PrivacyLedgerParts): PrivacyLedger {
  const { privacy } = task;
  if (privacy.mode === 'none') return { of: async () => undefined };
  const accountant = createAccountant(privacy, task.rounds);

  async function counts(round: number): Promise<boolean> {
    const record = await ledger.roundOf(round);
    return record !== undefined && record.taskHash === task.hash && privacyCounts(record);
  }

  return {
    async of(subject) {
      const rounds: number[] = [];
      for (const { round, used } of await participations.usageOf(subject)) {
        if (used && (await counts(round))) rounds.push(round);
      }
      const epsilonMilli = accountant.epsilonMilliAfter(rounds.length);
      return { rounds, epsilonMilli, delta: privacy.delta, budgetMilli: Math.floor(1_000 * privacy.epsilon) };
    },
  };
}
