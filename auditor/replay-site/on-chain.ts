// What the chain says of one dealer's part in one round: the round, the commit, the selection it was made under, and the beacon.
import { type Hex, toHex, uintToBytes } from '../../protocol/bytes.ts';
import { abiWord } from '../../protocol/consent/hex-schema.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { findBlock } from '../chain/block.ts';
import { type SentTransaction, selectionCall } from '../chain/calls.ts';
import { viewWired } from '../chain/contract.ts';
import { type LoggedEvent, readLogs, topicOf } from '../chain/logs.ts';
import { type ChainReader, createReader } from '../chain/rpc.ts';
import type { EventName, EventOf } from '../history.ts';
import { type ReceiptChain, readReceiptChain } from '../receipt-chain.ts';

/** A block that nobody knew when the dealer committed. */
export interface Beacon {
  readonly blockNumber: number;
  readonly blockHash: Hex;
}

export interface ReplayChain {
  readonly chainId: number;
  readonly federation: Hex;
  readonly ledger: Hex;
  readonly round: EventFields<'RoundOpened'>;
  readonly commit: EventFields<'Committed'> & { readonly transaction: Hex };
  /** Undefined while no block came after the end of the round. */
  readonly beacon: Beacon | undefined;
  /** Digests of the buckets that the dealer had selected when it committed; empty when there is no such selection. */
  readonly selected: ReadonlySet<bigint>;
  /** For the receipts, which are all of the anchor that the commit was made under. */
  readonly receipts: ReceiptChain;
}

type EventFields<N extends EventName> = Omit<EventOf<N>, 'name' | 'at' | 'call'>;

/** @throws ConcordatError CHAIN_*, NOT_FOUND when the dealer committed to nothing in the round */
export async function readReplayChain(
  rpcUrl: string,
  at: { readonly federation: Hex; readonly dealer: Hex; readonly round: number },
): Promise<ReplayChain> {
  const reader = createReader(rpcUrl);
  const { chainId, registry, ledger } = await viewWired(reader, at.federation);
  const headBlock = Number(await reader.ask('eth_blockNumber', []));
  const dealer = toHex(abiWord(at.dealer));
  const of = (name: EventName, ...topics: readonly Hex[]) =>
    readLogs(reader, {
      ...{ address: [ledger], fromBlock: 0, toBlock: headBlock },
      topics: [topicOf(name), toHex(uintToBytes(at.round, 32)), ...topics],
    });

  const [opened] = await of('RoundOpened');
  if (opened === undefined) throw new ConcordatError('NOT_FOUND', `round ${at.round} was never opened`);
  // the one that stands: the last
  const committed = (await of('Committed', dealer)).at(-1);
  if (committed === undefined) {
    const detail = `${at.dealer} committed to nothing in round ${at.round}`;
    throw new ConcordatError('NOT_FOUND', detail, { round: at.round, dealer: at.dealer });
  }
  const round = opened.fields as unknown as EventFields<'RoundOpened'>;
  const fields = committed.fields as unknown as EventFields<'Committed'>;
  const commit = { ...fields, transaction: committed.transaction };
  const events = await readLogs(reader, {
    ...{ address: [registry], fromBlock: 0, toBlock: committed.block },
    topics: [null, dealer],
  });
  const epochs = events.flatMap((event) =>
    event.name === 'Anchored' && event.fields.root === commit.anchoredRoot ? [Number(event.fields.epoch)] : [],
  );
  const selection = selectionBefore(committed, events, round.requirementKey);
  const [ended] = [...(await of('SetFinalised')), ...(await of('RoundFailed'))];
  return {
    ...{ chainId, federation: at.federation, ledger, round, commit },
    beacon: ended && (await beaconAfter(reader, ended)),
    selected: new Set(selection === undefined ? [] : await selectedBy(reader, registry, selection)),
    receipts: await readReceiptChain(rpcUrl, { ...at, epochs: epochs.flatMap((epoch) => [epoch, epoch + 1]) }),
  };
}

/** What a dealer selects after its commit, in the same block, is not what it committed under. @param events in order */
export function selectionBefore(
  committed: Pick<LoggedEvent, 'block' | 'logIndex'>,
  events: readonly LoggedEvent[],
  requirementKey: Hex,
): LoggedEvent | undefined {
  return events.findLast(
    ({ name, fields, block, logIndex }) =>
      name === 'SelectionAdmitted' &&
      fields.requirementKey === requirementKey &&
      (block < committed.block || (block === committed.block && logIndex < committed.logIndex)),
  );
}

/**
 * The first block after the one in which the round's set was fixed (or the round failed): by then what dealers committed to
 * cannot change, and nobody who could still choose a commit knew its hash.
 */
async function beaconAfter(reader: ChainReader, ended: LoggedEvent): Promise<Beacon | undefined> {
  const blockNumber = ended.block + 1;
  const found = await findBlock(reader, blockNumber);
  return found && { blockNumber, blockHash: found.hash };
}

/** @throws ConcordatError CHAIN_WRONG when the transaction is not a direct call of the registry */
async function selectedBy(reader: ChainReader, registry: Hex, { transaction }: LoggedEvent): Promise<bigint[]> {
  const sent = (await reader.ask('eth_getTransactionByHash', [transaction])) as SentTransaction | null;
  const call = sent === null ? undefined : selectionCall(registry, sent);
  if (call !== undefined) return call.buckets.map(({ digest }) => digest);
  throw new ConcordatError('CHAIN_WRONG', `transaction ${transaction} does not call ${registry}`, { transaction });
}
