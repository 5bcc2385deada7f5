// The dealer's records: planted faults are named by row and field, and only consented records come out.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { readTable } from '../../edge-node/data/csv.ts';
import { createConsentGate } from '../../edge-node/data/gate.ts';
import { trainLocally } from '../../edge-node/train/local.ts';
import { COIL2000, loadTask, writeTable } from '../../examples/simulation/load.ts';
import { splitRows } from '../../examples/simulation/split.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { parseDataContract } from '../../protocol/learning/data-contract.ts';
import { initialModel } from '../../protocol/learning/model.ts';
import { validateRow } from '../../protocol/learning/validate-row.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'concordat-data-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const CONTRACT = parseDataContract(`
apiVersion: v3.1.0
kind: DataContract
id: urn:test
version: 1.0.0
status: draft
schema:
  - name: customers
    logicalType: object
    properties:
      - { name: customer, logicalType: string, required: true, unique: true,
          customProperties: [{ property: fieldClass, value: identity }, { property: role, value: id }] }
      - { name: set, logicalType: string, required: true, logicalTypeOptions: { enum: [train, test] },
          customProperties: [{ property: fieldClass, value: identity }, { property: role, value: split }] }
      - { name: age, logicalType: integer, required: true, logicalTypeOptions: { minimum: 18, maximum: 120 },
          customProperties: [{ property: fieldClass, value: demographics }, { property: role, value: feature },
            { property: features, value: [{ map: scaled, centre: 40, scale: 10 }] }] }
      - { name: plan, logicalType: string, required: true, logicalTypeOptions: { enum: [basic, "top, plus"] },
          customProperties: [{ property: fieldClass, value: purchases }, { property: role, value: feature },
            { property: features, value: [{ map: one-hot, values: [basic, "top, plus"], weight: 1 }] }] }
      - { name: note, logicalType: string,
          customProperties: [{ property: fieldClass, value: communications }, { property: role, value: partition }] }
      - { name: bought, logicalType: integer, required: true, logicalTypeOptions: { minimum: 0, maximum: 1 },
          customProperties: [{ property: fieldClass, value: purchases }, { property: role, value: label }] }
`);
const HEADER = 'customer,set,age,plan,note,bought';
const GOOD = ['ann,train,18,basic,,0', 'bob,train,120,"top, plus",seven,1', 'cid,test,40,basic,,0'];

function file(lines: readonly string[], header = HEADER): string {
  const name = path.join(folder, 'records.csv');
  writeFileSync(name, `${[header, ...lines].join('\n')}\n`);
  return name;
}

async function failure(run: Promise<unknown>): Promise<ConcordatError> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ConcordatError) return error;
  throw error ?? new Error('nothing was refused');
}

