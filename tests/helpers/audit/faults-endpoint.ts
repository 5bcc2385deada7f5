// Faults of an endpoint that lies the same way in everything it tells: in logs, receipts, headers and answers alike.
import { headerHash, headerSchema } from '../../../auditor/chain/header.ts';
import { topicOf } from '../../../auditor/chain/logs.ts';
import { receiptsRoot, receiptsSchema } from '../../../auditor/chain/receipts.ts';
import { quantity } from '../../../auditor/chain/rpc.ts';
import type { Lie } from './lying-endpoint.ts';

export interface EndpointFault {
  /** Number of the check that must fail. */
  readonly caughtBy: string;
  readonly name: string;
  /** What the auditor brings along: without it nobody could tell. */
  readonly needs?: 'second endpoint' | 'trusted head';
  /** @param blocks of the chain, from 0 on, with their transactions; @param receipts of each */
  lie(blocks: readonly Told[], receipts: readonly unknown[]): Lie;
  readonly seenAs: RegExp;
}

export type Told = Record<string, unknown> & {
  readonly hash: string;
  readonly number: string;
  readonly transactions: readonly Record<string, unknown>[];
};

type Log = Record<string, unknown> & { readonly topics: readonly string[]; readonly data: string };

/** Of the last round, in which nothing that a contract answers is changed: half of the words of `Published` are in events alone. */
const PUBLISHED = topicOf('Published');
const isPublished = (log: unknown): boolean => (log as Log).topics?.[0] === PUBLISHED;

/** Model and aggregate stand in front; then comes the accuracy. */
function moreAccurate(log: Log): Log {
  const at = 2 + 2 * 64;
  const better = (5_000).toString(16).padStart(64, '0');
  return { ...log, data: log.data.slice(0, at) + better + log.data.slice(at + 64) };
}

const changeLogs = (logs: unknown): unknown =>
  (logs as Log[]).map((log) => (isPublished(log) ? moreAccurate(log) : log));

const changeReceipts = (receipts: unknown): unknown =>
  (receipts as { readonly logs: unknown }[]).map((receipt) => ({ ...receipt, logs: changeLogs(receipt.logs) }));

/** In logs and receipts alike; what a contract answers tells nothing of it. */
const inLogsAndReceipts: Lie = (method, result) => {
  if (method === 'eth_getLogs') return changeLogs(result);
  return method === 'eth_getBlockReceipts' ? changeReceipts(result) : result;
};

const numberOf = (result: unknown): number => Number((result as Told | null)?.number ?? -1);

/** Blocks with the changed receipts; their headers told to fit. */
function fittingRoots(receipts: readonly unknown[]): ReadonlyMap<number, string> {
  return new Map(
    receipts.flatMap((told, number) => {
      const changed = changeReceipts(told);
      if (JSON.stringify(changed) === JSON.stringify(told)) return [];
      return [[number, receiptsRoot(receiptsSchema.parse(changed))] as const];
    }),
  );
}

/** A whole chain of its own from the first changed block on: every header fits, and every hash. */
function forgedChain(blocks: readonly Told[], receipts: readonly unknown[]): Lie {
  const roots = fittingRoots(receipts);
  const renamed = new Map<string, string>();
  const forged = blocks.map((block, number) => {
    const parentHash = renamed.get(String(block.parentHash)) ?? block.parentHash;
    const header = { ...block, parentHash, receiptsRoot: roots.get(number) ?? block.receiptsRoot };
    const hash = headerHash(headerSchema.parse(header));
    if (hash !== block.hash) renamed.set(block.hash, hash);
    return { ...header, hash };
  });
  const inNewNames = (value: unknown): unknown => {
    const text = JSON.stringify(value) ?? 'null';
    return JSON.parse(text.replace(/0x[0-9a-f]{64}/g, (hash) => renamed.get(hash) ?? hash));
  };
  return (method, result, params) => {
    if (method === 'eth_call') return result;
    if (!method.startsWith('eth_getBlockBy')) return inNewNames(inLogsAndReceipts(method, result, params));
    const at = forged[numberOf(result)];
    if (at === undefined) return result;
    const { transactions } = inNewNames(result) as Told;
    return { ...at, transactions };
  };
}

