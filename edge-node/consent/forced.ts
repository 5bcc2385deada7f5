// Forced withdrawals of this dealer: taken from the chain into the log as if the customer had sent them, then acknowledged.
import type { ChainConnection } from '../../engines/chain/connect.ts';
import type { PendingWithdrawal } from '../../engines/chain/consent-registry.ts';
import { readEvents, topicOf } from '../../engines/chain/events.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { departureOf, entryOfForced, settlementOf } from '../../protocol/consent/forced.ts';
import { abiWord } from '../../protocol/consent/hex-schema.ts';
import type { ConsentState } from '../../protocol/consent/state.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { ConsentBook } from './book.ts';

export interface ForcedWithdrawals {
  /**
   * Takes into the log, durably, what is pending on chain and not yet settled by it. One that cannot be taken in is an error in
   * the node's log and holds up nobody else's consent: on chain it goes on holding up this dealer's commits.
   */
  takeIn(): Promise<void>;
  /** `anchored`: the state under the dealer's current root. What it settles is cleared on chain. */
  acknowledge(anchored: ConsentState): Promise<void>;
}

export interface ForcedParts {
  readonly book: ConsentBook;
  readonly chain: Pick<ChainConnection, 'client' | 'registry'>;
  readonly log: Log;
}

/** One path is about 600 bytes of calldata and 10,000 gas: far from what a block holds. */
const ACKNOWLEDGED_AT_ONCE = 100;

/**
 * Nothing is remembered here: what to do follows, every time, from what is pending on chain and what is in the log. So it may
 * be killed at any line, and doing it twice does it once.
 */
export function createForcedWithdrawals({ book, chain, log }: ForcedParts): ForcedWithdrawals {
  const { registry } = chain;
  const { dealer } = book;

  async function entryOf({ subject, blockNumber, registry: at }: PendingWithdrawal) {
    const [event] = await readEvents(chain.client, {
      address: at,
      fromBlock: blockNumber,
      toBlock: blockNumber,
      topics: [topicOf('ForcedWithdrawal'), toHex(abiWord(dealer)), subject],
    });
    if (event?.name !== 'ForcedWithdrawal') {
      throw new ConcordatError('CHAIN_WRONG', `block ${blockNumber} lacks the withdrawal of ${subject}`, { subject });
    }
    return entryOfForced(event);
  }

  async function acknowledgeGone(subjects: readonly Hex[], anchored: ConsentState): Promise<void> {
    const departures = subjects.map((subject) => departureOf(anchored, subject)).filter((found) => found !== undefined);
    for (let at = 0; at < departures.length; at += ACKNOWLEDGED_AT_ONCE) {
      const part = departures.slice(at, at + ACKNOWLEDGED_AT_ONCE);
      const { txHash } = await registry.acknowledge(dealer, part);
      log.info({ withdrawals: part.length, txHash }, 'forced withdrawals acknowledged');
    }
  }

  return {
    async takeIn() {
      for (const pending of await registry.pendingWithdrawals(dealer)) {
        const { subject, seq } = pending;
        if (settlementOf(book.state(), subject, seq) !== 'take') continue;
        try {
          const index = await book.takeForced(await entryOf(pending));
          log.warn(
            { subject, seq, index },
            'a customer was taken out by force: this node had not taken the withdrawal',
          );
        } catch (err) {
          log.error({ err, subject, seq }, 'a forced withdrawal could not be taken in');
        }
      }
    },
    async acknowledge(anchored) {
      const pending = await registry.pendingWithdrawals(dealer);
      const settled = (as: 'gone' | 'returned') =>
        pending.filter(({ subject, seq }) => settlementOf(anchored, subject, seq) === as).map(({ subject }) => subject);
      await acknowledgeGone(settled('gone'), anchored);
      for (const subject of settled('returned')) {
        const membership = anchored.membershipProof(subject);
        if (membership === undefined) continue;
        const { txHash } = await registry.acknowledgeReturn(dealer, subject, membership);
        log.info({ subject, txHash }, 'a forced withdrawal acknowledged: the customer has come back since');
      }
    },
  };
}

const LOOK_EVERY_MS = 5_000;

/** Looks, from the start on, whether anything is pending, and says so: a round may be far off. */
export function watchForced(
  { chain, book, log }: ForcedParts,
  { clock, onPending }: { readonly clock: Clock; readonly onPending: () => void },
) {
  const stopping = new AbortController();
  const follow = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        if ((await chain.registry.pendingWithdrawals(book.dealer)).length > 0) onPending();
      } catch (err) {
        log.debug({ err }, 'could not look for forced withdrawals');
      }
      await clock.sleep(LOOK_EVERY_MS, stopping.signal);
    }
  };
  const following = follow();
  return {
    stop: async (): Promise<void> => {
      stopping.abort();
      await following;
    },
  };
}
