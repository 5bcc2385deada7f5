// Reads a federation's whole history from a chain endpoint, or several: events in order, block times, senders, and calldata.
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { type Contract, proveCode, readAccountProofs } from './chain/account.ts';
import { type Behind, type Block, type Proofs, proveWhole, readBehind, type Transaction } from './chain/behind.ts';
import { type BlockFacts, findBlock, findBlockOfHash } from './chain/block.ts';
import { anchorCall, claimCall, openCall, selectionCall } from './chain/calls.ts';
import { readCode, viewFederation } from './chain/contract.ts';
import { unlessZero } from './chain/decode.ts';
import { type ComparedReader, type Endpoints, openEndpoints } from './chain/endpoints.ts';
import { eventsOfLogs, type LoggedEvent, type RawLog, readRawLogs } from './chain/logs.ts';
import { proveHeader } from './chain/proven-block.ts';
import { type ChainReader, quantity } from './chain/rpc.ts';
import { readStanding } from './chain/standing.ts';
import type { ChainEvent, Deployment, History, Place, Standing } from './history.ts';
import { LONGEST_LINE } from './lineage.ts';

export interface ReadOptions {
  /** Where the federation begins; nothing is said of its predecessors. */
  readonly fromBlock?: number;
  /** The hash of a block that the auditor trusts: the last one read, and everything else must lead to it. */
  readonly head?: Hex;
  /** Which events' blocks are held to their headers: all, unless something else is said. */
  readonly prove?: (event: LoggedEvent) => boolean;
  /** Whose anchors and commits the contracts are asked for. */
  readonly ofDealer?: Hex;
}

/**
 * @param rpc several are compared: where one tells something else it stands in the history's `reading`
 * @throws ConcordatError CHAIN_UNREACHABLE; CHAIN_WRONG when there is no federation at the address, and when the endpoint tells
 * two stories: another branch of the chain, or another node behind one address
 */
export async function readHistory(
  rpc: Endpoints,
  federation: Hex,
  fromBlock = 0,
  options: Omit<ReadOptions, 'fromBlock'> = {},
): Promise<History> {
  return readHistoryWith(openEndpoints(rpc), federation, { fromBlock, ...options });
}

/** @throws ConcordatError as `readHistory` */
export async function readHistoryWith(reader: ComparedReader, federation: Hex, options: ReadOptions): Promise<History> {
  const before = await headOf(reader, options.head);
  const { number: headBlock } = before;
  const history = await readLine(reader, federation, before, options);
  const after = await findBlock(reader, headBlock);
  if (before.hash === after?.hash) return { ...history, headHash: before.hash };
  throw new ConcordatError('CHAIN_WRONG', `block ${headBlock} was replaced while the chain was read: run it again`);
}

type Head = BlockFacts & { readonly number: number };

/** The last block that is read. */
async function headOf(reader: ChainReader, trusted: Hex | undefined): Promise<Head> {
  if (trusted !== undefined) {
    const found = await findBlockOfHash(reader, trusted);
    if (found !== undefined) return found;
    throw new ConcordatError('CHAIN_WRONG', `${reader.url} knows no block ${trusted}`, { hash: trusted });
  }
  const number = Number(await reader.ask('eth_blockNumber', []));
  const found = Number.isSafeInteger(number) ? await findBlock(reader, number) : undefined;
  if (found !== undefined) return { ...found, number };
  throw new ConcordatError('CHAIN_WRONG', `${reader.url} tells no last block`);
}

interface Asked {
  readonly deployment: Deployment;
  readonly standing: Standing;
  /** Of the accounts of its four contracts. */
  readonly accounts: unknown[] | undefined;
}

async function readLine(
  reader: ComparedReader,
  federation: Hex,
  head: Head,
  { fromBlock = 0, head: trusted, prove = () => true, ofDealer }: ReadOptions,
): Promise<History> {
  // asked before any log is read: an endpoint may forget what stood at a block once it is some minutes old
  const line = await askLine(reader, federation, head.number, ofDealer);
  const proofs: Proofs = { links: new Map(), faults: [], undecided: [] };
  const read: { readonly asked: Asked; readonly logs: readonly RawLog[]; readonly events: LoggedEvent[] }[] = [];
  for (const [i, asked] of line.entries()) {
    const address = [asked.deployment.federation, asked.deployment.registry, asked.deployment.ledger];
    // whoever says where this one begins does not say it of those before it
    const filter = { address, fromBlock: i === line.length - 1 ? fromBlock : 0, toBlock: head.number };
    const logs = await readRawLogs(reader, filter);
    read.push({ asked, logs, events: eventsOfLogs(logs) });
  }
  const logs = read.flatMap((one) => one.logs);
  const contracts = new Set(line.flatMap(({ deployment: of }) => [of.federation, of.registry, of.ledger]));
  const wanted = new Set(read.flatMap(({ events }) => events.filter(prove).map(({ block }) => block)));
  const behind = await readBehind(reader, { contracts, logs, prove: (block) => wanted.has(block) }, proofs);
  const withLogs = new Set(logs.map(({ blockNumber }) => blockNumber));
  const headOfAll = { headBlock: head.number, headHash: trusted ?? head.hash, evenFar: trusted !== undefined };
  const linked = await proveWhole(reader, { contracts, withLogs, ...headOfAll }, proofs);
  const provenCode = await proveCodeOf(reader, line, head.number, proofs);

  let history: History | undefined;
  for (const { asked, events: own } of read) {
    const events = own.map((event) => toAuditEvent(asked.deployment, event, behind));
    const { deployment, standing } = asked;
    history = { deployment, standing, events, headBlock: head.number, ...(history && { predecessor: history }) };
  }
  if (history === undefined) throw new ConcordatError('CHAIN_WRONG', 'an empty line');
  const { names, differences } = reader;
  return {
    ...history,
    reading: {
      ...{ endpoints: names, blocks: wanted.size, provenBlocks: proofs.links.size, linked },
      ...{ trustedHead: trusted !== undefined, provenCode, undecided: proofs.undecided },
      faults: [...differences, ...proofs.faults],
    },
  };
}

