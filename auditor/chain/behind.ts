// What stands behind events: their blocks and transactions, each asked for once, and held to the block's header where that is wanted.
import { z } from 'zod';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Finding } from '../history.ts';
import type { SentTransaction } from './calls.ts';
import { type Link, type Linked, linkHeaders } from './linked.ts';
import type { RawLog } from './logs.ts';
import { type Findings, proveBlock, type ToldBlock } from './proven-block.ts';
import { type ChainReader, EndpointRefused, quantity } from './rpc.ts';

const hex = z
  .string()
  .regex(/^0x[0-9a-fA-F]*$/)
  .transform((text) => text.toLowerCase() as Hex);
const blockSchema = z.object({ hash: hex, timestamp: hex, parentHash: hex });
const transactionSchema = z.object({ hash: hex, blockHash: hex, from: hex, to: hex.nullable(), input: hex });
const blockWithTransactions = z.object({ transactions: z.array(transactionSchema) });
export type Block = z.output<typeof blockSchema>;
export type Transaction = SentTransaction & { readonly blockHash: Hex };

export interface Behind {
  readonly blocks: ReadonlyMap<number, Block>;
  readonly transactions: ReadonlyMap<Hex, Transaction>;
}

export interface Proofs extends Findings {
  /** Headers that every log, sender and calldata read of their blocks leads to. */
  readonly links: Map<number, Link>;
}

export interface Wanted {
  readonly contracts: ReadonlySet<Hex>;
  readonly logs: readonly RawLog[];
  /** Whether a block is to be proven; of others its word is taken. */
  readonly prove: (block: number) => boolean;
}

/** A block with its transactions, or its receipts, may be some hundred kilobytes. */
const BLOCKS_AT_ONCE = 100;
const BLOCKS_PER_REQUEST = 25;

/** @throws ConcordatError CHAIN_UNREACHABLE, CHAIN_WRONG */
export async function readBehind(reader: ChainReader, wanted: Wanted, proofs: Proofs): Promise<Behind> {
  const byBlock = logsByBlock(wanted.logs);
  const numbers = [...byBlock.keys()];
  const behind = { blocks: new Map<number, Block>(), transactions: new Map<Hex, Transaction>() };
  const proven = numbers.filter(wanted.prove);
  for (let at = 0; at < proven.length; at += BLOCKS_AT_ONCE) {
    for (const told of await readWhole(reader, proven.slice(at, at + BLOCKS_AT_ONCE))) {
      const logs = byBlock.get(told.number) ?? [];
      const header = proveBlock(told, { contracts: wanted.contracts, logs }, proofs);
      if (header !== undefined) proofs.links.set(told.number, header);
      behind.blocks.set(told.number, known(blockSchema, told.block, `block ${told.number}`));
      const { transactions } = known(blockWithTransactions, told.block, `block ${told.number}`);
      const own = new Set(logs.map(({ transactionHash }) => transactionHash.toLowerCase()));
      for (const tx of transactions) if (own.has(tx.hash)) behind.transactions.set(tx.hash, tx);
    }
  }
  await readWord(
    reader,
    numbers.filter((number) => !wanted.prove(number)),
    byBlock,
    behind,
  );
  return behind;
}

function logsByBlock(logs: readonly RawLog[]): ReadonlyMap<number, readonly RawLog[]> {
  const found = new Map<number, RawLog[]>();
  for (const log of logs) {
    const own = found.get(log.blockNumber) ?? [];
    own.push(log);
    found.set(log.blockNumber, own);
  }
  return found;
}

