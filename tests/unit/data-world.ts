// Records for the tests of sources: a contract with every type of field, 200 records, and a place for them in each engine.
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { RecordsPlace } from '../../edge-node/data/gate.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { parseDataContract } from '../../protocol/learning/data-contract.ts';
import type { PostgresForTests } from '../helpers/postgres.ts';

const field = (name: string, logicalType: string, role: string, more: object = {}, features?: readonly object[]) => ({
  name,
  logicalType,
  ...more,
  customProperties: [
    { property: 'fieldClass', value: 'purchases' },
    { property: 'role', value: role },
    ...(features ? [{ property: 'features', value: features }] : []),
  ],
});
const required = (logicalTypeOptions: object) => ({ required: true, logicalTypeOptions });

const PROPERTIES = [
  field('customer', 'string', 'id', { required: true, unique: true }),
  field('set', 'string', 'split', required({ enum: ['train', 'test'] })),
  field('age', 'integer', 'feature', required({ minimum: 18, maximum: 120 }), [
    { map: 'scaled', centre: 40, scale: 10 },
  ]),
  field('paid', 'number', 'feature', { required: true }, [{ map: 'scaled', centre: 0, scale: 100 }]),
  field('score', 'number', 'feature', { required: true }, [{ map: 'scaled', centre: 0, scale: 1 }]),
  field('visits', 'integer', 'feature', { required: true }, [{ map: 'scaled', centre: 0, scale: 10 }]),
  field('note', 'string', 'partition'),
  field('bought', 'integer', 'label', required({ minimum: 0, maximum: 1 })),
];

export const CONTRACT = parseDataContract(
  JSON.stringify({
    apiVersion: 'v3.1.0',
    kind: 'DataContract',
    id: 'urn:test',
    version: '1.0.0',
    status: 'draft',
    schema: [{ name: 'customers', logicalType: 'object', properties: PROPERTIES }],
  }),
);

/** The same statement in PostgreSQL and in DuckDB; `extra` is not in the contract. */
export const TABLE = `CREATE TABLE records (customer varchar, "set" varchar, age smallint, paid numeric(18, 4), score double precision,
  visits bigint, note varchar, bought boolean, extra varchar)`;

const NOTES = ['null', "''", "'it''s \"odd\", isn''t it'", "'Zoë – 東京 🚗'", "'two\nlines'"];
const PAID = ['1', '0', '-0.0001', '12.5000', '99999999999999.9999'];
const SCORES = ['0', '0.1', '1e-7', '-1.7976931348623157e308', '123456789.125'];
const VISITS = ['1', '0', '-9007199254740991', '9007199254740991', '7'];

/** Cells as SQL; every tenth is of the hold-out, and ids are not in the order of rows. */
export const SQL_ROWS: readonly (readonly string[])[] = Array.from({ length: 200 }, (_, i) => [
  `'c${(i * 73) % 200}'`,
  i % 10 === 9 ? "'test'" : "'train'",
  String(18 + (i % 103)),
  PAID[i % 5] ?? '',
  SCORES[(i >> 1) % 5] ?? '',
  VISITS[(i >> 2) % 5] ?? '',
  NOTES[(i >> 3) % 5] ?? '',
  i % 2 ? 'true' : 'false',
  "'not asked for'",
]);

export const insert = (rows: readonly (readonly string[])[]): string =>
  `INSERT INTO records VALUES ${rows.map((row) => `(${row.join(', ')})`).join(', ')}`;

/** The file that somebody would export from the table. */
export function csvOf(rows: readonly (readonly string[])[]): string {
  const asCsv = (cell: string) =>
    cell === 'null'
      ? ''
      : cell.startsWith("'")
        ? `"${cell.slice(1, -1).replaceAll("''", "'").replaceAll('"', '""')}"`
        : cell.replace('true', '1').replace('false', '0');
  const lines = rows.map((row) => row.slice(0, -1).map(asCsv).join(','));
  return `customer,set,age,paid,score,visits,note,bought\n${lines.join('\n')}\n`;
}

/** Each runs statements in an engine of its own, and says where the table `records` then is. */
export function createEngines(folder: string, postgres: () => PostgresForTests) {
  let files = 0;
  const inDuckDb = async (file: string, sql: readonly string[]) => {
    const instance = await DuckDBInstance.create(file);
    const connection = await instance.connect();
    for (const statement of sql) await connection.run(statement);
    connection.closeSync();
    instance.closeSync();
    return { records: file, table: 'records' };
  };
  const fresh = (ending: string) => path.join(folder, `${++files}.${ending}`);
  return {
    PostgreSQL: async (sql: readonly string[]): Promise<RecordsPlace> => {
      await postgres().exec(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; ${sql.join('; ')}`);
      return { records: `postgres://postgres@127.0.0.1:${postgres().port}/postgres`, table: 'records' };
    },
    DuckDB: (sql: readonly string[]): Promise<RecordsPlace> => inDuckDb(fresh('duckdb'), sql),
    Parquet: async (sql: readonly string[]): Promise<RecordsPlace> => {
      const [database, file] = [fresh('duckdb'), fresh('parquet')];
      await inDuckDb(database, [...sql, `COPY records TO '${file}' (FORMAT parquet)`]);
      rmSync(database);
      return { records: file };
    },
  };
}

export function writeCsv(folder: string, text: string): RecordsPlace {
  const records = path.join(folder, 'records.csv');
  writeFileSync(records, text);
  return { records };
}

export async function refusal(run: Promise<unknown>): Promise<ConcordatError> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ConcordatError) return error;
  throw error ?? new Error('nothing was refused');
}
