// `concordat audit receipt`: reads the file, asks the chain, prints every check.
import { readFileOrExplain } from '../kit/files.ts';
import type { Hex } from '../protocol/bytes.ts';
import { entryOf, MAX_RECEIPT_BYTES, type Receipt, receiptSchema } from '../protocol/consent/receipt.ts';
import { relyingPartyOf } from '../protocol/consent/relying-party.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { Endpoints } from './chain/endpoints.ts';
import { plainText } from './plain-text.ts';
import { auditReceipt, type ReceiptReport } from './receipt.ts';
import { readReceiptChain } from './receipt-chain.ts';

export interface ReceiptOptions {
  readonly rpc: Endpoints;
  /** The one the customer knows; else the receipt's own word is taken. */
  readonly federation?: Hex;
  /** The hash of the block that the customer trusts. */
  readonly head?: Hex;
  readonly rpId?: string;
  readonly origin?: string[];
}

/** @throws ConcordatError FILE_*, MESSAGE_*, CHAIN_* when there is nothing to audit */
export async function runReceiptAudit(file: string, options: ReceiptOptions): Promise<ReceiptReport> {
  const receipt = await readReceipt(file);
  const federation = options.federation ?? receipt.place?.federation;
  if (federation === undefined) {
    throw new ConcordatError('FILE_MISSING', 'the receipt names no federation: give --federation');
  }
  const { dealer } = entryOf(receipt).operation;
  const { rpId, origin, head } = options;
  const chain = await readReceiptChain(options.rpc, { federation, dealer, ...(head !== undefined && { head }) });
  return auditReceipt(receipt, chain, rpId === undefined ? undefined : relyingPartyOf(rpId, origin ?? []));
}

async function readReceipt(file: string): Promise<Receipt> {
  const bytes = await readFileOrExplain(file);
  if (bytes.length > MAX_RECEIPT_BYTES) throw new ConcordatError('MESSAGE_TOO_LARGE', file);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new ConcordatError('FILE_UNREADABLE', `${file}: ${(cause as Error).message}`, { path: file }, { cause });
  }
  const parsed = receiptSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ConcordatError('MESSAGE_MALFORMED', `receipt: ${issue?.path.join('.')}: ${issue?.message}`);
}

export function receiptText(report: ReceiptReport): string {
  const { dealer, subject, seq, withdrawal, checks, checksFailed } = report;
  const what = withdrawal ? 'a withdrawal' : 'consent';
  const lines = [
    `Receipt of ${what}, number ${seq} of ${subject}`,
    `at dealer ${dealer}`,
    ...checks.map(({ id, holds, finding }) => `  ${holds ? 'holds' : 'FAILS'}  ${id.padEnd(10)} ${plainText(finding)}`),
    checksFailed === 0 ? 'Everything it says holds.' : `${checksFailed} of ${checks.length} checks fail.`,
  ];
  return `${lines.join('\n')}\n`;
}