async function readWhole(reader: ChainReader, numbers: readonly number[]): Promise<ToldBlock[]> {
  const ask = (method: string, ...more: readonly unknown[]) =>
    reader.askAll(
      numbers.map((number) => ({ method, params: [quantity(number), ...more] })),
      BLOCKS_PER_REQUEST,
    );
  const blocks = await ask('eth_getBlockByNumber', true);
  let receipts: readonly unknown[] = [];
  try {
    receipts = await ask('eth_getBlockReceipts');
  } catch (cause) {
    if (!(cause instanceof EndpointRefused)) throw cause;
  }
  const told: ToldBlock[] = [];
  for (const [i, number] of numbers.entries()) {
    const block = blocks[i];
    told.push({ number, block, receipts: receipts[i] ?? (await receiptsOneByOne(reader, block)) });
  }
  return told;
}

/** From an endpoint that does not tell those of a whole block. */
async function receiptsOneByOne(reader: ChainReader, block: unknown): Promise<unknown> {
  const transactions = blockWithTransactions.safeParse(block).data?.transactions ?? [];
  try {
    return await reader.askAll(
      transactions.map(({ hash }) => ({ method: 'eth_getTransactionReceipt', params: [hash] })),
      BLOCKS_PER_REQUEST,
    );
  } catch (cause) {
    if (cause instanceof EndpointRefused) return undefined;
    throw cause;
  }
}

/** Blocks that need no proof: short answers. */
async function readWord(
  reader: ChainReader,
  numbers: readonly number[],
  logs: ReadonlyMap<number, readonly RawLog[]>,
  behind: { readonly blocks: Map<number, Block>; readonly transactions: Map<Hex, Transaction> },
): Promise<void> {
  const hashes = new Set(numbers.flatMap((number) => logs.get(number) ?? []).map((log) => log.transactionHash));
  const blocks = await reader.askAll(
    numbers.map((number) => ({ method: 'eth_getBlockByNumber', params: [quantity(number), false] })),
  );
  for (const [i, number] of numbers.entries()) {
    behind.blocks.set(number, known(blockSchema, blocks[i], `block ${number}`));
  }
  const wanted = [...hashes];
  const found = await reader.askAll(wanted.map((hash) => ({ method: 'eth_getTransactionByHash', params: [hash] })));
  for (const [i, hash] of wanted.entries()) {
    behind.transactions.set(hash.toLowerCase() as Hex, known(transactionSchema, found[i], `transaction ${hash}`));
  }
}

function known<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ConcordatError(
    'CHAIN_WRONG',
    (value ?? null) === null ? `the endpoint has lost ${what}` : `${what} is no such thing`,
  );
}

export interface Whole {
  readonly contracts: ReadonlySet<Hex>;
  readonly withLogs: ReadonlySet<number>;
  readonly headBlock: number;
  readonly headHash: Hex;
  /** However many headers that takes. */
  readonly evenFar: boolean;
}

/** So many headers beside those read already are asked for unbidden: some seconds. */
const FREELY = 10_000;

/** Whether every header down to the first event hangs on the last one; a block that keeps back logs is found on the way. */
export async function proveWhole(reader: ChainReader, whole: Whole, proofs: Proofs): Promise<boolean> {
  const { headBlock, withLogs, contracts } = whole;
  const firstBlock = Math.min(headBlock, ...withLogs);
  if (!whole.evenFar && headBlock - firstBlock + 1 - proofs.links.size > FREELY) return linkNeighbours(proofs);
  const { linked, suspect }: Linked = await linkHeaders(reader, { ...whole, firstBlock, known: proofs.links }, proofs);
  for (let at = 0; at < suspect.length; at += BLOCKS_AT_ONCE) {
    for (const told of await readWhole(reader, suspect.slice(at, at + BLOCKS_AT_ONCE))) {
      proveBlock(told, { contracts, logs: [] }, proofs);
    }
  }
  return linked;
}

/** Of those that were read. */
function linkNeighbours({ links, faults }: Proofs): false {
  for (const [number, { parentHash }] of links) {
    const before = links.get(number - 1);
    if (before === undefined || before.hash === parentHash) continue;
    const finding: Finding = { what: `block ${number}: parent`, expected: before.hash, got: parentHash };
    faults.push(finding);
  }
  return false;
}
