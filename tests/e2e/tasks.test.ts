// A data scientist hands a second task to a running federation: dealers take part if their policy allows it, the coordinator is
// killed on the way, and the audit covers both tasks.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TaskView } from '../../coordinator/tasks/view.ts';
import type { EdgeStatus } from '../../edge-node/api/status.ts';
import { OPERATOR_TOKEN_FILE } from '../../engines/keys/operator-token.ts';
import { COIL2000 } from '../../examples/simulation/load.ts';
import { requestJson } from '../../kit/http.ts';
import { CACHE_DIR, type Ended, type Running, run, start } from '../helpers/command.ts';

const RIDGE = join(COIL2000, 'tasks/ridge.yaml');
const REFUSING = 'dealer-2';

let outDir: string;
let federation: Running;
let coordinator: string;

const task = (command: string, ...args: string[]) => ['task', command, ...args, '--coordinator', coordinator];
const asOperator = () => ['--token-file', join(outDir, 'coordinator', OPERATOR_TOKEN_FILE)];

beforeAll(async () => {
  outDir = await mkdtemp(join(tmpdir(), 'concordat-tasks-'));
  // this dealer's operator has a policy of its own
  await mkdir(join(outDir, REFUSING));
  const policy = { version: 'concordat/1', scenes: ['lead-scoring'], strategies: ['fedavg', 'fedprox'] };
  await writeFile(join(outDir, REFUSING, 'accept.yaml'), JSON.stringify(policy));
  federation = start([
    ...['federate', '--keep', '--dealers', '4', '--rounds', '2', '--key-holders', '3', '--threshold', '2'],
    ...['--cache-dir', CACHE_DIR, '--out', outDir],
  ]);
  await federation.saw('The federation stays up');
  coordinator = /coordinator {2}(http\S+)\/v1\/status/.exec(federation.output())?.[1] ?? '';
});
afterAll(async () => {
  federation.process.kill('SIGINT');
  await federation.ended;
  await rm(outDir, { recursive: true, force: true });
});

const list = async (): Promise<readonly TaskView[]> => JSON.parse((await run(task('list', '--json'))).output);
const ridge = async () => (await list()).find(({ id }) => id === 'coil2000-ridge');

function killCoordinator(): void {
  const rows = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  const row = rows.find((line) => line.includes(`--dir ${join(outDir, 'coordinator')} `));
  process.kill(Number(row?.trim().split(' ')[0]), 'SIGKILL');
}

function audit(): Promise<Ended> {
  const given = /concordat (audit --rpc \S+ --federation \S+ --bundle \S+)/.exec(federation.output())?.[1] ?? '';
  return run(given.split(' '));
}

test('a second task runs to its end over a coordinator that is killed with -9; who refuses it is not waited for', async () => {
  const submitted = start([...task('submit', RIDGE, '--rounds', '3', '--watch'), ...asOperator()]);
  await submitted.saw(/round 3: 3 dealers/);
  killCoordinator();
  const { code, output } = await submitted.ended;
  expect(output).toMatch(/round 5: 3 dealers[\s\S]*finished, 3 of 3 rounds/);
  expect(code).toBe(0);

  const done = await ridge();
  expect(done).toMatchObject({ state: 'finished', rounds: { done: 3, asked: 3 } });
  // one round of ridge finds what all records in one place would: it ranks far better than chance
  expect(done?.aucBps).toBeGreaterThan(7_000);

  const url = new RegExp(`${REFUSING} {5}(http\\S+)`).exec(federation.output())?.[1] ?? '';
  const dealer = await requestJson<EdgeStatus>(url);
  const standing = dealer.tasks.find(({ id }) => id === 'coil2000-ridge');
  expect(standing).toMatchObject({ accepted: false, reason: 'strategy ridge is not accepted' });
  expect(dealer.rounds.filter(({ took }) => took === 'part').map(({ round }) => round)).toEqual([1, 2]);
});

test('it is stopped while it runs, twice, and goes on when it is submitted again', async () => {
  const submitted = start([...task('submit', RIDGE, '--rounds', '50', '--watch'), ...asOperator()]);
  await submitted.saw(/round 6:/);
  const hash = (await ridge())?.hash ?? '';
  expect((await run([...task('stop', hash.slice(0, 10)), ...asOperator()])).code).toBe(0);
  const { code, output } = await submitted.ended;
  expect(output).toContain('stopped, ');
  expect(code).toBe(1);
  expect((await run([...task('stop', 'coil2000-ridge'), ...asOperator()])).output).toContain('is stopped');
  const stopped = await ridge();

  const again = await run([...task('submit', RIDGE, '--rounds', '1', '--watch'), ...asOperator()]);
  expect(again.code).toBe(0);
  const done = (stopped?.rounds.done ?? 0) + 1;
  expect(await ridge()).toMatchObject({ state: 'finished', rounds: { done, asked: done } });
});

test('without the operator token nothing is taken', async () => {
  const token = join(outDir, 'wrong-token');
  await writeFile(token, 'wrong');
  const { code, output } = await run([...task('submit', RIDGE), '--token-file', token]);
  expect(code).toBe(1);
  expect(output).toContain('operator token');
  expect(await readFile(join(outDir, 'coordinator', OPERATOR_TOKEN_FILE), 'utf8')).not.toBe('wrong');
});

test('the audit covers both tasks', async () => {
  const { code, output } = await audit();
  expect(output).toMatch(/2 rounds of coil2000-caravan; \d+ rounds of coil2000-ridge/);
  expect(code).toBe(0);
});
