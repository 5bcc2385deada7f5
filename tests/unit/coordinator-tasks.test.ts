// Tasks at the coordinator: whose turn it is, what survives a kill, how a task is stopped, and when one is given up.
import { describe, expect, test } from 'vitest';
import type { RoundControl, RoundOutcome } from '../../coordinator/rounds/driver.ts';
import { openTaskJournal } from '../../coordinator/tasks/journal.ts';
import {
  afterFailure,
  afterRound,
  afterStop,
  MAX_FAILED_IN_A_ROW,
  MAX_ROUNDS,
  newRecord,
  nextInTurn,
  type TaskRecord,
  withExactly,
  withRounds,
} from '../../coordinator/tasks/record.ts';
import { createTaskRunner } from '../../coordinator/tasks/runner.ts';
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError, type ErrorCode } from '../../protocol/errors.ts';
import { SILENT } from './coordinator-world.ts';
import { memoryStore } from './secagg-fixtures.ts';

const hashOf = (digit: string): Hex => `0x${digit.repeat(64)}`;
const [A, B] = [hashOf('a'), hashOf('b')];
const PUBLISHED = { status: 'published' } as const;
const FAILED = { status: 'failed', reason: 'COHORT_TOO_SMALL: nobody came' } as const;

describe('a task’s record', () => {
  const queued = withRounds(newRecord(A, 1), 3);

  test('rounds add up while it runs; what a stopped or failed task had left is let go', () => {
    const one = afterRound(queued, PUBLISHED);
    expect(withRounds(one, 5)).toMatchObject({ asked: 8, done: 1 });
    expect(withRounds(afterStop(one), 5)).toMatchObject({ asked: 6, done: 1, stopped: false });
    const failed = withRounds(afterFailure(one, 'why'), 5);
    expect(failed).toMatchObject({ asked: 6, failedInARow: 0 });
    expect(failed.failure).toBeUndefined();
    expect(withExactly(one, 5)).toMatchObject({ asked: 6 });
  });

  test('at most so many rounds, however they are asked for', () => {
    expect(withRounds(queued, MAX_ROUNDS - 3).asked).toBe(MAX_ROUNDS);
    expect(() => withRounds(queued, MAX_ROUNDS - 2)).toThrow(/at most/);
  });

  test('so many failed rounds in a row are the end of it; one published between them is not', () => {
    const failing = (record: TaskRecord, times: number) =>
      Array.from({ length: times }).reduce<TaskRecord>((before) => afterRound(before, FAILED), record);
    expect(failing(queued, MAX_FAILED_IN_A_ROW - 1).failure).toBeUndefined();
    expect(failing(queued, MAX_FAILED_IN_A_ROW).failure).toContain(FAILED.reason);
    expect(failing(afterRound(failing(queued, 4), PUBLISHED), 4).failure).toBeUndefined();
    expect(failing({ ...queued, stopped: true }, MAX_FAILED_IN_A_ROW).failure).toBeUndefined();
  });

  test('stopping what has ended changes nothing', () => {
    const finished = [1, 2, 3].reduce((record) => afterRound(record, PUBLISHED), queued);
    expect(afterStop(finished)).toBe(finished);
    expect(afterStop(afterStop(queued))).toEqual(afterStop(queued));
  });

  test('turns go round in the order that tasks came in, past those with nothing to do', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((digit, i) => withRounds(newRecord(hashOf(digit), i + 1), 1));
    if (a === undefined || b === undefined || c === undefined) throw new Error('three');
    expect(nextInTurn([c, b, a], undefined)).toBe(a);
    expect(nextInTurn([a, b, c], a.hash)).toBe(b);
    expect(nextInTurn([a, afterStop(b), c], a.hash)).toBe(c);
    expect(nextInTurn([a, b, c], c.hash)).toBe(a);
    expect(nextInTurn([afterStop(a), afterFailure(b, 'x')], b.hash)).toBeUndefined();
  });
});