/** What the contracts of the line answer, oldest first: each is asked for the one before it. */
async function askLine(
  reader: ChainReader,
  federation: Hex,
  headBlock: number,
  ofDealer: Hex | undefined,
): Promise<Asked[]> {
  const line: Asked[] = [];
  for (let next: Hex | undefined = federation; next !== undefined && line.length < LONGEST_LINE; ) {
    const asked = await askOne(reader, next, headBlock, ofDealer).catch((cause: unknown) => {
      // no federation there: check 18 has the event, and no history to it
      if (line.length > 0 && cause instanceof ConcordatError && NO_FEDERATION.has(cause.code)) return undefined;
      throw cause;
    });
    if (asked === undefined) break;
    line.unshift(asked);
    const before: Hex | undefined = unlessZero(asked.standing.predecessor);
    next = line.some(({ deployment }) => deployment.federation === before) ? undefined : before;
  }
  return line;
}

async function askOne(
  reader: ChainReader,
  federation: Hex,
  headBlock: number,
  ofDealer: Hex | undefined,
): Promise<Asked> {
  const block = quantity(headBlock);
  const found = await viewFederation(reader, federation, block);
  const code = await readCode(reader, found, block);
  const deployment = { ...found, code };
  const standing = await readStanding(reader, found, block, ofDealer);
  const addresses = contractsOf(deployment).map(({ address }) => address);
  return { deployment, standing, accounts: await readAccountProofs(reader, addresses, block) };
}

function contractsOf({ federation, registry, ledger, code }: Deployment): readonly Contract[] {
  return [
    { address: federation, code: code.federation },
    { address: registry, code: code.registry },
    { address: ledger, code: code.ledger },
    { address: code.verifierAddress, code: code.verifier },
  ];
}

/** false: the endpoint tells no proofs of accounts; what is wrong with one that it tells is a fault. */
async function proveCodeOf(
  reader: ChainReader,
  line: readonly Asked[],
  headBlock: number,
  proofs: Proofs,
): Promise<boolean> {
  const told = await reader.ask('eth_getBlockByNumber', [quantity(headBlock), false]);
  const header = proveHeader(told, headBlock, proofs);
  if (header === undefined || line.some(({ accounts }) => accounts === undefined)) return false;
  for (const { deployment, accounts } of line) {
    for (const [i, contract] of contractsOf(deployment).entries()) {
      proveCode(contract, accounts?.[i], header.stateRoot, proofs);
    }
  }
  return true;
}

const NO_FEDERATION: ReadonlySet<string> = new Set(['CHAIN_WRONG', 'CHAIN_REVERTED']);

function toAuditEvent(deployment: Deployment, event: LoggedEvent, { blocks, transactions }: Behind): ChainEvent {
  const [block, sent] = [blocks.get(event.block), transactions.get(event.transaction)];
  if (block === undefined || sent === undefined)
    throw new ConcordatError('CHAIN_WRONG', `block ${event.block} has no transaction ${event.transaction}`);
  if (block.hash !== event.blockHash || sent.blockHash !== event.blockHash)
    throw new ConcordatError(
      'CHAIN_WRONG',
      `log, transaction and block ${event.block} are not of one branch: run it again`,
    );
  const at: Place = {
    block: event.block,
    logIndex: event.logIndex,
    timestamp: Number(block.timestamp),
    transaction: event.transaction,
    sender: sent.from,
    contract: event.address,
  };
  // history.ts names the same fields as the generated ABI: tests read one of each
  return { name: event.name, ...event.fields, at, ...callOf(deployment, event, sent, block) } as ChainEvent;
}

function callOf({ registry, ledger }: Deployment, { name }: LoggedEvent, sent: Transaction, block: Block): object {
  switch (name) {
    case 'Anchored':
      return { call: anchorCall(registry, sent) };
    case 'PoliciesAdmitted':
      return { call: claimCall(registry, sent) };
    case 'SelectionAdmitted':
      return { call: selectionCall(registry, sent) };
    case 'RoundOpened':
      return { call: openCall(ledger, sent, block.parentHash) };
    default:
      return {};
  }
}
