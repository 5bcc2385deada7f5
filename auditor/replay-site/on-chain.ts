// What the chain says of one dealer's part in one round: the round, the commit, the selection it was made under, and the beacon.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { findBlock } from '../chain/block.ts';
import { type Endpoints, openEndpoints } from '../chain/endpoints.ts';
import { type Findings, proveHeader } from '../chain/proven-block.ts';
import { type ChainReader, quantity } from '../chain/rpc.ts';
import { type ChainEvent, type EventName, type EventOf, eventsOf, type History, type Place } from '../history.ts';
import { lineOf } from '../lineage.ts';
import { type ReceiptChain, receiptChainOf } from '../receipt-chain.ts';
import { type AboutDealer, readReceiptLine } from '../receipt-line.ts';

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
  rpc: Endpoints,
  at: { readonly federation: Hex; readonly dealer: Hex; readonly round: number; readonly head?: Hex },
): Promise<ReplayChain> {
  const reader = openEndpoints(rpc);
  const about: AboutDealer = { ...at, also: ({ fields }) => fields.round === at.round };
  const line = await readReceiptLine(reader, about);
  const own = lineOf(line.history).find(({ deployment }) => deployment.federation === at.federation);
  if (own === undefined) throw new ConcordatError('CHAIN_WRONG', `no federation at ${at.federation}`);
  const { events, deployment } = own;
  const { chainId, ledger } = deployment;

  const round = eventsOf(events, 'RoundOpened').find((event) => event.round === at.round);
  if (round === undefined) throw new ConcordatError('NOT_FOUND', `round ${at.round} was never opened`);
  // the one that stands: the last
  const commit = eventsOf(events, 'Committed').findLast(
    (event) => event.round === at.round && event.dealer === at.dealer,
  );
  if (commit === undefined) {
    const detail = `${at.dealer} committed to nothing in round ${at.round}`;
    throw new ConcordatError('NOT_FOUND', detail, { round: at.round, dealer: at.dealer });
  }
  const selection = selectionBefore(commit, events, round.requirementKey);
  const ended = events.find(({ name, ...event }) => ENDS.has(name) && 'round' in event && event.round === at.round);
  return {
    ...{ chainId, federation: at.federation, ledger, round },
    commit: { ...commit, transaction: commit.at.transaction },
    beacon: ended && (await beaconAfter(reader, ended, own)),
    selected: new Set(selection === undefined ? [] : selectedBy(selection)),
    receipts: receiptChainOf(line, about),
  };
}

const ENDS: ReadonlySet<EventName> = new Set(['SetFinalised', 'RoundFailed']);

/** What a dealer selects after its commit, in the same block, is not what it committed under. @param events in order */
export function selectionBefore(
  { dealer, at }: Pick<EventOf<'Committed'>, 'dealer' | 'at'>,
  events: readonly ChainEvent[],
  requirementKey: Hex,
): EventOf<'SelectionAdmitted'> | undefined {
  return eventsOf(events, 'SelectionAdmitted').findLast(
    (event) => event.dealer === dealer && event.requirementKey === requirementKey && isBefore(event.at, at),
  );
}

const isBefore = (a: Place, b: Place): boolean => a.block < b.block || (a.block === b.block && a.logIndex < b.logIndex);

/**
 * The first block after the one in which the round's set was fixed (or the round failed): by then what dealers committed to
 * cannot change, and nobody who could still choose a commit knew its hash.
 */
async function beaconAfter(
  reader: ChainReader,
  { at }: ChainEvent,
  { headBlock }: History,
): Promise<Beacon | undefined> {
  const blockNumber = at.block + 1;
  if (blockNumber > headBlock) return undefined;
  const before = await findBlock(reader, at.block);
  const findings: Findings = { faults: [], undecided: [] };
  const told = await reader.ask('eth_getBlockByNumber', [quantity(blockNumber), false]);
  const header = proveHeader(told, blockNumber, findings);
  if (header?.parentHash === before?.hash && header !== undefined) return { blockNumber, blockHash: header.hash };
  const [fault] = [...findings.faults, ...findings.undecided];
  const detail = fault?.what ?? `its parent is ${header?.parentHash}, and block ${at.block} is ${before?.hash}`;
  throw new ConcordatError('CHAIN_WRONG', `the block that draws the sample: ${detail}`);
}

/** @throws ConcordatError CHAIN_WRONG when the transaction is not a direct call of the registry */
function selectedBy({ call, at: { transaction } }: EventOf<'SelectionAdmitted'>): bigint[] {
  if (call !== undefined) return call.buckets.map(({ digest }) => digest);
  throw new ConcordatError('CHAIN_WRONG', `transaction ${transaction} does not call the registry`, { transaction });
}