/** A chain on which rounds open and end as the test's drivers say, and a coordinator's disk: both outlive a kill. */
function world() {
  const rounds: { taskHash: Hex; status: RoundRecord['status'] }[] = [];
  const store = memoryStore();
  const ledger = {
    roundCount: async () => rounds.length,
    roundOf: async (round: number) => rounds[round - 1] as unknown as RoundRecord | undefined,
  };
  const outcomeOf = (round: number, taskHash: Hex, status: 'published' | 'failed', reason?: string): RoundOutcome => ({
    ...{ round, taskHash, status, epsilonAfterMilli: 0, dealers: 3, records: 30, accuracyBps: 9_000, aucBps: 7_000 },
    ...{ timingsMs: {}, suspects: [], ...(reason !== undefined && { reason }) },
  });

  /** @param during what happens while a round is under way; the round fails when it says why */
  async function coordinator(
    during: (round: number, control: RoundControl) => Promise<string | undefined> | string | undefined,
  ) {
    const stopping = new AbortController();
    const journal = await openTaskJournal(store);
    for (const hash of [A, B]) await journal.add(hash);
    const driverOf = (taskHash: Hex) => ({
      async runRound(control: RoundControl) {
        const last = rounds.at(-1);
        if (last?.status === 'open' && last.taskHash !== taskHash) throw new Error('another task’s round is open');
        if (last?.status !== 'open') {
          if (control.cancel?.aborted) throw new ConcordatError('TASK_STOPPED', 'stopped');
          rounds.push({ taskHash, status: 'open' });
        }
        const round = rounds.length;
        control.onRound?.(round);
        const reason = (await during(round, control)) ?? undefined;
        const status = reason === undefined ? ('published' as const) : ('failed' as const);
        rounds[round - 1] = { taskHash, status };
        return outcomeOf(round, taskHash, status, reason);
      },
      lastPublished: async () => outcomeOf(rounds.length, taskHash, 'published'),
    });
    const runner = createTaskRunner({
      journal,
      ledger,
      driverOf,
      failRound: async (round) => {
        rounds[round - 1] = { taskHash: rounds[round - 1]?.taskHash ?? A, status: 'failed' };
      },
      clock: { nowMs: () => 0, sleep: async () => undefined },
      signal: stopping.signal,
      log: SILENT,
    });
    const ask = (hash: Hex, count: number) => runner.ask(hash, (record) => withRounds(record, count));
    return { journal, runner, ask, kill: () => stopping.abort() };
  }
  return { rounds, coordinator, order: () => rounds.map(({ taskHash }) => (taskHash === A ? 'A' : 'B')).join('') };
}

const DONE = (count: number) => ({ done: count, asked: count });

