// A CSV file as a source of records. Faults name row and field, and never quote what the parser stumbled over.
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { CsvError } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { readRows } from './rows.ts';
import type { RecordSource } from './source.ts';

const MAX_FILE_BYTES = 256 * 2 ** 20;

/**
 * Text of a file; one named .gz is unpacked.
 * @throws ConcordatError FILE_MISSING, FILE_UNREADABLE
 */
async function readText(file: string): Promise<string> {
  const limit = (bytes: number) => {
    if (bytes > MAX_FILE_BYTES)
      throw new ConcordatError('FILE_UNREADABLE', `${file}: over ${MAX_FILE_BYTES} bytes`, { file });
  };
  try {
    limit((await stat(file)).size);
    const bytes = await readFile(file);
    // The limit holds for what is unpacked too: a small archive can hold a huge file.
    const plain = file.endsWith('.gz') ? await promisify(gunzip)(bytes, { maxOutputLength: MAX_FILE_BYTES }) : bytes;
    return new TextDecoder('utf-8', { fatal: true }).decode(plain);
  } catch (cause) {
    if (cause instanceof ConcordatError) throw cause;
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new ConcordatError(missing ? 'FILE_MISSING' : 'FILE_UNREADABLE', file, { file }, { cause });
  }
}

function parseCells(text: string, file: string): string[][] {
  try {
    return parse(text, { bom: true, skip_empty_lines: true, max_record_size: 1_000_000 });
  } catch (cause) {
    // The parser's message can quote the cell it stopped at, so only its code and line go on.
    const [code, line] = cause instanceof CsvError ? [cause.code, Number(cause.lines)] : ['unknown', Number.NaN];
    throw new ConcordatError('FILE_UNREADABLE', `${file}, line ${line}: ${code}`, { file, line });
  }
}

/** The header must name every required field once and no unknown one; the order is free. */
function checkHeader(header: readonly string[], contract: DataContract, file: string): void {
  const wrong = (detail: string) =>
    new ConcordatError('DATA_BREAKS_CONTRACT', `${file}, header: ${detail}`, { file, row: 0 });
  const named = new Set(header);
  if (named.size < header.length) throw wrong('a column is named twice');
  const known = new Set(contract.fields.map((field) => field.name));
  const stranger = header.find((name) => !known.has(name));
  if (stranger !== undefined) throw wrong(`the contract has no field ${stranger.slice(0, 64)}`);
  const absent = contract.fields.find((field) => field.required && !named.has(field.name));
  if (absent) throw wrong(`field ${absent.name} is missing`);
}

/** A header line, then records; plain or gzip. */
export function createCsvSource(file: string): RecordSource {
  return {
    name: file,
    showsCells: true,
    read: async (contract) => {
      const [header, ...records] = parseCells(await readText(file), file);
      if (!header) throw new ConcordatError('FILE_UNREADABLE', `${file} is empty`, { file });
      checkHeader(header, contract, file);
      return records.map((cells) => Object.fromEntries(header.map((name, column) => [name, cells[column] ?? ''])));
    },
  };
}

/**
 * Reads and checks a whole CSV file.
 * @throws ConcordatError FILE_MISSING, FILE_UNREADABLE, DATA_BREAKS_CONTRACT
 */
export function readTable(file: string, contract: DataContract): Promise<Row[]> {
  return readRows(createCsvSource(file), contract);
}
