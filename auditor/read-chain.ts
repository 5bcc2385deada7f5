// Reads a federation's whole history from a chain endpoint: events in order, block times, senders, and calldata.
import { z } from 'zod';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { findBlock } from './chain/block.ts';
import { anchorCall, claimCall, openCall, type SentTransaction, selectionCall } from './chain/calls.ts';
import { readCode, viewFederation } from './chain/contract.ts';
import { type LoggedEvent, readLogs } from './chain/logs.ts';
import { type ChainReader, createReader, quantity } from './chain/rpc.ts';
import { readStanding } from './chain/standing.ts';
import { type ChainEvent, type Deployment, eventsOf, type History, type Place } from './history.ts';
import { LONGEST_LINE } from './lineage.ts';

const hex = z
  .string()
  .regex(/^0x[0-9a-fA-F]*$/)
  .transform((text) => text.toLowerCase() as Hex);
const blockSchema = z.object({ hash: hex, timestamp: hex, parentHash: hex });
const transactionSchema = z.object({ blockHash: hex, from: hex, to: hex.nullable(), input: hex });
type Block = z.output<typeof blockSchema>;

/**
 * @throws ConcordatError CHAIN_UNREACHABLE; CHAIN_WRONG when there is no federation at the address, and when the endpoint tells
 * two stories: another branch of the chain, or another node behind one address
 */
export async function readHistory(rpcUrl: string, federation: Hex, fromBlock = 0): Promise<History> {
  const reader = createReader(rpcUrl);
  const headBlock = Number(await reader.ask('eth_blockNumber', []));
  if (!Number.isSafeInteger(headBlock)) throw new ConcordatError('CHAIN_WRONG', `${rpcUrl} tells no last block`);
  const before = await findBlock(reader, headBlock);
  const history = await readLine(reader, federation, { fromBlock, headBlock });
  const after = await findBlock(reader, headBlock);
  if (before !== undefined && before.hash === after?.hash) return { ...history, headHash: before.hash };
  throw new ConcordatError('CHAIN_WRONG', `block ${headBlock} was replaced while the chain was read: run it again`);
}

/** One moment for the whole line. @param later the federations already read, which name this one */
async function readLine(
  reader: ChainReader,
  federation: Hex,
  { fromBlock, headBlock }: { readonly fromBlock: number; readonly headBlock: number },
  later: readonly Hex[] = [],
): Promise<History> {
  // of those before it only what cannot change is asked
  const block = later.length === 0 ? quantity(headBlock) : 'latest';
  const found = await viewFederation(reader, federation, block);
  const deployment: Deployment = { ...found, code: await readCode(reader, found, block) };
  // asked before the logs are read: an endpoint may forget what stood at a block once it is some minutes old
  const standing = later.length === 0 ? await readStanding(reader, found, block) : undefined;
  const address = [federation, deployment.registry, deployment.ledger];
  const logged = await readLogs(reader, { address, fromBlock, toBlock: headBlock });
  const behind = await readBehind(reader, logged);
  const events = logged.map((event) => toAuditEvent(deployment, event, behind));
  const history = { deployment, events, headBlock, ...(standing && { standing }) };
  const [{ predecessor } = { predecessor: undefined }] = eventsOf(events, 'PredecessorNamed');
  const read = [...later, federation];
  if (predecessor === undefined || read.includes(predecessor) || read.length === LONGEST_LINE) return history;
  try {
    // whoever says where this one begins does not say it of those before it
    return { ...history, predecessor: await readLine(reader, predecessor, { fromBlock: 0, headBlock }, read) };
  } catch (cause) {
    // no federation there: check 18 has the event, and no history to it
    if (cause instanceof ConcordatError && NO_FEDERATION.has(cause.code)) return history;
    throw cause;
  }
}

const NO_FEDERATION: ReadonlySet<string> = new Set(['CHAIN_WRONG', 'CHAIN_REVERTED']);

interface Behind {
  readonly blocks: ReadonlyMap<number, Block>;
  readonly transactions: ReadonlyMap<Hex, SentTransaction & { readonly blockHash: Hex }>;
}

/** Each block and transaction once: many events share them. */
async function readBehind(reader: ChainReader, logged: readonly LoggedEvent[]): Promise<Behind> {
  const numbers = [...new Set(logged.map(({ block }) => block))];
  const hashes = [...new Set(logged.map(({ transaction }) => transaction))];
  const blocks = await reader.askAll(
    numbers.map((number) => ({ method: 'eth_getBlockByNumber', params: [quantity(number), false] })),
  );
  const transactions = await reader.askAll(
    hashes.map((hash) => ({ method: 'eth_getTransactionByHash', params: [hash] })),
  );
  return {
    blocks: new Map(numbers.map((number, i) => [number, known(blockSchema, blocks[i], `block ${number}`)])),
    transactions: new Map(
      hashes.map((hash, i) => [hash, known(transactionSchema, transactions[i], `transaction ${hash}`)]),
    ),
  };
}

function known<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ConcordatError(
    'CHAIN_WRONG',
    value === null ? `the endpoint has lost ${what}` : `${what} is no such thing`,
  );
}

function toAuditEvent(deployment: Deployment, event: LoggedEvent, { blocks, transactions }: Behind): ChainEvent {
  const [block, sent] = [blocks.get(event.block), transactions.get(event.transaction)];
  if (block === undefined || sent === undefined) throw new ConcordatError('CHAIN_WRONG', 'an event of nowhere');
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

function callOf({ registry, ledger }: Deployment, { name }: LoggedEvent, sent: SentTransaction, block: Block): object {
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