describe('the rounds of several tasks', () => {
  test('take turns, one at a time', async () => {
    const { coordinator, order } = world();
    const { ask, runner, journal } = await coordinator(() => undefined);
    await Promise.all([ask(A, 4), ask(B, 2)]);
    await runner.ended();
    expect(order()).toBe('ABABAA');
    expect(journal.record(A)).toMatchObject(DONE(4));
    expect(journal.record(B)).toMatchObject(DONE(2));
  });

  test('asked for while the last one ends, they still run', async () => {
    const { coordinator, order } = world();
    const first = await coordinator(() => undefined);
    await first.ask(A, 1);
    const asking = first.runner.ended().then(() => first.ask(B, 1));
    await asking;
    await first.runner.ended();
    expect(order()).toBe('AB');
    expect(first.runner.isBusy()).toBe(false);
  });

  test('killed in a round, or after its end and before the journal: each is counted once, and the turn goes on', async () => {
    for (const published of [false, true]) {
      const { coordinator, rounds, order } = world();
      const killed: { kill?: () => void } = {};
      const before = await coordinator(async (round) => {
        if (round < 2) return undefined;
        killed.kill?.();
        if (published) rounds[round - 1] = { taskHash: B, status: 'published' };
        throw new ConcordatError('TIMED_OUT', 'the coordinator stops');
      });
      killed.kill = before.kill;
      await Promise.all([before.ask(A, 2), before.ask(B, 2)]);
      await before.runner.ended();
      expect(before.journal.record(B)).toMatchObject({ done: 0, asked: 2 });

      const after = await coordinator(() => undefined);
      after.runner.start();
      await after.runner.ended();
      expect([...order()].sort().join('')).toBe('AABB');
      expect(after.journal.record(A)).toMatchObject(DONE(2));
      expect(after.journal.record(B)).toMatchObject(DONE(2));
      expect(after.journal.outcomes().map(({ round }) => round)).toEqual([1, 2, 3, 4]);
    }
  });

  test('stopped in a round: it ends, and none comes after it, also when the coordinator is killed in between', async () => {
    const { coordinator, order, rounds } = world();
    const hooks: { stop?: () => Promise<unknown>; kill?: () => void } = {};
    const before = await coordinator(async (_, { cancel }) => {
      await hooks.stop?.();
      expect(cancel?.aborted).toBe(true);
      hooks.kill?.();
      throw new ConcordatError('TIMED_OUT', 'the coordinator stops');
    });
    hooks.stop = () => before.runner.stopTask(A);
    hooks.kill = before.kill;
    await before.ask(A, 5);
    await before.runner.ended();

    const after = await coordinator((_, { cancel }) => (cancel?.aborted ? 'TASK_STOPPED: stopped' : undefined));
    after.runner.start();
    await after.runner.ended();
    expect(rounds).toMatchObject([{ status: 'failed' }]);
    expect(order()).toBe('A');
    expect(after.journal.record(A)).toMatchObject({ stopped: true, done: 0 });
    expect(after.runner.isBusy()).toBe(false);
  });

  test('what is wrong with one task is not the others’: it is given up with the reason, its round ended', async () => {
    const { coordinator, rounds } = world();
    const { ask, runner, journal } = await coordinator((round) => {
      if (rounds[round - 1]?.taskHash === A) throw new ConcordatError('STATE_CORRUPT', 'damaged');
      return undefined;
    });
    await Promise.all([ask(A, 2), ask(B, 2)]);
    await runner.ended();
    expect(journal.record(A)?.failure).toBe('STATE_CORRUPT: damaged');
    expect(rounds[0]).toEqual({ taskHash: A, status: 'failed' });
    expect(journal.record(B)).toMatchObject(DONE(2));
  });

  test('a task that nobody takes part in is given up; a chain that is away for a while is waited for', async () => {
    const { coordinator } = world();
    const lonely = await coordinator(() => FAILED.reason);
    await lonely.ask(A, 2);
    await lonely.runner.ended();
    expect(lonely.journal.record(A)?.failure).toContain('COHORT_TOO_SMALL');
    expect(lonely.journal.outcomes()).toHaveLength(MAX_FAILED_IN_A_ROW);

    const away = (code: ErrorCode, times: number) => {
      let left = times;
      return () => {
        if (left-- > 0) throw new ConcordatError(code, 'away');
        return undefined;
      };
    };
    const patient = world();
    const first = await patient.coordinator(away('CHAIN_UNREACHABLE', 5));
    await first.ask(A, 1);
    await first.runner.ended();
    expect(first.journal.record(A)).toMatchObject(DONE(1));
    expect(patient.rounds).toHaveLength(1);

    const gone = world();
    const second = await gone.coordinator(away('CHAIN_UNREACHABLE', 6));
    await second.ask(A, 1);
    await second.runner.ended();
    // nothing is lost: it goes on with the next start
    expect(second.journal.record(A)).toMatchObject({ done: 0, asked: 1 });
    expect(second.journal.record(A)?.failure).toBeUndefined();
    second.runner.start();
    await second.runner.ended();
    expect(second.journal.record(A)).toMatchObject(DONE(1));
  });
});
