// Follows the chain: every event once, in order, from a block on, through outages of the endpoint.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { ChainClient } from './client.ts';
import { type ChainEvent, readEvents } from './events.ts';

interface WatchOptions {
  readonly fromBlock: number;
  readonly pollMs: number;
  readonly signal: AbortSignal;
  /** Blocks to wait for on a chain that may drop its newest ones; 0 on the embedded chain. */
  readonly confirmations?: number;
  /** Told once per outage, and once when the endpoint is back. */
  readonly onOutage?: (state: 'away' | 'back') => void;
}

/**
 * Ends when `signal` aborts. Resume from the block after the last one you handled wholly, or from the same block and skip
 * what you know by (blockNumber, logIndex).
 * @throws ConcordatError CHAIN_WRONG when the chain has become shorter than what was already seen
 */
export async function* watchEvents(
  client: ChainClient,
  addresses: readonly Hex[],
  options: WatchOptions,
): AsyncGenerator<ChainEvent, void, void> {
  const { signal, pollMs, confirmations = 0 } = options;
  let next = options.fromBlock;
  let highest = 0;
  let away = false;
  while (!signal.aborted) {
    let events: ChainEvent[] = [];
    try {
      const head = await client.blockNumber();
      if (head < highest) {
        throw new ConcordatError('CHAIN_WRONG', `the chain ends at block ${head}, it ended at ${highest}`, {
          head,
          highest,
        });
      }
      highest = head;
      const settled = head - confirmations;
      if (settled >= next) {
        // the range is closed by a block that exists: nothing can still appear inside it
        events = await readEvents(client, { address: addresses, fromBlock: next, toBlock: settled });
        next = settled + 1;
      }
      if (away) options.onOutage?.('back');
      away = false;
    } catch (error) {
      if (!(error instanceof ConcordatError) || error.code !== 'CHAIN_UNREACHABLE') throw error;
      if (!away) options.onOutage?.('away');
      away = true;
    }
    for (const event of events) {
      if (signal.aborted) return;
      yield event;
    }
    if (events.length === 0) await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}
