// A block held against its own header: its hash, its transactions, and the logs of some contracts in it.
import { type Hex, keccak256, toHex } from '../../protocol/bytes.ts';
import type { Finding } from '../history.ts';
import { type Header, headerHash, headerSchema, unknownField } from './header.ts';
import type { RawLog } from './logs.ts';
import { isKnownType, type Receipt, receiptsRoot, receiptsSchema } from './receipts.ts';
import { encodeTransaction, senderOf, type Transaction, transactionsRoot, transactionsSchema } from './transactions.ts';

export interface Findings {
  readonly faults: Finding[];
  readonly undecided: Finding[];
}

/** As the endpoint tells them. */
export interface ToldBlock {
  readonly number: number;
  /** With its transactions. */
  readonly block: unknown;
  /** undefined: the endpoint tells none. */
  readonly receipts: unknown;
}

/** The logs that were read of a block, of these contracts. */
export interface ReadLogs {
  readonly contracts: ReadonlySet<Hex>;
  readonly logs: readonly RawLog[];
}

/** Whether all of it leads to the header, which is returned then. What does not is found out about. */
export function proveBlock(told: ToldBlock, read: ReadLogs, findings: Findings): Header | undefined {
  const header = proveHeader(told.block, told.number, findings);
  if (header === undefined) return undefined;
  const what = `block ${told.number}`;
  const transactions = transactionsSchema.safeParse(header.transactions).data;
  const receipts = receiptsSchema.safeParse(told.receipts).data;
  if (transactions === undefined || receipts === undefined) {
    const missing = transactions === undefined ? 'transactions' : 'receipts';
    findings.undecided.push({ what: `${what}: ${missing}`, got: 'the endpoint does not tell them' });
    return undefined;
  }
  const before = findings.faults.length + findings.undecided.length;
  const foreign = foreignType(transactions);
  compareRoot(`${what}: transactions`, transactionsRoot(transactions), header.transactionsRoot, foreign, findings);
  compareRoot(`${what}: receipts`, receiptsRoot(receipts), header.receiptsRoot, foreign, findings);
  compareLogs(what, logsOf(receipts, transactions, read.contracts), read.logs, findings);
  const ours = new Set(read.logs.map(({ transactionHash }) => transactionHash.toLowerCase()));
  for (const tx of transactions.filter(({ hash }) => ours.has(hash))) {
    compareName(what, tx, findings);
    compareSender(what, tx, findings);
  }
  return findings.faults.length + findings.undecided.length === before ? header : undefined;
}

/** undefined: its hash is not that of its fields, or it is another block’s. */
export function proveHeader(told: unknown, number: number, { faults, undecided }: Findings): Header | undefined {
  const what = `block ${number}: header, against its hash`;
  const header = headerSchema.safeParse(told).data;
  if (header === undefined) {
    undecided.push({ what, got: 'not a header as Ethereum has it' });
    return undefined;
  }
  if (Number(header.number) !== number) {
    faults.push({ what: `block ${number}: number`, expected: String(number), got: String(Number(header.number)) });
    return undefined;
  }
  const hash = headerHash(header);
  if (hash === header.hash) return header;
  const unknown = unknownField(header);
  if (unknown === undefined) faults.push({ what, expected: header.hash, got: hash });
  else undecided.push({ what, got: `${hash}, and this program does not know the field ${unknown}` });
  return undefined;
}

/** A type that Ethereum has not: of such a block a root that does not come out shows nothing. */
const foreignType = (transactions: readonly Transaction[]): Hex | undefined =>
  transactions.find(({ type }) => !isKnownType(type))?.type;

function compareRoot(
  what: string,
  found: Hex | undefined,
  expected: Hex,
  foreign: Hex | undefined,
  { faults, undecided }: Findings,
): void {
  if (found === expected) return;
  const finding = { what: `${what}, against its header`, expected };
  if (foreign === undefined) faults.push({ ...finding, got: found ?? 'not signed' });
  else undecided.push({ ...finding, got: `transactions of type ${foreign}, which this program does not know` });
}

/** Of these contracts, as far as a header bears them out: with their place in the block. */
function logsOf(
  receipts: readonly Receipt[],
  transactions: readonly Transaction[],
  contracts: ReadonlySet<Hex>,
): string[] {
  let index = 0;
  return receipts.flatMap(({ logs }, i) =>
    logs.flatMap(({ address, topics, data }) => {
      const place = { logIndex: index++, transactionHash: hashOf(transactions[i]) ?? 'none' };
      return contracts.has(address.toLowerCase() as Hex) ? [logText({ ...place, address, topics, data })] : [];
    }),
  );
}

/** Of its bytes, whatever it is called; its name for a type that we cannot write. */
function hashOf(tx: Transaction | undefined): string | undefined {
  const encoded = tx && encodeTransaction(tx);
  return encoded === undefined ? tx?.hash : toHex(keccak256(encoded));
}

function logText(log: Pick<RawLog, 'logIndex' | 'transactionHash' | 'address' | 'topics' | 'data'>): string {
  const { logIndex, transactionHash, address, topics, data } = log;
  return `log ${logIndex} of ${transactionHash} by ${address}: ${topics.join(' ')} ${data}`.toLowerCase();
}

function compareLogs(what: string, borneOut: readonly string[], read: readonly RawLog[], { faults }: Findings): void {
  const told = read.map(logText);
  const at = Array.from({ length: Math.max(told.length, borneOut.length) }, (_, i) => i).find(
    (i) => told[i] !== borneOut[i],
  );
  if (at === undefined) return;
  const expected = borneOut[at] ?? `${borneOut.length} logs`;
  faults.push({ what: `${what}: logs, against its receipts`, expected, got: told[at] ?? `${told.length} logs` });
}

/** By it an event finds its sender and calldata: two transactions of a block must not trade names. */
function compareName(block: string, tx: Transaction, { faults }: Findings): void {
  const hash = hashOf(tx);
  if (hash !== tx.hash)
    faults.push({ what: `${block}: name of a transaction`, expected: hash ?? 'none', got: tx.hash });
}

function compareSender(block: string, tx: Transaction, { faults, undecided }: Findings): void {
  const what = `${block}, transaction ${tx.hash}: sender, against its signature`;
  let signer: Hex | undefined;
  try {
    signer = senderOf(tx);
  } catch {
    // no signature at all: signed by nobody
  }
  if (signer === tx.from) return;
  if (isKnownType(tx.type)) faults.push({ what, expected: signer ?? 'nobody', got: tx.from });
  else undecided.push({ what, got: `a transaction of type ${tx.type}` });
}
