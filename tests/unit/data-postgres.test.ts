// PostgreSQL as a source: what may stand in its URL, what it is asked, what is said when it fails, and what is never said.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createConsentGate } from '../../edge-node/data/gate.ts';
import { parsePlace } from '../../edge-node/data/place.ts';
import { type PostgresForTests, startPostgres } from '../helpers/postgres.ts';
import { CONTRACT, createEngines, insert, refusal, SQL_ROWS, TABLE } from './data-world.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'concordat-postgres-'));
let postgres: PostgresForTests;
const { PostgreSQL } = createEngines(folder, () => postgres);
const servers: Server[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
});
afterEach(() => {
  vi.unstubAllEnvs();
  postgres.cutAt(undefined);
});
afterAll(async () => {
  for (const server of servers) server.close();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('a place', () => {
  const table = 'crm.customers';
  test.each([
    ['a password', 'postgres://edge:s3cret@db.example/crm', 'no place for a password'],
    ['a password without a user', 'postgres://:s3cret@db.example/crm', 'no place for a password'],
    ['a password as a parameter', 'postgresql://edge@db.example/crm?password=s3cret', 'no place for a password'],
    [
      'a parameter that could redirect it',
      'postgres://edge@db.example/crm?host=s3cret',
      'only sslmode and sslrootcert',
    ],
    ['TLS that checks no name', 'postgres://edge@db.example/crm?sslmode=require', 'sslmode is verify-full'],
    ['no user', 'postgres://db.example/crm', 'must name user'],
    ['no database', 'postgres://edge@db.example', 'must name user'],
    ['no host', 'postgres:///crm', 'must name user'],
    ['no port that exists', 'postgres://edge:s3cret@db.example:99999/crm', 'not a URL'],
    ['a broken escape', 'postgres://s3cret%zz@db.example/crm', '%'],
    ['another kind of database', 'mysql://edge:s3cret@db.example/crm', 'the only URL'],
    ['a file of another kind', 's3cret.xlsx', 'is named .csv'],
  ])('is refused with %s, and what was written is not repeated', async (_, records, detail) => {
    const error = await refusal(createConsentGate({ records, table }, CONTRACT));
    expect(error.code).toBe('RECORDS_UNREADABLE');
    expect(error.detail).toContain(detail);
    expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toMatch(/s3cret|99999/);
  });

  test.each([undefined, '', 'a.b.c', 'crm."x"', 'crm.customers; DROP TABLE x', 'a-b', '1st', 'x'.repeat(64)])(
    'is refused with table %s',
    (name) => {
      expect(() => parsePlace({ records: 'postgres://edge@db.example/crm', table: name })).toThrow(
        'RECORDS_UNREADABLE',
      );
    },
  );

  test('is refused with a table where there is none', () => {
    expect(() => parsePlace({ records: 'records.csv', table })).toThrow('leave out --table');
  });

  test.each([
    ['db.example', 'verify-full'],
    ['10.0.0.5', 'verify-full'],
    ['localhost.example', 'verify-full'],
    ['[2001:db8::1]', 'verify-full'],
    ['localhost', 'disable'],
    ['127.0.0.9', 'disable'],
    ['[::1]', 'disable'],
    ['%2Fvar%2Frun%2Fpostgresql', 'disable'],
  ])('on %s speaks TLS: %s', (host, tls) => {
    expect(parsePlace({ records: `postgres://edge@${host}/crm`, table })).toMatchObject({ server: { tls } });
    for (const sslmode of ['verify-full', 'disable']) {
      const place = parsePlace({ records: `postgres://edge@${host}/crm?sslmode=${sslmode}`, table });
      expect(place).toMatchObject({
        server: { tls: sslmode, port: 5432 },
        table: { schema: 'crm', table: 'customers' },
      });
    }
  });
});

describe('the server', () => {
  test('is asked in one read-only snapshot, for the columns of the contract', async () => {
    const place = await PostgreSQL([TABLE, insert(SQL_ROWS)]);
    const before = postgres.seen('REPEATABLE READ READ ONLY');
    await createConsentGate(place, CONTRACT);
    expect(postgres.seen('REPEATABLE READ READ ONLY')).toBe(before + 1);
    expect(postgres.seen('statement_timeout')).toBeGreaterThan(0);
    expect(postgres.seen('"visits"')).toBeGreaterThan(0);
    expect(postgres.seen('extra"')).toBe(0);
  });

  test('that hangs up half-way gives nothing: the records of before stay', async () => {
    const place = await PostgreSQL([TABLE, insert(SQL_ROWS)]);
    const gate = await createConsentGate(place, CONTRACT);
    await postgres.exec("DELETE FROM records WHERE customer < 'c150'");
    for (const moment of ['BEGIN', 'pg_attribute', 'DECLARE', 'FETCH']) {
      postgres.cutAt(moment);
      const error = await refusal(gate.reload());
      expect(error.code, moment).toBe('RECORDS_UNREADABLE');
      expect(gate.recordCount, moment).toBe(180);
    }
    postgres.cutAt(undefined);
    await gate.reload();
    expect(gate.recordCount).toBeLessThan(180);
  });

  test('keeps enumerations, domains and numbers that do not fit a double as they are', async () => {
    const place = await PostgreSQL([
      "CREATE TYPE which AS ENUM ('train', 'test')",
      'CREATE DOMAIN years AS integer CHECK (VALUE > 0)',
      'CREATE TABLE base (customer uuid, "set" which, age years, paid numeric, score real, visits bigint, bought boolean)',
      "INSERT INTO base VALUES ('6F9619FF-8B86-D011-B42D-00C04FC964FF', 'train', 40, 1e300, 3.4e38, 7, true)",
      'CREATE VIEW records AS SELECT * FROM base',
    ]);
    const gate = await createConsentGate(place, CONTRACT);
    expect(gate.open(new Set(gate.customerIds)).map((record) => record.row)).toEqual([
      {
        customer: '6f9619ff-8b86-d011-b42d-00c04fc964ff',
        set: 'train',
        age: 40,
        paid: 1e300,
        score: 3.4e38,
        visits: 7,
        bought: 1,
      },
    ]);
    await postgres.exec('UPDATE base SET paid = 1e1000');
    expect((await refusal(gate.reload())).fields).toMatchObject({ row: 1, field: 'paid' });
  });

  test('whose view fails on a cell is not quoted', async () => {
    const view =
      'CREATE VIEW records AS SELECT customer, "set", CAST(note AS integer) AS age, paid, score, visits, bought FROM base';
    const rows = insert([["'ann'", "'train'", '40', '1', '1', '1', "'bob-secret'", 'true', 'null']]);
    const place = await PostgreSQL([TABLE.replace('records', 'base'), rows.replace('records', 'base'), view]);
    const error = await refusal(createConsentGate(place, CONTRACT));
    expect(error).toMatchObject({ code: 'RECORDS_UNREADABLE', fields: { reason: '22P02' } });
    expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain('secret');
  });

  test('that offers no TLS where it is asked for hears not even who calls', async () => {
    const error = await refusal(
      createConsentGate(
        { records: `postgres://shy-user@127.0.0.1:${postgres.port}/postgres?sslmode=verify-full`, table: 'records' },
        CONTRACT,
      ),
    );
    expect(error.detail).toContain('offers no TLS');
    expect(postgres.seen('shy-user')).toBe(0);
  });

  test('that nobody runs', async () => {
    const error = await refusal(
      createConsentGate({ records: 'postgres://edge@127.0.0.1:1/crm', table: 'records' }, CONTRACT),
    );
    expect(error).toMatchObject({ code: 'RECORDS_UNREADABLE', fields: { reason: 'ECONNREFUSED' } });
    expect(error.detail).toContain('nothing listens');
  });
});

/** Asks for the password in the clear, and refuses it with a message that repeats it. */
async function startNosyServer(): Promise<{ port: number; heard: Buffer[] }> {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      heard.push(bytes);
      if (bytes[0] !== 'p'.charCodeAt(0)) socket.write(Buffer.from([82, 0, 0, 0, 8, 0, 0, 0, 3]));
      else {
        const body = Buffer.from(`SFATAL\0C28P01\0Mno: ${bytes.subarray(5, -1)}\0\0`);
        const length = Buffer.alloc(4);
        length.writeUInt32BE(body.length + 4);
        socket.end(Buffer.concat([Buffer.from('E'), length, body]));
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, heard };
}

describe('the password', () => {
  const password = 's3:c\\ret';

  /** What the server heard, and what we say when it refuses. */
  async function login(passwords: (port: number) => { password: string | undefined; file: string }) {
    const { port, heard } = await startNosyServer();
    const place = { records: `postgres://edge@127.0.0.1:${port}/crm`, table: 'records', passwords: passwords(port) };
    const error = await refusal(createConsentGate(place, CONTRACT));
    expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toMatch(/s3:/);
    return { heard: heard.some((bytes) => bytes.includes(`${password}\0`)), error };
  }
  function passwordFile(lines: readonly string[], mode = 0o600) {
    const file = path.join(folder, 'pgpass');
    writeFileSync(file, lines.join('\n'));
    chmodSync(file, mode);
    return { password: undefined, file };
  }
  const none = { password: undefined, file: '/nowhere' };
  const right = 's3\\:c\\\\ret';

  test('comes from the environment, and is in no error', async () => {
    const { heard, error } = await login(() => ({ password, file: '/nowhere' }));
    expect(heard).toBe(true);
    expect(error.detail).toContain('the server refuses the password');
  });

  test.each([
    [
      'the first line that fits',
      (port: number) => ['#', 'y', '*:*:other:edge:z', `127.0.0.1:${port}:crm:edge:${right}`, '*:*:*:*:z'],
    ],
    ['a line for all', () => [`*:*:*:*:${right}`]],
    ['a line with escapes and another system\u2019s end', () => [`127.0.0.1:*:c\\rm:edge:s3:c\\\\ret\r`, '']],
  ])('comes from %s of a password file', async (_, lines) => {
    expect((await login((port) => passwordFile(lines(port)))).heard).toBe(true);
  });

  test.each([
    ['a file for others', () => passwordFile([`*:*:*:other:${right}`]), 'asks for a password'],
    ['a commented line', () => passwordFile([`#*:*:*:*:${right}`, `# *:*:*:*:${right}`]), 'asks for a password'],
    ['no file', () => none, 'asks for a password'],
    ['a file that its group reads', () => passwordFile([`*:*:*:*:${right}`], 0o640), 'chmod 600'],
  ])('is not there with %s: nothing is sent', async (_, passwords, detail) => {
    const { heard, error } = await login(passwords);
    expect([heard, error.code]).toEqual([false, 'RECORDS_UNREADABLE']);
    expect(error.detail).toContain(detail);
  });

  test('is not taken out of the environment by the driver on its own', async () => {
    vi.stubEnv('PGPASSWORD', password);
    expect((await login(() => none)).heard).toBe(false);
  });
});
