// Records out of CSV, PostgreSQL, DuckDB and Parquet: the same rows are the same records, and the same faults are refused.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRecordsCommitter } from '../../edge-node/commitment.ts';
import { createConsentGate, type RecordsPlace } from '../../edge-node/data/gate.ts';
import { type Hex, sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { LIMITS } from '../../protocol/params.ts';
import { type PostgresForTests, startPostgres } from '../helpers/postgres.ts';
import { CONTRACT, createEngines, csvOf, insert, refusal, SQL_ROWS, TABLE, writeCsv } from './data-world.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'concordat-sources-'));
let postgres: PostgresForTests;
const engines = createEngines(folder, () => postgres);
const ENGINES = Object.entries(engines).map(([name, engine]) => ({ name, engine }));

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(async () => {
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

const open = (place: RecordsPlace) => createConsentGate(place, CONTRACT);

/** What a round would train on and commit to, had everybody agreed. */
async function used(place: RecordsPlace) {
  const gate = await open(place);
  const records = gate.open(new Set(gate.customerIds));
  const subjects = new Map(gate.customerIds.map((id): [string, Hex] => [id, toHex(sha256(utf8ToBytes(id)))]));
  return { records, root: createRecordsCommitter(new Uint8Array(32))(records, subjects).root };
}

test('the same 200 rows give the same records and the same recordsRoot from every source', async () => {
  const csv = await used(writeCsv(folder, csvOf(SQL_ROWS)));
  expect(csv.records).toHaveLength(180);
  expect(csv.records.find((record) => record.row.note === 'Zoë – 東京 🚗')).toBeDefined();
  for (const { name, engine } of ENGINES) {
    const other = await used(await engine([TABLE, insert(SQL_ROWS)]));
    expect(other.records, name).toEqual(csv.records);
    expect(other.root, name).toBe(csv.root);
  }
  // and the comparison would notice one cell
  const changed = SQL_ROWS.map((row, i) => (i === 0 ? row.with(2, '19') : row));
  expect((await used(writeCsv(folder, csvOf(changed)))).root).not.toBe(csv.root);
}, 30_000);

const GOOD = ["'ann'", "'train'", '40', '1', '1', '1', 'null', 'false', 'null'];
/** The good row and a second one, with some cells changed. */
const second = (cells: Readonly<Record<number, string>>) =>
  insert([GOOD, GOOD.map((cell, i) => cells[i] ?? (i === 0 ? "'bob-secret'" : cell))]);
const as = (column: string, type: string) => [
  `ALTER TABLE records DROP COLUMN ${column}`,
  `ALTER TABLE records ADD COLUMN ${column} ${type}`,
];

describe.each(ENGINES)('$name', ({ engine }) => {
  test.each([
    ['a number under the minimum', [TABLE, second({ 2: '17' })], 'age'],
    ['NULL where a value is required', [TABLE, second({ 2: 'null' })], 'age'],
    ['NULL for a label', [TABLE, second({ 7: 'null' })], 'bought'],
    ['the id of another row', [TABLE, second({ 0: "'ann'" })], 'customer'],
    ['an unknown code', [TABLE, second({ 1: "'secret'" })], 'set'],
    ['no code at all', [TABLE, second({ 1: 'null' })], 'set'],
    ['an integer that a double does not hold', [TABLE, second({ 5: '9007199254740993' })], 'visits'],
    ['NaN', [TABLE, second({ 4: "'NaN'" })], 'score'],
    ['infinity', [TABLE, second({ 4: "'-infinity'" })], 'score'],
    ['a date without end', [TABLE, ...as('note', 'date'), second({ 6: "'infinity'" })], 'note'],
    ['a date before the first', [TABLE, ...as('note', 'date'), second({ 6: "DATE '0001-01-01' - 400" })], 'note'],
    ['a text of 201 characters', [TABLE, second({ 6: `'${'secret '.repeat(29)}'` })], 'note'],
    ['a text of a million characters', [TABLE, second({ 6: "repeat('s', 1000000)" })], 'note'],
    [
      'a fraction for an integer',
      [
        TABLE,
        ...as('visits', 'double precision'),
        second({}),
        "UPDATE records SET visits = 1.5 WHERE customer <> 'ann'",
      ],
      'visits',
    ],
  ])('refuses %s, naming row and field and no cell', async (_, sql, field) => {
    const error = await refusal(open(await engine(sql.map((text) => text.replace('records VALUES', columnsOf(sql))))));
    expect(error.code).toBe('DATA_BREAKS_CONTRACT');
    expect(error.fields).toMatchObject({ row: 2, field });
    expect(error.detail).toContain(`row 2, field ${field}: expected`);
    expect(`${error.message} ${JSON.stringify(error)}`).not.toMatch(/secret|found/);
    expect(error.cause).toBeUndefined();
  });

  test.each([
    ['a text for a number', as('age', 'varchar'), 'the contract has integer'],
    ['a truth value for a text', as('note', 'boolean'), 'the contract has string'],
    ['a truth value for a number', as('paid', 'boolean'), 'the contract has number'],
    ['a fraction for a text', as('note', 'numeric(9, 2)'), 'the contract has string'],
    ['a moment for a text', as('note', 'timestamp'), 'cast it in a view'],
    ['an interval', as('paid', 'interval'), 'cast it in a view'],
    ['JSON for a text', as('note', 'json'), 'the contract has string'],
    ['a column that is not there', ['ALTER TABLE records DROP COLUMN age'], 'add it'],
    ['one in other letters', ['ALTER TABLE records RENAME COLUMN age TO "Age"'], 'differs in case'],
    ['an optional one in other letters', ['ALTER TABLE records RENAME COLUMN note TO "NOTE"'], 'differs in case'],
  ])('refuses %s before it reads a row', async (_, sql, detail) => {
    const error = await refusal(open(await engine([TABLE, ...sql])));
    expect(error.code).toBe('DATA_BREAKS_CONTRACT');
    expect(error.detail).toContain(detail);
    expect(error.fields).toMatchObject({ row: 0 });
  });

  test('takes what loses nothing: whole decimals, a truth value as 0 or 1, numbered customers, real as it is written', async () => {
    const sql = `CREATE TABLE records AS SELECT CAST(9007199254740993 AS bigint) AS customer, CAST('train' AS char(8)) AS "set",
      CAST(40 AS numeric(9, 3)) AS age, CAST(0.1 AS real) AS paid, 1 AS score,
      CAST(2.00 AS numeric(9, 2)) AS visits, DATE '2024-02-29' AS note, true AS bought`;
    const { records } = await used(await engine([sql]));
    expect(records.map((record) => record.row)).toEqual([
      {
        customer: '9007199254740993',
        set: 'train',
        age: 40,
        paid: 0.1,
        score: 1,
        visits: 2,
        note: '2024-02-29',
        bought: 1,
      },
    ]);
  });

  test('the hold-out stays where it is: a fault in it is nobody\u2019s', async () => {
    const place = await engine([TABLE, second({ 1: "'test'", 2: '17' })]);
    expect((await open(place)).customerIds).toEqual(['ann']);
  });

  test('one record more than a dealer may have is refused, and so many are not', async () => {
    const many = (count: number) =>
      `INSERT INTO records SELECT CAST(i AS varchar), 'train', 40, 1, 1, 1, null, true, null FROM generate_series(1, ${count}) t(i)`;
    const place = await engine([TABLE, many(LIMITS.maxRecordsPerDealer)]);
    expect((await open(place)).recordCount).toBe(LIMITS.maxRecordsPerDealer);
    const error = await refusal(open(await engine([TABLE, many(LIMITS.maxRecordsPerDealer + 1)])));
    expect(error.code).toBe('RECORDS_UNREADABLE');
    expect(error.detail).toContain('over 65535 records');
  }, 60_000);

  test('an empty table is no records; a table that is not there is an error that says what to look at', async () => {
    const place = await engine([TABLE]);
    expect((await open(place)).recordCount).toBe(0);
    if (place.table === undefined) return;
    const error = await refusal(open({ ...place, table: 'elsewhere.records' }));
    expect(error.code).toBe('RECORDS_UNREADABLE');
    expect(error.detail).toContain('check --table');
  });
});

/** Columns that were dropped and added again are last: name them. */
function columnsOf(sql: readonly string[]): string {
  return sql.length === 2
    ? 'records VALUES'
    : 'records (customer, "set", age, paid, score, visits, note, bought, extra) VALUES';
}

describe('[P3] reading again without a restart', () => {
  test('shows the new rows to the next round; if it fails, the rows of before stay, all of them', async () => {
    const place = writeCsv(folder, csvOf([GOOD]));
    const gate = await open(place);
    const before = gate.open(new Set(['ann', 'eve']));
    writeCsv(folder, csvOf([GOOD, GOOD.with(0, "'eve'").with(2, '17')]));
    expect((await refusal(gate.reload())).code).toBe('DATA_BREAKS_CONTRACT');
    expect(gate.open(new Set(['ann', 'eve']))).toEqual(before);
    writeCsv(folder, csvOf([GOOD.with(2, '41'), GOOD.with(0, "'eve'")]));
    const twice = await Promise.allSettled([gate.reload(), gate.reload()]);
    expect(twice.map((result) => result.status)).toEqual(['fulfilled', 'rejected']);
    expect(gate.open(new Set(['ann'])).map((record) => record.row.age)).toEqual([41]);
    // who is new is behind the gate like everybody
    expect(gate.customerIds).toEqual(['ann', 'eve']);
    expect(gate.recordCount).toBe(2);
    expect(before[0]?.row.age).toBe(40);
  });
});

describe('a DuckDB file', () => {
  test('a view that reads another file is refused, and so is any file that is none', async () => {
    const other = path.join(folder, 'other.csv');
    writeFileSync(other, csvOf([GOOD]));
    const types = 'auto_detect = true, header = true';
    const place = await engines.DuckDB([`CREATE VIEW records AS SELECT * FROM read_csv('${other}', ${types})`]);
    const error = await refusal(open(place));
    expect(error).toMatchObject({ code: 'RECORDS_UNREADABLE', fields: { kind: 'Permission Error' } });
    const odd = path.join(folder, 'odd.duckdb');
    writeFileSync(odd, 'not a database');
    expect((await refusal(open({ records: odd, table: 'records' }))).code).toBe('RECORDS_UNREADABLE');
    expect((await refusal(open({ records: `${odd}.duckdb`, table: 'records' }))).code).toBe('FILE_MISSING');
  });

  test('a cast that fails in a view does not show the cell', async () => {
    const view = `CREATE VIEW records AS SELECT * REPLACE (CAST(note AS integer) AS visits) FROM base`;
    const sql = [
      TABLE.replace('records', 'base'),
      insert([GOOD.with(6, "'bob-secret'")]).replace('records', 'base'),
      view,
    ];
    const place = await engines.DuckDB(sql);
    const error = await refusal(open(place));
    expect(error).toMatchObject({ code: 'RECORDS_UNREADABLE', fields: { kind: 'Conversion Error' } });
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('secret');
  });
});

describe('a Parquet file', () => {
  test('is exactly the file named: no pattern, no columns out of the names of folders', async () => {
    const place = await engines.Parquet([TABLE, insert([GOOD])]);
    const error = await refusal(open({ records: path.join(path.dirname(place.records), '*.parquet') }));
    expect(error.code).toBe('FILE_MISSING');
    const torn = path.join(folder, 'torn.parquet');
    writeFileSync(torn, 'PAR1 but not really PAR1');
    expect((await refusal(open({ records: torn }))).code).toBe('RECORDS_UNREADABLE');
  });
});