const inBlock =
  (change: (block: Told) => Partial<Told>): Lie =>
  (method, result) =>
    method === 'eth_getBlockByNumber' && result !== null ? { ...(result as Told), ...change(result as Told) } : result;

const inTransactions = (change: (tx: Record<string, unknown>) => object): Lie =>
  inBlock(({ transactions }) => ({
    transactions: transactions.map((tx) => (typeof tx === 'object' ? { ...tx, ...change(tx) } : tx)),
  }));

const lastHex = (text: unknown): string => String(text).replace(/.$/, (digit) => (digit === '1' ? '2' : '1'));

const fault = (name: string, lie: EndpointFault['lie'], seenAs: RegExp, needs?: EndpointFault['needs']) => ({
  ...{ caughtBy: '03', name, lie, seenAs },
  ...(needs && { needs }),
});

export const ENDPOINT_FAULTS: readonly EndpointFault[] = [
  fault(
    'an endpoint that leaves out one log of which no contract answers',
    () => (method, result) =>
      method === 'eth_getLogs'
        ? (result as Log[]).filter(({ topics }) => topics[0] !== topicOf('PoliciesAdmitted'))
        : result,
    /block \d+: logs, against its receipts/,
  ),
  fault(
    'an endpoint that adds a log',
    () => (method, result) => {
      const logs = result as (Log & { readonly logIndex: string })[];
      const [last] = method === 'eth_getLogs' ? logs.slice(-1) : [];
      return last === undefined ? result : [...logs, { ...last, logIndex: quantity(Number(last.logIndex) + 1) }];
    },
    /block \d+: logs, against its receipts/,
  ),
  fault(
    'an endpoint that changes a word of a log, of which no contract answers',
    () => (method, result) => (method === 'eth_getLogs' ? changeLogs(result) : result),
    /block \d+: logs, against its receipts/,
  ),
  fault(
    'an endpoint that changes it in the receipts too',
    () => inLogsAndReceipts,
    /block \d+: receipts, against its header/,
  ),
  fault(
    'an endpoint that changes the header with it',
    (_, receipts) => {
      const roots = fittingRoots(receipts);
      return (method, result, params) => {
        const root = method === 'eth_getBlockByNumber' ? roots.get(numberOf(result)) : undefined;
        if (root !== undefined) return { ...(result as Told), receiptsRoot: root };
        return inLogsAndReceipts(method, result, params);
      };
    },
    /block \d+: header, against its hash/,
  ),
  fault(
    'an endpoint that gives each block the header of the one before',
    (blocks) => (method, result) => {
      const before = method === 'eth_getBlockByNumber' ? blocks[numberOf(result) - 1] : undefined;
      return before === undefined ? result : { ...(result as Told), parentHash: before.parentHash };
    },
    /block \d+: header, against its hash/,
  ),
  fault(
    'an endpoint that changes the calldata of a transaction',
    () => inTransactions(({ input }) => (String(input).length > 10 ? { input: lastHex(input) } : {})),
    /block \d+: transactions, against its header/,
  ),
  fault(
    'an endpoint that tells another sender',
    () => inTransactions(({ from }) => ({ from: lastHex(from) })),
    /: sender, against its signature/,
  ),
  fault(
    'an endpoint that forges the proof of a contract’s code',
    () => (method, result) => {
      if (method !== 'eth_getProof') return result;
      const { accountProof } = result as { readonly accountProof: readonly string[] };
      return { ...(result as object), accountProof: [...accountProof.slice(0, -1), lastHex(accountProof.at(-1))] };
    },
    /code at 0x\w{40}, against the state of the last block/,
  ),
  fault(
    'an endpoint that forges the chain from there on, headers and all',
    forgedChain,
    /endpoint 2 \([^)]*\): eth_getLogs/,
    'second endpoint',
  ),
  fault(
    'an endpoint that forges the chain, to an auditor who knows the hash of one block',
    forgedChain,
    /block \d+: hash, against what the block after it, or the auditor, knows it by|block \d+: header/,
    'trusted head',
  ),
];
