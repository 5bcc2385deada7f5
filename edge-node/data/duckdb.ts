// A table of a DuckDB database, or a Parquet file, as a source of records. DuckDB is a program that reads what it is told
// to, so it is told little: one file, read-only, no extensions, no settings changed afterwards, nothing spilled to disk.
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type DuckDBConnection, DuckDBInstance, DuckDBTypeId } from '@duckdb/node-api';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { type Column, type ColumnKind, chooseColumns, createCollector, quoted, selectRecords } from './columns.ts';
import type { TableName } from './place.ts';
import type { Cells, RecordSource } from './source.ts';

const QUERY_TIMEOUT_MS = 60_000;
const ENGINE = {
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  memory_limit: '1GB',
  threads: '1',
  temp_directory: '',
};
const CLOSED = { enable_external_access: 'false', lock_configuration: 'true' };

const T = DuckDBTypeId;
const KINDS: ReadonlyMap<DuckDBTypeId, ColumnKind> = new Map([
  ...[T.VARCHAR, T.ENUM, T.UUID].map((type) => [type, 'text'] as const),
  ...[T.TINYINT, T.SMALLINT, T.INTEGER, T.BIGINT, T.HUGEINT].map((type) => [type, 'integer'] as const),
  ...[T.UTINYINT, T.USMALLINT, T.UINTEGER, T.UBIGINT, T.UHUGEINT].map((type) => [type, 'integer'] as const),
  ...[T.FLOAT, T.DOUBLE, T.DECIMAL].map((type) => [type, 'number'] as const),
  [T.BOOLEAN, 'boolean'],
  [T.DATE, 'date'],
]);

/** A table or view of a database file. A view that reads other files is refused by the engine. */
export function createDuckDbSource(file: string, { schema = 'main', table }: TableName): RecordSource {
  const name = `${file}, table ${schema}.${table}`;
  const open = () => DuckDBInstance.create(resolve(file), { ...ENGINE, ...CLOSED, access_mode: 'READ_ONLY' });
  return createSource({ name, file, open, relation: `${quoted(schema)}.${quoted(table)}`, values: [] });
}

/** Exactly this file: no pattern of names, no columns from the names of folders. */
export function createParquetSource(file: string): RecordSource {
  const path = resolve(file);
  const open = async () => {
    if (/[*?[\]{}]/.test(path)) {
      throw new ConcordatError('FILE_UNREADABLE', `${file}: rename it, * ? [ ] { } stand for many files`, { file });
    }
    const instance = await DuckDBInstance.create(':memory:', ENGINE);
    const connection = await instance.connect();
    await connection.run(`SET allowed_paths = ['${path.replaceAll("'", "''")}']`);
    for (const [setting, value] of Object.entries(CLOSED)) await connection.run(`SET ${setting} = ${value}`);
    connection.closeSync();
    return instance;
  };
  return createSource({
    name: file,
    file,
    open,
    relation: 'read_parquet($1, hive_partitioning = false)',
    values: [path],
  });
}

interface Parts {
  readonly name: string;
  readonly file: string;
  readonly open: () => Promise<DuckDBInstance>;
  /** What follows FROM, and the values of its parameters. */
  readonly relation: string;
  readonly values: string[];
}

function createSource(parts: Parts): RecordSource {
  const { name, file } = parts;
  return {
    name,
    showsCells: false,
    read: async (contract) => {
      await access(file).catch((cause) => {
        throw new ConcordatError('FILE_MISSING', file, { file }, { cause });
      });
      let instance: DuckDBInstance | undefined;
      try {
        instance = await parts.open();
        return await readTable(await instance.connect(), parts, contract);
      } catch (error) {
        throw error instanceof ConcordatError ? error : explained(error, parts);
      } finally {
        instance?.closeSync();
      }
    },
  };
}

/** One statement reads all, so the records are of one moment. */
async function readTable(
  connection: DuckDBConnection,
  parts: Parts,
  contract: DataContract,
): Promise<readonly Cells[]> {
  const { name, relation, values } = parts;
  const timer = setTimeout(() => connection.interrupt(), QUERY_TIMEOUT_MS);
  try {
    const nothing = await connection.runAndReadAll(`SELECT * FROM ${relation} LIMIT 0`, values);
    const types = nothing.columnTypes();
    const columns = nothing.columnNames().map((column, i): Column => {
      const type = types[i];
      // JSON is a VARCHAR by another name; PostgreSQL's is refused as well
      if (!type || type.alias === 'JSON') return { name: column, type: type?.alias ?? '', kind: undefined };
      return { name: column, type: DuckDBTypeId[type.typeId], kind: KINDS.get(type.typeId) };
    });
    const chosen = chooseColumns(contract, columns, name);
    const collector = createCollector(chosen, name);
    const result = await connection.stream(selectRecords(contract, chosen, relation), values);
    for await (const rows of result.yieldRows()) for (const row of rows) collector.add(row);
    return collector.records;
  } finally {
    clearTimeout(timer);
    connection.closeSync();
  }
}

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^Catalog Error/, 'there is no such table or view, or it uses a function that is not there; check --table'],
  [
    /^Permission Error/,
    'a view that reads other files or needs an extension is not followed; store its rows in a table',
  ],
  [/^IO Error: Could not set lock/, 'another program has the database open for writing; close it, or read a copy'],
  [/^IO Error/, 'it is not a DuckDB database that this version reads'],
  [/^Out of Memory Error/, `it does not fit ${ENGINE.memory_limit} of memory`],
  [/^INTERRUPT/i, `it took over ${QUERY_TIMEOUT_MS} ms`],
];

/** The engine's messages quote cells (of a cast that failed, say), so only what kind of error it was goes on. */
function explained(error: unknown, { name, file }: Parts): ConcordatError {
  const message = error instanceof Error ? error.message : '';
  const kind = /^[A-Za-z ]+ Error(?=:)/.exec(message)?.[0] ?? 'an error of DuckDB';
  const advice = ADVICE.find(([pattern]) => pattern.test(message))?.[1] ?? kind;
  return new ConcordatError('RECORDS_UNREADABLE', `${name}: ${advice}`, { file, kind });
}
