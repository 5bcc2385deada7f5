// Processes die in the middle: the round goes on without a dealer, a dealer comes back, Ctrl-C leaves nothing behind.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CACHE_DIR, type Running, start } from '../helpers/command.ts';

let outDir: string;
let running: Running | undefined;

beforeEach(async () => {
  outDir = await mkdtemp(join(tmpdir(), 'concordat-crash-'));
});
afterEach(async () => {
  running?.process.kill('SIGINT');
  await running?.ended;
  await rm(outDir, { recursive: true, force: true });
});

const begin = (...args: string[]): Running => {
  running = start([
    'federate',
    '--key-holders',
    '3',
    '--threshold',
    '2',
    '--cache-dir',
    CACHE_DIR,
    '--out',
    outDir,
    ...args,
  ]);
  return running;
};

/** Processes whose command line names this run's folder. */
function processesOfRun(): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  return rows
    .filter((row) => row.includes(outDir) && !row.includes('ps -eo'))
    .map((row) => Number(row.trim().split(' ')[0]));
}

function pidOf(party: string): number {
  const rows = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  const row = rows.find((line) => line.includes(`--dir ${join(outDir, party)} `));
  if (row === undefined) throw new Error(`no process of ${party}`);
  return Number(row.trim().split(' ')[0]);
}

test('P7: a dealer killed with -9 after round 2 is not waited for; the others finish and the audit holds', async () => {
  const federation = begin('--dealers', '4', '--rounds', '7');
  await federation.saw('round 2:');
  process.kill(pidOf('dealer-1'), 'SIGKILL');
  await federation.saw('round 7:');
  await federation.saw(/checks, 0 failed/);
});

test('P7: one of three key-holders is killed: any two open the sum', async () => {
  const federation = begin('--dealers', '3', '--rounds', '5');
  await federation.saw('round 1:');
  process.kill(pidOf('key-holder-2'), 'SIGKILL');
  await federation.saw('round 5:');
  await federation.saw(/checks, 0 failed/);
});

test('Ctrl-C stops every process and leaves nothing behind', async () => {
  const federation = begin('--dealers', '3', '--rounds', '3');
  await federation.saw('Customers sign');
  expect(processesOfRun().length).toBeGreaterThan(6);
  federation.process.kill('SIGINT');
  const { code } = await federation.ended;
  expect(code).toBe(130);
  expect(processesOfRun()).toEqual([]);
});

test('P7: the coordinator is killed with -9 between rounds and inside one: it goes on where it was, and the audit holds', async () => {
  const federation = begin('--dealers', '3', '--rounds', '6');
  for (const round of [1, 3]) {
    await federation.saw(`round ${round}:`);
    process.kill(pidOf('coordinator'), 'SIGKILL');
    await federation.saw(round === 1 ? 'coordinator ended' : /coordinator ended[\s\S]*coordinator ended/);
  }
  await federation.saw('round 6:');
  await federation.saw(/checks, 0 failed/);
});
