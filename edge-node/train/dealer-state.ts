// What a dealer carries from round to round (SCAFFOLD's control variate). Written for an attempt before it is sealed, and used
// once chain says that this attempt was in a published sum: a killed node, a failed round or a late commit changes nothing.
import type { RoundLedger } from '../../engines/chain/round-ledger.ts';
import { keyOf, type Store } from '../../engines/store/store.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { NO_STATE, type StrategyState } from '../../protocol/learning/strategies/strategy.ts';
import { decodeState, encodeState } from '../../protocol/learning/strategy-state.ts';

export interface DealerStates {
  /** Before anything of the attempt leaves this node. */
  write(round: number, attempt: number, state: StrategyState): Promise<void>;
  /** As the last round before this one left it that counted; older ones are forgotten. */
  before(round: number, parameters: number): Promise<StrategyState>;
}

export interface DealerStateParts {
  readonly store: Pick<Store, 'list' | 'write'>;
  readonly ledger: Pick<RoundLedger, 'roundOf' | 'commitOf' | 'setOf'>;
  readonly dealer: Hex;
  /** Each task has its own. */
  readonly taskHash: Hex;
}

const BUCKET = 'dealer-state'; // task, round, attempt -> state file

export function createDealerStates({ store, ledger, dealer, taskHash }: DealerStateParts): DealerStates {
  async function counted(round: number, attempt: number): Promise<boolean> {
    if ((await ledger.roundOf(round))?.status !== 'published') return false;
    if ((await ledger.commitOf(round, dealer))?.attempt !== attempt) return false;
    return (await ledger.setOf(round))?.dealers.includes(dealer) ?? false;
  }

  return {
    async write(round, attempt, state) {
      const value = encodeState(state);
      if (value !== undefined) await store.write([{ put: keyOf(BUCKET, taskHash, round, attempt), value }]);
    },
    async before(round, parameters) {
      const rows = (await store.list(`${BUCKET}/${taskHash}/`)).reverse();
      for (const [i, { key, value }] of rows.entries()) {
        const [from = 0, attempt = 0] = key.split('/').slice(2).map(Number);
        if (from >= round || !(await counted(from, attempt))) continue;
        const older = rows.slice(i + 1);
        if (older.length > 0) await store.write(older.map((row) => ({ del: row.key })));
        return decodeState(value, parameters);
      }
      return NO_STATE;
    },
  };
}