describe('a file of records', () => {
  test('reads the ends of each range, quoted cells, an empty optional cell, a byte-order mark, gzip', async () => {
    const rows = await readTable(file(GOOD, `\ufeff${HEADER}`), CONTRACT);
    expect(rows[0]).toEqual({ customer: 'ann', set: 'train', age: 18, plan: 'basic', bought: 0 });
    expect(rows[1]).toEqual({ customer: 'bob', set: 'train', age: 120, plan: 'top, plus', note: 'seven', bought: 1 });
    const packed = path.join(folder, 'records.csv.gz');
    writeFileSync(packed, gzipSync(readFileSync(file(GOOD))));
    expect(await readTable(packed, CONTRACT)).toEqual(rows);
  });

  test('is written as it is read', async () => {
    const rows = await readTable(file([...GOOD, 'dan,train,50,basic,"a ""b""",0']), CONTRACT);
    const copy = path.join(folder, 'copy.csv');
    await writeTable(copy, CONTRACT, rows);
    expect(await readTable(copy, CONTRACT)).toEqual(rows);
  });

  test.each([
    ['under the minimum', 'eva,train,17,basic,,0', 'age', 'an integer from 18 to 120, found 17'],
    ['over the maximum', 'eva,train,121,basic,,0', 'age', 'an integer from 18 to 120, found 121'],
    ['a fraction', 'eva,train,18.5,basic,,0', 'age', 'found 18.5'],
    ['text for a number', 'eva,train,old,basic,,0', 'age', 'found "old"'],
    ['hex for a number', 'eva,train,0x20,basic,,0', 'age', 'found "0x20"'],
    ['a number beyond exact integers', 'eva,train,9007199254740993,basic,,0', 'age', 'an integer'],
    ['an unknown code', 'eva,train,18,gold,,0', 'plan', 'one of basic, top, plus, found "gold"'],
    ['a missing required cell', 'eva,train,18,,,0', 'plan', 'found nothing'],
    ['the id of an earlier row', 'ann,train,18,basic,,0', 'customer', 'a value other than that of row 1'],
    ['a label that is no label', 'eva,train,18,basic,,2', 'bought', 'an integer from 0 to 1, found 2'],
  ])('refuses %s, naming row and field', async (_, line, field, detail) => {
    const error = await failure(readTable(file([...GOOD, line]), CONTRACT));
    expect(error.code).toBe('DATA_BREAKS_CONTRACT');
    expect(error.fields).toMatchObject({ row: 4, field });
    expect(error.detail).toContain(`row 4, field ${field}:`);
    expect(error.detail).toContain(detail);
  });

  test('a fault never shows an identity, nor another cell of the record', async () => {
    const repeated = await failure(readTable(file([...GOOD, 'ann,train,18,basic,,0']), CONTRACT));
    expect(`${repeated.message} ${JSON.stringify(repeated.fields)}`).not.toContain('ann');
    const aged = await failure(readTable(file(['eva,train,17,basic,secret,0']), CONTRACT));
    expect(`${aged.message} ${JSON.stringify(aged.fields)}`).not.toMatch(/eva|secret/);
    const broken = await failure(readTable(file(['eva,train,"18"x,basic,secret,0']), CONTRACT));
    expect(broken.code).toBe('FILE_UNREADABLE');
    expect(broken.fields).toMatchObject({ line: 2 });
    expect(`${broken.message} ${String(broken.cause)}`).not.toMatch(/eva|secret/);
    const short = await failure(readTable(file(['eva,secret']), CONTRACT));
    expect(`${short.code} ${short.message}`).toMatch(/^FILE_UNREADABLE(?!.*(eva|secret))/);
  });

  test.each([
    ['a column the contract does not know', `${HEADER},iban`, 'iban'],
    ['a missing column', 'customer,set,age,plan,note', 'bought is missing'],
    ['a column named twice', 'customer,set,age,age,note,bought', 'twice'],
  ])('refuses a header with %s', async (_, header, detail) => {
    const error = await failure(readTable(file([], header), CONTRACT));
    expect(error.code).toBe('DATA_BREAKS_CONTRACT');
    expect(error.detail).toContain(detail);
  });

  test('a file that is missing, empty, no text, or a bomb', async () => {
    expect((await failure(readTable(path.join(folder, 'none.csv'), CONTRACT))).code).toBe('FILE_MISSING');
    const odd = path.join(folder, 'odd.csv');
    writeFileSync(odd, '');
    expect((await failure(readTable(odd, CONTRACT))).code).toBe('FILE_UNREADABLE');
    writeFileSync(odd, Uint8Array.of(0xff, 0xfe, 0x00));
    expect((await failure(readTable(odd, CONTRACT))).code).toBe('FILE_UNREADABLE');
    const bomb = path.join(folder, 'bomb.csv.gz');
    writeFileSync(bomb, gzipSync(new Uint8Array(257 * 2 ** 20)));
    expect((await failure(readTable(bomb, CONTRACT))).code).toBe('FILE_UNREADABLE');
  });
});

test('a record that comes as JSON is checked the same way: no text for a number, no field the contract does not have', async () => {
  const good = { customer: 'ann', set: 'train', age: 18, plan: 'basic', bought: 0 };
  expect(validateRow(CONTRACT, good, 1)).toEqual(good);
  for (const [field, cell] of [
    ['age', '18'],
    ['age', Number.NaN],
    ['age', null],
    ['plan', 3],
    ['iban', 'NL00'],
    ['customer', undefined],
  ] as const) {
    const error = await failure(Promise.resolve().then(() => validateRow(CONTRACT, { ...good, [field]: cell }, 7)));
    expect(error.fields).toMatchObject({ row: 7, field });
  }
});

