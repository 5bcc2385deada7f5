// What `concordat task` prints, which task a name means, and how watching goes on over a coordinator that is away for a while.
import express from 'express';
import { describe, expect, test } from 'vitest';
import type { RoundOutcome } from '../../coordinator/rounds/driver.ts';
import type { TaskView } from '../../coordinator/tasks/view.ts';
import { listen } from '../../kit/http.ts';
import type { Progress } from '../../kit/progress.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { taskNamed } from '../../scripts/task/client.ts';
import { taskTable } from '../../scripts/task/list.ts';
import { stoppedText } from '../../scripts/task/stop.ts';
import { roundLine, watchTask } from '../../scripts/task/watch.ts';

const hashOf = (start: string): Hex => `0x${start.padEnd(64, '0')}`;
const view = (id: string, hash: Hex, more: Partial<TaskView> = {}): TaskView => ({
  ...{ id, hash, title: id, strategy: 'fedavg', state: 'queued', rounds: { done: 0, asked: 3, failed: 0 } },
  ...more,
});
const outcome = (round: number, more: Partial<RoundOutcome> = {}): RoundOutcome => ({
  ...{ round, taskHash: hashOf('aa'), status: 'published', epsilonAfterMilli: 0, dealers: 3, records: 4_368 },
  ...{ accuracyBps: 9_401, aucBps: 7_312, timingsMs: { collect: 1_500, publish: 900 }, suspects: [] },
  ...more,
});

describe('a task is named', () => {
  const [one, two, cafe] = [view('leads', hashOf('abcd1')), view('leads', hashOf('abcd2')), view('cafe', hashOf('12'))];
  const tasks = [one, two, cafe];

  test.each([
    ['abcd1', one],
    ['0xABCD2', two],
    [one.hash, one],
    // an id that looks like the beginning of a hash is an id
    ['cafe', cafe],
  ])('%s', (name, expected) => {
    expect(taskNamed(name, tasks)).toBe(expected);
  });

  test.each([
    ['abcd', 'CONFLICT'],
    ['leads', 'CONFLICT'],
    ['12', 'NOT_FOUND'],
    ['0x', 'NOT_FOUND'],
    ['', 'NOT_FOUND'],
    ['ridge', 'NOT_FOUND'],
  ])('%j means none or several', (name, code) => {
    expect(() => taskNamed(name, tasks)).toThrow(code);
  });
});

describe('printed', () => {
  test('a table without colours in a pipe, with what failed and why below it', () => {
    const privacy = { epsilonMilli: 1_250, budgetMilli: 8_000, delta: 1e-5 };
    const done = { rounds: { done: 3, asked: 3, failed: 1 }, accuracyBps: 9_400, aucBps: 7_000 };
    const text = taskTable(
      [
        view('leads', hashOf('ab'), { state: 'finished', ...done, privacy }),
        view('other', hashOf('cd'), { state: 'failed', reason: 'COHORT\u001b[31m_TOO\nSMALL' }),
      ],
      false,
    );
    expect(text).not.toContain('\u001b');
    const hostile = view('le\u001b[2Jads', hashOf('ab'), { strategy: 'x\u001b]0;y\u0007', state: '\u001bc' as never });
    expect(taskTable([hostile], false)).not.toMatch(/\p{Cc}(?<!\n)/u);
    expect(stoppedText({ ...hostile, state: 'stopped' })).not.toContain('\u001b');
    expect(text).toMatch(/leads {2}0xab000000 {2}fedavg {4}finished {5}3\/3 {3}94\.00 % {2}0\.7000 {2}1\.25 of 8/);
    expect(text.split('\n').at(-1)).toBe('other: COHORT_TOO SMALL');
  });

  test('rounds', () => {
    expect(roundLine(outcome(3))).toBe('round 3: 3 dealers, 4,368 records, accuracy 94.01 %, AUC 0.7312, 2.4 s');
    expect(roundLine(outcome(3, { aucBps: 0, timingsMs: {} }))).toBe(
      'round 3: 3 dealers, 4,368 records, accuracy 94.01 %',
    );
    expect(roundLine(outcome(4, { status: 'failed', reason: 'X: y' }))).toBe('round 4: failed, X: y');
  });

  test('a stop that waits for a round, one that did its work, and one that came too late', () => {
    const running = { round: 7, uploads: 1 };
    expect(stoppedText(view('a', hashOf('a'), { state: 'running', running }))).toContain('round 7 ends first');
    expect(stoppedText(view('a', hashOf('a'), { state: 'stopped' }))).toContain('is stopped');
    expect(stoppedText(view('a', hashOf('a'), { state: 'finished' }))).toContain('had ended already');
  });
});

test('watching shows each round once, over a coordinator that is away for a while, until the task ends', async () => {
  const rounds: RoundOutcome[] = [];
  let asked = 0;
  const app = express();
  app.get('/v1/tasks/:hash', (request, response) => {
    asked += 1;
    if (asked === 2) {
      request.socket.destroy(); // as if it had been killed
      return;
    }
    if (asked % 2 === 1) rounds.push(outcome(rounds.length + 1));
    const state = rounds.length < 3 ? 'running' : 'finished';
    response.json(view('leads', hashOf('aa'), { state, rounds: { done: rounds.length, asked: 3, failed: 0 } }));
  });
  app.get('/v1/tasks/:hash/rounds', (request, response) => {
    // a page holds one
    response.json({ rounds: rounds.filter(({ round }) => round > Number(request.query.after)).slice(0, 1) });
  });
  const http = await listen(app, 0);
  const [lines, texts]: string[][] = [[], []];
  const progress: Progress = {
    step: (_, run) => run({ line: (text) => lines?.push(text), update: (text) => texts?.push(text) }),
  };
  const ended = await watchTask(view('leads', hashOf('aa')), `${http.url}/`, progress);
  await http.close();
  expect(ended.state).toBe('finished');
  expect(lines?.map((line) => line.split(':')[0])).toEqual(rounds.map(({ round }) => `round ${round}`));
  expect(texts?.join()).toContain('does not answer');
});
