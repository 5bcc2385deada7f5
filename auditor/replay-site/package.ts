// The folder that a dealer opens: read, held against the manifest the dealer signed, and checked line by line before any use.
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readFileOrExplain } from '../../kit/files.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { MAX_RECEIPT_BYTES, type Receipt, receiptSchema } from '../../protocol/consent/receipt.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type DataContract, parseDataContract } from '../../protocol/learning/data-contract.ts';
import { checkTaskContract, parseTask, type Task } from '../../protocol/learning/task.ts';
import {
  manifestSchema,
  type OpenedAttempt,
  type OpenedRecord,
  openedAttemptSchema,
  openedRecordSchema,
  type PackageFile,
  type SignedManifest,
} from '../../protocol/messages/replay-package.ts';
import { LIMITS } from '../../protocol/params.ts';

export interface ReplayPackage {
  readonly manifest: SignedManifest;
  /** Files that are not what the manifest says. */
  readonly alteredFiles: readonly PackageFile[];
  /** In the order of training. */
  readonly records: readonly OpenedRecord[];
  readonly attempt: OpenedAttempt;
  readonly receipts: readonly Receipt[];
  readonly task: Task;
  readonly contract: DataContract;
  readonly baseModel: Uint8Array;
  readonly serverState: Uint8Array | undefined;
  readonly dealerState: Uint8Array | undefined;
}

/** Of one file: the records of a large dealer, or the state of a large model. */
const MAX_PACKAGE_FILE_BYTES = 512 * 2 ** 20;
const MAX_SAMPLE = 1_000;

/** @throws ConcordatError FILE_* also for a link in a file's place, MESSAGE_*, TASK_INVALID, CONTRACT_INVALID */
export async function readPackage(folder: string): Promise<ReplayPackage> {
  const manifest = parsed(await bytesOf(folder, 'manifest.json'), manifestSchema, 'manifest.json');
  const altered: PackageFile[] = [];
  const optional = async (name: PackageFile): Promise<Uint8Array | undefined> => {
    const stated = manifest.files[name];
    if (stated === undefined) return undefined;
    const bytes = await bytesOf(folder, name);
    if (toHex(sha256(bytes)) !== stated) altered.push(name);
    return bytes;
  };
  const file = async (name: PackageFile): Promise<Uint8Array> => {
    const bytes = await optional(name);
    if (bytes === undefined) throw new ConcordatError('FILE_MISSING', `the manifest names no ${name}`, { name });
    return bytes;
  };
  const [task, contract] = [
    parseTask(textOf(await file('task.yaml'), 'task.yaml')),
    parseDataContract(textOf(await file('contract.yaml'), 'contract.yaml')),
  ];
  checkTaskContract(task, contract);
  const receipts = z.array(receiptSchema).max(MAX_SAMPLE);
  return {
    ...{ manifest, task, contract },
    records: recordsOf(await file('records.jsonl')),
    attempt: parsed(await file('attempt.json'), openedAttemptSchema, 'attempt.json'),
    receipts: parsed(await file('receipts.json'), receipts, 'receipts.json'),
    baseModel: await file('base-model.cbor'),
    serverState: await optional('server-state.cbor'),
    dealerState: await optional('dealer-state.cbor'),
    alteredFiles: altered,
  };
}

async function bytesOf(folder: string, name: string): Promise<Uint8Array> {
  const path = join(folder, name);
  const found = await lstat(path).catch(() => undefined); // readFileOrExplain says why
  // a link could lead to any file of the auditor's, a device has no end
  if (found?.isFile() === false) throw new ConcordatError('FILE_UNREADABLE', `${path} is not a plain file`, { path });
  const size = found?.size ?? 0;
  const most = name === 'receipts.json' ? 20 * MAX_RECEIPT_BYTES : MAX_PACKAGE_FILE_BYTES;
  if (size > most) throw new ConcordatError('MESSAGE_TOO_LARGE', `${path}: ${size} bytes, at most ${most}`);
  return new Uint8Array(await readFileOrExplain(path));
}

/** Faults name file and place, never what stands there. */
function parsed<T extends z.ZodType>(bytes: Uint8Array, schema: T, where: string): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(text(bytes));
  } catch {
    throw new ConcordatError('MESSAGE_MALFORMED', `${where} is not JSON`, { where });
  }
  const found = schema.safeParse(value);
  if (found.success) return found.data;
  const [issue] = found.error.issues;
  throw new ConcordatError('MESSAGE_MALFORMED', `${where}: ${issue?.path.join('.')}: ${issue?.code}`, { where });
}

function recordsOf(bytes: Uint8Array): OpenedRecord[] {
  const records: OpenedRecord[] = [];
  for (let from = 0; from < bytes.length; ) {
    const newline = bytes.indexOf(10, from);
    const end = newline === -1 ? bytes.length : newline;
    if (records.length === LIMITS.maxRecordsPerDealer) {
      throw new ConcordatError('MESSAGE_TOO_LARGE', `records.jsonl: more than ${LIMITS.maxRecordsPerDealer} lines`);
    }
    records.push(parsed(bytes.subarray(from, end), openedRecordSchema, `records.jsonl, line ${records.length + 1}`));
    from = end + 1;
  }
  return records;
}

function textOf(bytes: Uint8Array, where: PackageFile): string {
  try {
    return text(bytes);
  } catch (cause) {
    throw new ConcordatError('MESSAGE_MALFORMED', `${where} is not UTF-8`, { where }, { cause });
  }
}

const text = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);

export const blobHash = (bytes: Uint8Array): Hex => toHex(sha256(bytes));
