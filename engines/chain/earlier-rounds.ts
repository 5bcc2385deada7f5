// The rounds before a round, as the privacy ledger looks at them.
import type { EarlierRound } from '../../protocol/learning/privacy/ledger.ts';
import type { RoundLedger, RoundRecord } from './round-ledger.ts';

/** Rounds 1 … before-1, in order. */
export type EarlierRounds = (before: number) => Promise<readonly EarlierRound[]>;

/** Questions under way to the chain's endpoint. */
const ASKED_AT_ONCE = 16;

/** What is over does not change again, and is asked for once. */
const isOver = ({ status }: RoundRecord): boolean => status === 'published' || status === 'failed';

/** An open round may still be finalised, so it counts; one that failed counts when its set was fixed: it may have been opened. */
export const privacyCounts = ({ status, setHash }: Pick<RoundRecord, 'status' | 'setHash'>): boolean =>
  status !== 'failed' || setHash !== undefined;

export function createEarlierRounds(ledger: Pick<RoundLedger, 'roundOf'>): EarlierRounds {
  const over = new Map<number, EarlierRound>();

  async function look(round: number): Promise<EarlierRound[]> {
    const known = over.get(round);
    if (known !== undefined) return [known];
    const record = await ledger.roundOf(round);
    if (record === undefined) return [];
    const { taskHash, epsilonAfterMilli } = record;
    const earlier = { taskHash, epsilonAfterMilli, counts: privacyCounts(record) };
    if (isOver(record)) over.set(round, earlier);
    return [earlier];
  }

  return async (before) => {
    const found: EarlierRound[] = [];
    for (let from = 1; from < before; from += ASKED_AT_ONCE) {
      const some = Array.from({ length: Math.min(ASKED_AT_ONCE, before - from) }, (_, i) => from + i);
      found.push(...(await Promise.all(some.map(look))).flat());
    }
    return found;
  };
}
