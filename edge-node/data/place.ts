// Where a dealer's records are, as given on the command line: a file by its ending, or a PostgreSQL URL, and a table.
import { isIPv4 } from 'node:net';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Passwords } from './password.ts';

/** As an operator writes it: `--records` and `--table`; and where a password may be found, should a server ask for one. */
export interface RecordsPlace {
  readonly records: string;
  readonly table?: string | undefined;
  readonly passwords?: Passwords;
}

export interface TableName {
  readonly schema: string | undefined;
  readonly table: string;
}

export interface PostgresServer {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly tls: 'verify-full' | 'disable';
  /** File with the authority that signed the server's certificate; without it, those that Node trusts. */
  readonly rootCertificate: string | undefined;
}

export type Place =
  | { readonly kind: 'csv'; readonly file: string }
  | { readonly kind: 'parquet'; readonly file: string }
  | { readonly kind: 'duckdb'; readonly file: string; readonly table: TableName }
  | { readonly kind: 'postgres'; readonly server: PostgresServer; readonly table: TableName };

/** What was written is never repeated: it may hold a password in a place where none was looked for. */
const refused = (detail: string) => new ConcordatError('RECORDS_UNREADABLE', `--records, --table: ${detail}`);

/** @throws ConcordatError RECORDS_UNREADABLE */
export function parsePlace({ records, table }: RecordsPlace): Place {
  if (/^postgres(ql)?:/i.test(records)) {
    return { kind: 'postgres', server: parseServer(records), table: parseTable(table) };
  }
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(records)) throw refused('the only URL is postgres://user@host/database');
  const kind = kindOf(records);
  if (kind === 'duckdb') return { kind, file: records, table: parseTable(table) };
  if (table !== undefined) throw refused(`a .${kind} file has no tables; leave out --table`);
  return { kind, file: records };
}

function kindOf(file: string): 'csv' | 'parquet' | 'duckdb' {
  if (/\.csv(\.gz)?$/i.test(file)) return 'csv';
  if (/\.parquet$/i.test(file)) return 'parquet';
  if (/\.duckdb$/i.test(file)) return 'duckdb';
  throw refused('a file of records is named .csv, .csv.gz, .parquet or .duckdb');
}

function parseTable(text: string | undefined): TableName {
  if (text === undefined) throw refused('a database needs --table <schema.table>, or --table <table>');
  const [, schema, table] = /^(?:([A-Za-z_]\w{0,62})\.)?([A-Za-z_]\w{0,62})$/.exec(text) ?? [];
  if (table === undefined) throw refused('a table is named by letters, digits and _; put a view over any other name');
  return { schema, table };
}

const isLoopback = (host: string) =>
  host === 'localhost' || host === '::1' || host.startsWith('/') || (isIPv4(host) && host.startsWith('127.'));

function parseServer(text: string): PostgresServer {
  if (!URL.canParse(text)) throw refused('not a URL of the form postgres://user@host:5432/database');
  const url = new URL(text);
  const { sslmode, sslrootcert, ...others } = Object.fromEntries(url.searchParams);
  if (url.password !== '' || 'password' in others) {
    throw refused(
      'a command line is no place for a password (change this one: others could read it). Put it into ~/.pgpass',
    );
  }
  const [other] = Object.keys(others);
  if (other !== undefined) throw refused('of the parameters of a URL only sslmode and sslrootcert are known');
  const host = decoded(url.hostname).replace(/^\[(.*)\]$/, '$1');
  const database = decoded(url.pathname.slice(1));
  const user = decoded(url.username);
  if (!host || !database || !user) throw refused('the URL must name user, host and database');
  const tls = sslmode ?? (isLoopback(host) ? 'disable' : 'verify-full');
  if (tls !== 'verify-full' && tls !== 'disable') {
    throw refused('sslmode is verify-full (for another host, the default) or disable');
  }
  return { host, port: Number(url.port || 5432), database, user, tls, rootCertificate: sslrootcert };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw refused('the URL has a % that escapes nothing');
  }
}
