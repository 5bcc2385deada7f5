// A table or view of PostgreSQL as a source of records: one read-only snapshot, fetched in steps, over TLS when it leaves
// the machine.
import { Client, type ClientConfig, DatabaseError } from 'pg';
import { readFileOrExplain } from '../../kit/files.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { type Column, type ColumnKind, chooseColumns, createCollector, quoted, selectRecords } from './columns.ts';
import { findPassword, PASSWORD_ADVICE, type Passwords } from './password.ts';
import type { PostgresServer, TableName } from './place.ts';
import type { Cells, RecordSource } from './source.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 60_000;
/** For a server that does not keep its own. */
const QUERY_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 10_000;
const ROWS_PER_FETCH = 1_000;

const KINDS: Readonly<Record<string, ColumnKind>> = {
  text: 'text',
  'character varying': 'text',
  character: 'text',
  uuid: 'text',
  enum: 'text',
  smallint: 'integer',
  integer: 'integer',
  bigint: 'integer',
  numeric: 'number',
  real: 'number',
  'double precision': 'number',
  boolean: 'boolean',
  date: 'date',
};

export function createPostgresSource(server: PostgresServer, table: TableName, passwords?: Passwords): RecordSource {
  const { schema = 'public' } = table;
  const name = `${server.database} on ${server.host}:${server.port}, table ${schema}.${table.table}`;
  return {
    name,
    showsCells: false,
    read: async (contract) => {
      const client = new Client(await clientConfig(server, passwords));
      // a connection lost between two queries is an event, and one that nobody hears ends the process
      client.on('error', () => undefined);
      try {
        await client.connect();
        return await readSnapshot(client, { schema, table: table.table, name }, contract);
      } catch (error) {
        throw error instanceof ConcordatError ? error : explained(error, name);
      } finally {
        // the records are here or never will be: a server slow to hang up keeps nobody waiting
        client.end().catch(() => undefined);
      }
    },
  };
}

async function clientConfig(
  { tls, rootCertificate, ...server }: PostgresServer,
  passwords: Passwords | undefined,
): Promise<ClientConfig> {
  // the driver compares the certificate with the host's name by itself
  const verified = async () => ({
    rejectUnauthorized: true,
    ...(rootCertificate !== undefined && { ca: (await readFileOrExplain(rootCertificate)).toString('utf8') }),
  });
  return {
    ...server,
    password: () => findPassword(passwords, server),
    // always said, so that no PGSSLMODE of the environment says otherwise
    ssl: tls === 'verify-full' ? await verified() : false,
    application_name: 'concordat edge',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
  };
}

interface Relation {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
}

/** Settings are of the transaction, not of the connection: a pooler such as PgBouncer passes these on. */
const BEGIN = `
  BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
  SET LOCAL statement_timeout = ${STATEMENT_TIMEOUT_MS};
  SET LOCAL lock_timeout = ${CONNECT_TIMEOUT_MS};
  SET LOCAL idle_in_transaction_session_timeout = ${STATEMENT_TIMEOUT_MS};
  SET LOCAL datestyle = 'ISO, YMD';
  SET LOCAL extra_float_digits = 3`;

async function readSnapshot(client: Client, relation: Relation, contract: DataContract): Promise<readonly Cells[]> {
  await client.query(BEGIN);
  const chosen = chooseColumns(contract, await columnsOf(client, relation), relation.name);
  const collector = createCollector(chosen, relation.name);
  const from = `${quoted(relation.schema)}.${quoted(relation.table)}`;
  await client.query(`DECLARE records NO SCROLL CURSOR FOR ${selectRecords(contract, chosen, from)}`);
  for (;;) {
    const { rows } = await client.query<unknown[]>({ text: `FETCH ${ROWS_PER_FETCH} FROM records`, rowMode: 'array' });
    for (const row of rows) collector.add(row);
    if (rows.length === 0) break;
  }
  await client.query('COMMIT');
  return collector.records;
}

/** From the catalogue, which anyone may read: the dealer's user needs SELECT on the contract's columns and no others. */
const COLUMNS = `
  SELECT a.attname AS name, CASE base.typtype WHEN 'e' THEN 'enum' ELSE format_type(base.oid, NULL) END AS type
  FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    JOIN pg_catalog.pg_type base ON base.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
    AND a.attnum > 0 AND NOT a.attisdropped`;

async function columnsOf(client: Client, { schema, table, name }: Relation): Promise<readonly Column[]> {
  const { rows } = await client.query<{ name: string; type: string }>(COLUMNS, [schema, table]);
  if (rows.length === 0) {
    throw new ConcordatError('RECORDS_UNREADABLE', `${name}: there is no such table or view; check --table`);
  }
  return rows.map((row) => ({ ...row, kind: KINDS[row.type] }));
}

const ADVICE: Readonly<Record<string, string>> = {
  '28P01': `the server refuses the password; ${PASSWORD_ADVICE}`,
  '28000': 'the server does not let this user in from here; see its pg_hba.conf',
  '3D000': 'there is no such database',
  '42501': 'the user may not read it: GRANT USAGE ON SCHEMA, GRANT SELECT on its columns',
  '57014': `a statement took over ${STATEMENT_TIMEOUT_MS} ms`,
  '55P03': 'another session keeps the table locked',
  '57P01': 'the server ended the connection; nothing of what arrived is used',
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no host of this name',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate signs itself; name its authority with ?sslrootcert=FILE',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate\u2019s authority is not known; name it with ?sslrootcert=FILE',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate\u2019s authority is not known; name it with ?sslrootcert=FILE',
};

/** Messages of the server and the driver quote cells and settings, so only a code goes on, or words of ours. */
function explained(error: unknown, name: string): ConcordatError {
  const cause = error instanceof AggregateError ? error.errors[0] : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  const advice = (code && ADVICE[code]) ?? driverAdvice(cause);
  const kind = cause instanceof DatabaseError ? 'SQLSTATE' : 'error';
  const fields = code === undefined ? {} : { reason: code };
  return new ConcordatError('RECORDS_UNREADABLE', `${name}: ${advice ?? `${kind} ${code ?? 'unknown'}`}`, fields);
}

/** The driver's own errors have no code. */
function driverAdvice(cause: unknown): string | undefined {
  const message = cause instanceof Error ? cause.message : '';
  if (/does not support SSL/.test(message))
    return 'the server offers no TLS; turn it on there, or see docs/data-sources.md';
  if (/terminated/.test(message)) return 'the connection was lost; nothing of what arrived is used';
  if (/timeout/i.test(message)) return 'the server did not answer in time';
  return undefined;
}
