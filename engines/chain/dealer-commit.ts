// What a replay is held against: a dealer's commit in a round, and the block that nobody knew when it was made.
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { abiWord } from '../../protocol/consent/hex-schema.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { ChainConnection } from './connect.ts';
import { type ChainEvent, readEvents, topicOf } from './events.ts';
import { uint64Topic } from './round-ledger.ts';
import { asHex } from './values.ts';

export type DealerCommit = Extract<ChainEvent, { readonly name: 'Committed' }>;

type Chain = Pick<ChainConnection, 'client' | 'ledger'>;

/** The one that stands: the last. @throws ConcordatError NOT_FOUND when the dealer took no part */
export async function dealerCommit({ client, ledger }: Chain, round: number, dealer: Hex): Promise<DealerCommit> {
  const record = await ledger.roundOf(round);
  if (record === undefined) throw new ConcordatError('NOT_FOUND', `round ${round} was never opened`, { round });
  const topics = [topicOf('Committed'), uint64Topic(round), toHex(abiWord(dealer))];
  const events = await readEvents(client, { address: ledger.address, fromBlock: record.openedAtBlock, topics });
  const last = events.at(-1);
  if (last?.name === 'Committed') return last;
  throw new ConcordatError('NOT_FOUND', `${dealer} committed to nothing in round ${round}`, { round, dealer });
}

export interface RoundBeacon {
  readonly blockNumber: number;
  readonly blockHash: Hex;
}

/**
 * The first block after the one in which the round's set was fixed (or the round failed): by then what dealers committed to
 * cannot change, and nobody who could still choose a commit knew its hash. undefined while there is no such block.
 */
export async function roundBeacon({ client, ledger }: Chain, round: number): Promise<RoundBeacon | undefined> {
  const record = await ledger.roundOf(round);
  if (record === undefined) return undefined;
  for (const name of ['SetFinalised', 'RoundFailed'] as const) {
    const topics = [topicOf(name), uint64Topic(round)];
    const [event] = await readEvents(client, { address: ledger.address, fromBlock: record.openedAtBlock, topics });
    if (event === undefined) continue;
    const blockNumber = event.blockNumber + 1;
    const block = await client.rpc.call('eth_getBlockByNumber', [`0x${blockNumber.toString(16)}`, false]);
    if (block === null) return undefined;
    return { blockNumber, blockHash: asHex((block as { readonly hash: unknown }).hash) };
  }
  return undefined;
}
