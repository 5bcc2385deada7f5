// `concordat consent export`: a customer's record in the words other systems know.
import type { Command } from 'commander';
import { readFileOrExplain } from '../../kit/files.ts';
import { type CanonicalValue, encodeCanonicalJson } from '../../protocol/consent/canonical-json.ts';
import { recordToJsonLd } from '../../protocol/consent/json-ld.ts';
import { decodeRecord, MAX_RECORD_BYTES } from '../../protocol/consent/record.ts';
import { ConcordatError } from '../../protocol/errors.ts';

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
