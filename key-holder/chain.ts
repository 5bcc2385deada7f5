// The federation on chain as a key-holder sees it: what it checks, the keys it registers, and when to look again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChainConnection } from '../engines/chain/connect.ts';
import type { EventName } from '../engines/chain/events.ts';
import { sealingKeysOf } from '../engines/chain/sealing-keys.ts';
import { watchEvents } from '../engines/chain/watch-events.ts';
import type { Log } from '../kit/log.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { KeysOnChain } from './keys/keyring.ts';
import type { ChainView } from './round-facts.ts';

export function viewOf({ client, federation, ledger }: ChainConnection): ChainView {
  return {
    chainId: client.chainId,
    ledger: ledger.address,
    statusOf: async (round) => (await ledger.roundOf(round))?.status,
    finalisedSet: async (round) => (await ledger.setOf(round))?.dealers,
    commitmentOf: ledger.commitOf,
    minCohort: async () => (await federation.parameters()).minCohort,
    registeredDealers: federation.dealers,
  };
}

/** A coordinator that never ends a round must not keep its keys alive: a day after the deadline nobody opens it any more. */
const GIVEN_UP_AFTER_SECONDS = 86_400;

/** @param address of this key-holder, whose transactions the connection signs */
export function keysOnChain(chain: ChainConnection, address: Hex): KeysOnChain {
  const { client, federation, ledger } = chain;
  return {
    async currentKey() {
      const own = (await federation.keyHolders()).find((keyHolder) => keyHolder.address === address);
      if (own === undefined) throw new ConcordatError('NOT_A_MEMBER', `${address} is not a registered key-holder`);
      return { epoch: own.keyEpoch, keyHash: own.keyHash };
    },
    rotateKey: federation.rotateKey,
    roundCount: ledger.roundCount,
    async isOver(round) {
      const [record, nowSeconds] = await Promise.all([ledger.roundOf(round), client.blockTimestamp()]);
      if (record === undefined) return false;
      const ended = record.status === 'published' || record.status === 'failed';
      return ended || nowSeconds > record.deadline + GIVEN_UP_AFTER_SECONDS;
    },
    async keyAtOpening(round) {
      // a key of an earlier deployment is kept, and erased, by whoever held it there
      if (round <= (await ledger.roundsBefore())) return undefined;
      return (await sealingKeysOf(chain, round)).find(({ keyHolder }) => keyHolder === address);
    },
  };
}

/** A round that is over calls for a new key; one that opens, for a second look at those before it. */
const CALLS_FOR_REVIEW: ReadonlySet<EventName> = new Set(['Published', 'RoundFailed', 'RoundOpened']);

interface FollowOptions {
  readonly fromBlock: number;
  readonly pollMs: number;
  readonly signal: AbortSignal;
  readonly log: Pick<Log, 'warn' | 'info'>;
}

/**
 * Reviews after every event that matters, and again until it succeeds. Ends when `signal` aborts.
 * @throws ConcordatError CHAIN_WRONG when the chain is not the one followed so far
 */
export async function reviewAsTheChainMoves(
  { client, federation, ledger }: ChainConnection,
  review: () => Promise<void>,
  { fromBlock, pollMs, signal, log }: FollowOptions,
): Promise<void> {
  const onOutage = (state: 'away' | 'back') => log.info({ state }, 'chain endpoint');
  const events = watchEvents(client, [federation.address, ledger.address], { fromBlock, pollMs, signal, onOutage });
  for await (const { name } of events) {
    while (CALLS_FOR_REVIEW.has(name) && !signal.aborted) {
      const failure = await review().then(
        () => undefined,
        (error: Error) => error,
      );
      if (failure === undefined) break;
      log.warn({ detail: failure.message }, 'sealing keys are not where they belong yet');
      await sleep(pollMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
