// One record against its data contract. A fault names the row and the field, and never shows another value of the record.
import { ConcordatError } from '../errors.ts';
import type { DataContract, Field } from './data-contract.ts';

/** A record's cells by field name; a missing optional cell has no key. */
export type Row = Readonly<Record<string, string | number>>;

const MAX_TEXT = 200;
const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

/** What the contract asks of a field, in words. */
function expectation(field: Field): string {
  if (field.codes) return `one of ${[...field.codes].slice(0, 12).join(', ')}${field.codes.size > 12 ? ', …' : ''}`;
  const kind = { string: `text of at most ${MAX_TEXT} characters`, integer: 'an integer', number: 'a number' }[
    field.type
  ];
  const from = field.minimum === undefined ? '' : ` from ${field.minimum}`;
  const to = field.maximum === undefined ? '' : ` to ${field.maximum}`;
  return `${kind}${from}${to}`;
}

/** The found cell, cut short; what identifies or reaches a person is never shown. */
function shown(field: Field, cell: unknown): string {
  if (cell === undefined || cell === '') return 'nothing';
  if (field.fieldClass === 'identity' || field.fieldClass === 'contact') return 'something else';
  const text = JSON.stringify(cell) ?? typeof cell;
  return text.length > 24 ? `${text.slice(0, 24)}…` : text;
}

function fault(row: number, field: Field, cell: unknown, expected = expectation(field)): ConcordatError {
  const detail = `row ${row}, field ${field.name}: expected ${expected}, found ${shown(field, cell)}`;
  return new ConcordatError('DATA_BREAKS_CONTRACT', detail, { row, field: field.name, expected });
}

function fits(field: Field, cell: unknown): cell is string | number {
  if (field.type === 'string') {
    if (typeof cell !== 'string' || cell.length > MAX_TEXT) return false;
  } else {
    if (typeof cell !== 'number' || !Number.isFinite(cell)) return false;
    if (field.type === 'integer' && !Number.isSafeInteger(cell)) return false;
    if (field.minimum !== undefined && cell < field.minimum) return false;
    if (field.maximum !== undefined && cell > field.maximum) return false;
  }
  return field.codes?.has(cell) ?? true;
}

/** A field may be called `constructor`: every object has one of those, and no cell is meant. */
const cellOf = <T>(cells: Readonly<Record<string, T>>, { name }: Field): T | undefined =>
  Object.hasOwn(cells, name) ? cells[name] : undefined;

/**
 * Checks a record. `rowNumber` counts the records from 1. Uniqueness is over the whole file: see `uniqueCheck`.
 * @throws ConcordatError DATA_BREAKS_CONTRACT
 */
export function validateRow(contract: DataContract, cells: Readonly<Record<string, unknown>>, rowNumber: number): Row {
  const known = new Set(contract.fields.map((field) => field.name));
  const stranger = Object.keys(cells).find((name) => !known.has(name));
  if (stranger !== undefined) {
    const detail = `row ${rowNumber}, field ${stranger.slice(0, 64)}: the contract has no such field`;
    throw new ConcordatError('DATA_BREAKS_CONTRACT', detail, { row: rowNumber, field: stranger.slice(0, 64) });
  }
  const row: Record<string, string | number> = {};
  for (const field of contract.fields) {
    const cell = cellOf(cells, field);
    if (cell === undefined) {
      if (field.required) throw fault(rowNumber, field, cell);
    } else if (fits(field, cell)) {
      row[field.name] = cell;
    } else throw fault(rowNumber, field, cell);
  }
  return row;
}

/** A record of texts, as a CSV file has them: numbers are read strictly, an empty cell is a missing one. */
export function rowFromText(contract: DataContract, cells: Readonly<Record<string, string>>, rowNumber: number): Row {
  const typed: Record<string, unknown> = { ...cells };
  for (const field of contract.fields) {
    const cell = cellOf(cells, field);
    if (cell === '') delete typed[field.name];
    else if (cell !== undefined && field.type !== 'string' && NUMBER.test(cell)) typed[field.name] = Number(cell);
  }
  return validateRow(contract, typed, rowNumber);
}

/** Call once per record, in order; throws at the first value of a `unique` field that was there before. */
export function uniqueCheck(contract: DataContract): (row: Row, rowNumber: number) => void {
  const seen = contract.fields
    .filter((field) => field.unique)
    .map((field) => [field, new Map<unknown, number>()] as const);
  return (row, rowNumber) => {
    for (const [field, rows] of seen) {
      const cell = cellOf(row, field);
      const before = rows.get(cell);
      if (before !== undefined) throw fault(rowNumber, field, cell, `a value other than that of row ${before}`);
      if (cell !== undefined) rows.set(cell, rowNumber);
    }
  };
}
