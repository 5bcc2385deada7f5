// `concordat consent`: a customer's record in the words other systems know, and the way out when a dealer does not listen.
import { type Command, InvalidArgumentError } from 'commander';
import { readFileOrExplain } from '../../kit/files.ts';
import { createProgress } from '../../kit/progress.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { type CanonicalValue, encodeCanonicalJson } from '../../protocol/consent/canonical-json.ts';
import { recordToJsonLd } from '../../protocol/consent/json-ld.ts';
import { decodeRecord, MAX_RECORD_BYTES } from '../../protocol/consent/record.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type ForceOptions, type ForceOutcome, forceWithdraw } from './force-withdraw.ts';

/** A record laid out for reading may be longer than as it was signed. */
const MAX_FILE_BYTES = 4 * MAX_RECORD_BYTES;

export function registerConsent(program: Command): void {
  const consent = program.command('consent').description('consent records');
  consent
    .command('export')
    .description('print a consent record as JSON-LD (W3C DPV, ISO/IEC TS 27560)')
    .argument('<file>', 'the record, JSON')
    .action(async (file: string) => {
      process.stdout.write(`${await exportRecord(file)}\n`);
    });
  consent
    .command('force-withdraw')
    .description('take a customer out on chain whose dealer does not take the signed withdrawal')
    .requiredOption('--rpc <url>', 'chain endpoint')
    .requiredOption('--federation <address>', 'Federation contract', parseAddress)
    .option('--bundle <dir>', 'folder with the transcript: where the public consent log is read')
    .option('--coordinator <url>', 'or the coordinator that serves it')
    .requiredOption('--operation <file>', 'the withdrawal that the customer signed (CBOR, or its 0x-hex)')
    .requiredOption('--assertion <file>', 'the passkey’s assertion over it (CBOR, or its 0x-hex)')
    .option('--key <file>', 'private key, 0x-hex, of the account that pays (not needed on the embedded chain)')
    .option('--wait-seconds <n>', 'how long to wait for the dealer', parseSeconds, 600)
    .option('--json', 'print the outcome as JSON')
    .action(async ({ json, ...options }: ForceOptions & { readonly json?: true }) => {
      const outcome = await forceWithdraw(options, createProgress(process.stderr));
      process.stdout.write(json ? `${JSON.stringify(outcome)}\n` : outcomeText(outcome));
      if (outcome.acknowledged === null) process.exitCode = 1;
    });
}

function outcomeText({ dealer, subject, transaction, acknowledged }: ForceOutcome): string {
  const forced = transaction === null ? 'was there already' : `is in block ${transaction.blockNumber}`;
  const lines = [
    `The withdrawal of ${subject} ${forced}.`,
    acknowledged === null
      ? `Dealer ${dealer} has not acknowledged it. Until it does, it can neither select nor commit.`
      : `Dealer ${dealer} has acknowledged it with epoch ${acknowledged.epoch} (${acknowledged.txHash}).`,
  ];
  return `${lines.join('\n')}\n`;
}

function parseAddress(text: string): Hex {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) throw new InvalidArgumentError('An address is 0x and 40 hex digits.');
  return text.toLowerCase() as Hex;
}

function parseSeconds(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('A whole number of seconds.');
  return Number(text);
}

/** @throws ConcordatError FILE_MISSING, FILE_UNREADABLE, MESSAGE_TOO_LARGE, MESSAGE_MALFORMED */
async function exportRecord(file: string): Promise<string> {
  const bytes = await readFileOrExplain(file);
  if (bytes.length > MAX_FILE_BYTES) {
    throw new ConcordatError('MESSAGE_TOO_LARGE', `${file}: ${bytes.length} bytes, at most ${MAX_FILE_BYTES}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    const detail = `${file}: ${(cause as Error).message}`;
    throw new ConcordatError('FILE_UNREADABLE', detail, { path: file }, { cause });
  }
  // a record has one canonical text, so the layout of the file does not matter
  return JSON.stringify(recordToJsonLd(decodeRecord(encodeCanonicalJson(value as CanonicalValue))), undefined, 2);
}
