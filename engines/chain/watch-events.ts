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
  /** How long an endpoint may be behind what it has already shown: those behind a balancer differ for a moment. */
  readonly lagToleranceMs?: number;
  /** Told once per outage, and once when the endpoint is back. */
  readonly onOutage?: (state: 'away' | 'back') => void;
}

/** The last block whose events were delivered. */
interface Seen {
  readonly number: number;
  readonly hash: Hex;
}

/**
 * Ends when `signal` aborts. Resume from the block after the last one you handled wholly, or from the same block and skip
 * what you know by (blockNumber, logIndex).
 * @throws ConcordatError CHAIN_WRONG when blocks already delivered are no longer those of the chain
 */
export async function* watchEvents(
  client: ChainClient,
  addresses: readonly Hex[],
  options: WatchOptions,
): AsyncGenerator<ChainEvent, void, void> {
  const { signal, pollMs, confirmations = 0, lagToleranceMs = 10_000 } = options;
  let next = options.fromBlock;
  let seen: Seen | undefined;
  let laggingSince: number | undefined;
  let away = false;
  while (!signal.aborted) {
    let events: ChainEvent[] = [];
    try {
      const settled = (await client.blockNumber()) - confirmations;
      if (seen !== undefined && settled < seen.number) {
        laggingSince ??= performance.now();
        if (performance.now() - laggingSince > lagToleranceMs) throw rewritten(seen, `it ends at block ${settled}`);
      } else if (settled >= next) {
        laggingSince = undefined;
        await requireSame(client, seen);
        // the range is closed by a block that exists: nothing can still appear inside it
        const last = { number: settled, hash: await blockHash(client, settled) };
        events = await readEvents(client, { address: addresses, fromBlock: next, toBlock: settled });
        seen = last;
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

async function requireSame(client: ChainClient, seen: Seen | undefined): Promise<void> {
  if (seen === undefined) return;
  const hash = await blockHash(client, seen.number);
  if (hash !== seen.hash) throw rewritten(seen, `block ${seen.number} is ${hash}, it was ${seen.hash}`);
}

async function blockHash(client: ChainClient, number: number): Promise<Hex> {
  const block = await client.rpc.call('eth_getBlockByNumber', [`0x${number.toString(16)}`, false]);
  return (block as { readonly hash: Hex } | null)?.hash ?? '0x';
}

const rewritten = (seen: Seen, found: string) =>
  new ConcordatError('CHAIN_WRONG', `the chain is not the one followed so far: ${found}`, { block: seen.number });