describe('[P3] the consent gate', () => {
  test('lets out the records of exactly the covered customers, whatever the order of the file', async () => {
    const gate = await createConsentGate({ records: file([...GOOD].reverse()) }, CONTRACT);
    expect(gate.customerIds).toEqual(['ann', 'bob']);
    expect(gate.recordCount).toBe(2);
    expect(gate.open(new Set())).toEqual([]);
    expect(gate.open(new Set(['bob', 'nobody'])).map((record) => record.customerId)).toEqual(['bob']);
    expect(gate.open(new Set(['bob', 'ann'])).map((record) => record.customerId)).toEqual(['ann', 'bob']);
  });

  test('never lets out the hold-out, covered or not', async () => {
    const gate = await createConsentGate({ records: file(GOOD) }, CONTRACT);
    expect(gate.open(new Set(['cid']))).toEqual([]);
  });
});

describe('the example', () => {
  test('is dealt out whole, once, reproducibly, and never its hold-out', async () => {
    const { contract } = await loadTask(`${COIL2000}/task.yaml`);
    const rows = await readTable(`${COIL2000}/coil2000.csv.gz`, contract);
    const split = splitRows(contract, rows, { dealers: 8, seed: 'one' });
    expect(split.dealers.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 5_822 }, (_, i) => i));
    expect(split.holdOut).toEqual(Array.from({ length: 4_000 }, (_, i) => 5_822 + i));
    expect(Math.min(...split.dealers.map((list) => list.length))).toBeGreaterThanOrEqual(80);
    expect(splitRows(contract, rows, { dealers: 8, seed: 'one' })).toEqual(split);
    expect(splitRows(contract, rows, { dealers: 8, seed: 'two' })).not.toEqual(split);
    expect(() => splitRows(contract, rows, { dealers: 8, seed: 'one', minRecords: 728 })).toThrow('SPLIT_IMPOSSIBLE');
  }, 20_000);

  test('a contract without partition and split is dealt evenly, a fifth held out', async () => {
    const rows = await readTable(
      file(Array.from({ length: 100 }, (_, i) => `c${i},train,40,basic,,${i % 2}`)),
      CONTRACT,
    );
    const split = splitRows({ ...CONTRACT, partition: undefined, split: undefined }, rows, { dealers: 4, seed: 's' });
    expect([split.holdOut.length, ...split.dealers.map((list) => list.length)]).toEqual([20, 20, 20, 20, 20]);
    expect(new Set([...split.holdOut, ...split.dealers.flat()]).size).toBe(100);
  });

  test('one dealer trains: the update moves, the histogram counts every record, and a replay has the same bits', async () => {
    const { task, contract } = await loadTask(`${COIL2000}/task.yaml`);
    const rows = await readTable(`${COIL2000}/coil2000.csv.gz`, contract);
    const dealer = path.join(folder, 'dealer.csv');
    await writeTable(dealer, contract, rows.slice(0, 300));
    const gate = await createConsentGate({ records: dealer }, contract);
    const records = gate.open(new Set(gate.customerIds.slice(0, 200)));
    const epochs: number[] = [];
    const base = { weights: initialModel(task, contract).weights, serverState: {} };
    const fillRandom = () => expect.unreachable('FedAvg draws nothing');
    const input = { task, contract, base, dealerState: {}, records, seed: utf8ToBytes('s'), fillRandom };
    const result = await trainLocally({ ...input, onEpoch: (epoch) => epochs.push(epoch) });
    expect(epochs).toEqual([1, 2, 3, 4, 5]);
    expect(result.recordCount).toBe(200);
    // label 0, then label 1; the base model is zero, so every score is 0.5
    const buyers = records.filter(({ row }) => row.CARAVAN === 1).length;
    expect(Array.from(result.counted[0]).flatMap((n, bin) => (n > 0 ? [[bin, n]] : []))).toEqual([
      [128, 200 - buyers],
      [256 + 128, buyers],
    ]);
    expect((await trainLocally(input)).update).toEqual(result.update);
    expect(result.update.levels[0]?.some((level) => level !== 0)).toBe(true);
    expect((await failure(trainLocally({ ...input, records: [] }))).code).toBe('COHORT_TOO_SMALL');
  });
});
