// What people get wrong: each ends with exit code 1, a typed error, and what to do next.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COIL2000 } from '../../examples/simulation/load.ts';
import { CACHE_DIR, run } from '../helpers/command.ts';

let directory: string;
const contract = join(COIL2000, 'contract.yaml');

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concordat-bad-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const federate = (...args: string[]) =>
  run(['federate', '--out', join(directory, 'out'), '--cache-dir', CACHE_DIR, ...args]);

test('a missing CSV is named', async () => {
  const { code, output } = await federate('--data', '/nowhere/customers.csv', '--contract', contract);
  expect(code).toBe(1);
  expect(output).toContain('FILE_MISSING: /nowhere/customers.csv');
});

test('a CSV that breaks its contract: row and field are named, the value is not quoted beside others', async () => {
  const csv = gunzipSync(await readFile(join(COIL2000, 'coil2000.csv.gz')))
    .toString('utf8')
    .split('\n');
  const cells = (csv[3] ?? '').split(',');
  cells[3] = '99';
  csv[3] = cells.join(',');
  const file = join(directory, 'broken.csv');
  await writeFile(file, csv.slice(0, 400).join('\n'));
  const { code, output } = await federate('--data', file, '--contract', contract);
  expect(code).toBe(1);
  expect(output).toMatch(/DATA_BREAKS_CONTRACT: .*row 3.*MAANTHUI/);
});

test('a contract that breaks its schema: the path is named', async () => {
  const file = join(directory, 'broken.yaml');
  await writeFile(file, (await readFile(contract, 'utf8')).replace('kind: DataContract', 'kind: Something'));
  const { code, output } = await federate('--data', join(COIL2000, 'coil2000.csv.gz'), '--contract', file);
  expect(code).toBe(1);
  expect(output).toMatch(/CONTRACT_INVALID: kind/);
});

test('a chain that is not there is said so within seconds', async () => {
  const args = ['--rpc', 'http://127.0.0.1:9', '--federation', `0x${'11'.repeat(20)}`];
  const { code, output } = await run(['key-holder', '--dir', join(directory, 'kh'), ...args]);
  expect(code).toBe(1);
  expect(output).toContain('CHAIN_UNREACHABLE');
});

test('an option out of range is refused before anything starts', async () => {
  const { code, output } = await federate('--dealers', '2');
  expect(code).toBe(1);
  expect(output).toContain('a whole number from 3 to 32');
});
