// A table against its data contract: which columns are read, as what, and the one SELECT that reads them. PostgreSQL and
// DuckDB understand the same text.
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract, Field } from '../../protocol/learning/data-contract.ts';
import { LIMITS } from '../../protocol/params.ts';
import type { Cells } from './source.ts';

/** What a column's type comes to; a type that is none of these is not read. */
export type ColumnKind = 'text' | 'integer' | 'number' | 'boolean' | 'date';

export interface Column {
  readonly name: string;
  /** The database's own name of the type, for messages. */
  readonly type: string;
  readonly kind: ColumnKind | undefined;
}

/** A field and its column, which is there. */
export interface Chosen {
  readonly field: Field;
  readonly kind: ColumnKind;
}

/** Nothing is guessed: no number out of a text, no text out of a fraction. */
const TAKES: Readonly<Record<Field['type'], readonly ColumnKind[]>> = {
  string: ['text', 'integer', 'date'],
  integer: ['integer', 'number', 'boolean'],
  number: ['integer', 'number'],
};

/** Longer than any text that passes, and than the integer part of any finite number: cutting here changes no record. */
const MAX_CELL_CHARACTERS = 1_001;
const MAX_TABLE_CHARACTERS = 256 * 2 ** 20;

/**
 * The contract's columns among those of a table; others are left where they are.
 * @throws ConcordatError DATA_BREAKS_CONTRACT naming a column
 */
export function chooseColumns(contract: DataContract, columns: readonly Column[], source: string): readonly Chosen[] {
  const wrong = (field: Field, detail: string) =>
    new ConcordatError('DATA_BREAKS_CONTRACT', `${source}, column ${field.name}: ${detail}`, {
      row: 0,
      field: field.name,
    });
  return contract.fields.flatMap((field) => {
    const column = columns.find(({ name }) => name === field.name);
    if (!column) {
      const similar = columns.some(({ name }) => name.toLowerCase() === field.name.toLowerCase());
      const advice = similar ? '; one differs in case only: rename it in a view' : '; add it, or a view that has it';
      if (field.required || similar) throw wrong(field, `is missing${advice}`);
      return [];
    }
    const { kind, type } = column;
    if (kind === undefined || !TAKES[field.type].includes(kind)) {
      throw wrong(field, `the contract has ${field.type}, the table ${type}; cast it in a view`);
    }
    return [{ field, kind }];
  });
}

/** Field names and table names are letters, digits and _ by their schemas; quoted all the same. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/**
 * Texts of the chosen columns, without the hold-out, in order of id, one row more than a dealer may have.
 * @param relation what follows FROM
 */
export function selectRecords(contract: DataContract, chosen: readonly Chosen[], relation: string): string {
  const cells = chosen.map(({ field, kind }) => {
    const cell = kind === 'boolean' ? `CAST(${quoted(field.name)} AS integer)` : quoted(field.name);
    return `left(CAST(${cell} AS varchar), ${MAX_CELL_CHARACTERS})`;
  });
  const { id, split } = contract;
  const noHoldOut = split ? ` WHERE CAST(${quoted(split.name)} AS varchar) IS DISTINCT FROM 'test'` : '';
  // the order only numbers the rows for messages: the gate sorts for itself
  const order = `CAST(${quoted(id.name)} AS varchar) COLLATE "C"`;
  const limit = LIMITS.maxRecordsPerDealer + 1;
  return `SELECT ${cells.join(', ')} FROM ${relation}${noHoldOut} ORDER BY ${order} LIMIT ${limit}`;
}

/** Takes rows as they arrive, up to a size. */
export function createCollector(chosen: readonly Chosen[], source: string) {
  const records: Cells[] = [];
  let characters = 0;
  return {
    records,
    /** @throws ConcordatError RECORDS_UNREADABLE, DATA_BREAKS_CONTRACT */
    add(row: readonly unknown[]): void {
      const cells: Record<string, string> = {};
      for (const [i, { field, kind }] of chosen.entries()) {
        const cell = row[i];
        if (typeof cell !== 'string') continue;
        if (kind === 'date') requireDate(cell, field, records.length + 1, source);
        cells[field.name] = cell;
        characters += cell.length;
      }
      if (characters > MAX_TABLE_CHARACTERS) {
        throw new ConcordatError('RECORDS_UNREADABLE', `${source}: over ${MAX_TABLE_CHARACTERS} characters`);
      }
      records.push(cells);
    },
  };
}

/** Databases know days that no text of the form YYYY-MM-DD can name, and each writes them in its own way. */
function requireDate(cell: string, field: Field, row: number, source: string): void {
  if (/^\d{4}-\d{2}-\d{2}$/.test(cell)) return;
  const expected = 'a date of the years 0 to 9999';
  const detail = `${source}: row ${row}, field ${field.name}: expected ${expected}`;
  throw new ConcordatError('DATA_BREAKS_CONTRACT', detail, { row, field: field.name, expected });
}
