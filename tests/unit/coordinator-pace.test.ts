// Rounds that do not wait for everybody: the rule on histories made up here, and collecting with a journal that survives a restart.
import { describe, expect, test } from 'vitest';
import { createUploads } from '../../coordinator/intake/uploads.ts';
import { collectUploads } from '../../coordinator/rounds/collect.ts';
import { expectationOf, limitMs, mayClose, type RoundPace } from '../../coordinator/rounds/pace.ts';
import { createPaceJournal } from '../../coordinator/rounds/pace-journal.ts';
import { openPatience } from '../../coordinator/rounds/patience.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { admittedOf, dealersOf, SILENT, steppedClock } from './coordinator-world.ts';
import { memoryStore } from './secagg-fixtures.ts';

const TERMS = { quantile: 0.6, margin: 2, minMs: 500 };
const [A, B, C, D, E] = dealersOf(5).map(({ address }) => address) as [Hex, Hex, Hex, Hex, Hex];
const ALL = [A, B, C, D, E];

const seen = (round: number, tookMs: Record<Hex, number>, leftOut: Hex[] = [], inVain: Hex[] = []): RoundPace => ({
  round,
  tookMs,
  leftOut,
  inVain,
});
const everyoneTakes = (ms: number) => Object.fromEntries(ALL.map((dealer) => [dealer, ms]));

function closes(elapsedMs: number, tookMs: [Hex, number][], history: readonly RoundPace[], least = 3): boolean {
  const map = new Map(tookMs);
  const awaited = ALL.filter((dealer) => !map.has(dealer));
  return mayClose({ elapsedMs, tookMs: map, awaited, least }, TERMS, (dealer) => expectationOf(dealer, history));
}

describe('the rule', () => {
  const THREE: [Hex, number][] = [
    [A, 900],
    [B, 950],
    [C, 1_000],
  ];

  test('no history: the others get the margin on top of the pace, and no round is cut before minMs or under the least cohort', () => {
    expect(closes(1_999, THREE, [])).toBe(false);
    expect(closes(2_000, THREE, [])).toBe(true);
    expect(closes(60_000, THREE.slice(0, 2), [])).toBe(false);
    expect(closes(60_000, THREE, [], 4)).toBe(false);
    const quick = THREE.map(([dealer]): [Hex, number] => [dealer, 10]);
    expect([closes(499, quick, []), closes(500, quick, [])]).toEqual([false, true]);
  });

  test('one straggler: what it took before is beyond the margin, so the round does not even wait for the margin', () => {
    const four: [Hex, number][] = [...THREE, [D, 1_100]];
    const history = [seen(1, { ...everyoneTakes(1_000), [E]: 9_000 })];
    expect(closes(1_100, four, history)).toBe(true);
    expect(closes(1_100, four, [seen(1, everyoneTakes(1_000))])).toBe(false); // E is only a little late this time
  });

  test('all slow: nobody is left out for being as slow as the others', () => {
    const slow = THREE.map(([dealer, ms]): [Hex, number] => [dealer, ms * 20]);
    const history = [seen(1, everyoneTakes(20_000))];
    expect(closes(25_000, slow, history)).toBe(false);
    expect(closes(40_000, slow, history)).toBe(true);
  });

  test('left out three times: waited for in full, even past the margin; the deadline is the caller’s', () => {
    const once = { [A]: 900, [B]: 900, [C]: 900, [D]: 900 };
    const history = [1, 2, 3].map((round) => seen(round, once, [E]));
    expect(closes(50_000, [...THREE, [D, 1_000]], history)).toBe(false);
    expect(closes(50_000, [...THREE, [D, 1_000]], history.slice(1))).toBe(true);
  });

  test('dead with its link up: full waits grow rare, and never stop; in 100 rounds it costs five', () => {
    const history: RoundPace[] = [];
    const full: number[] = [];
    for (let round = 1; round <= 100; round++) {
      const { inFull } = expectationOf(E, history);
      if (inFull) full.push(round);
      history.push(inFull ? seen(round, {}, [], [E]) : seen(round, {}, [E]));
    }
    expect(full).toEqual([4, 12, 28, 60, 92]);
  });

  test('recovered: one commit clears its record; without one, what was expected of it fades until it gets the margin again', () => {
    const slow = seen(1, { [E]: 9_000 });
    const out = (rounds: number) => Array.from({ length: rounds }, (_, i) => seen(2 + i, {}, [E]));
    const inVain = seen(9, {}, [], [E]);
    expect(expectationOf(E, [slow, ...out(2), inVain, seen(10, { [E]: 1_000 })])).toMatchObject({ inFull: false });
    expect(expectationOf(E, [...out(3)]).inFull).toBe(true);
    expect(expectationOf(E, [...out(3), seen(6, { [E]: 1_000 })])).toEqual({ expectedMs: 1_000, inFull: false });
    const expected = [0, 1, 2].map((n) => expectationOf(E, [slow, ...out(n)]).expectedMs ?? 0);
    expect(expected[0]).toBe(9_000);
    expect(expected[2]).toBeLessThan(expected[1] ?? 0);
  });

  test('a dealer that is gone is no part of the share, and a liar cannot shorten a round below its share', () => {
    const took = new Map<Hex, number>([[A, 1]]);
    expect(limitMs({ elapsedMs: 1, tookMs: took, awaited: [B, C, D, E], least: 1 }, TERMS)).toBeUndefined();
    expect(limitMs({ elapsedMs: 1, tookMs: took, awaited: [], least: 1 }, TERMS)).toBe(500);
  });
});

describe('collecting', () => {
  const TASK = { hash: `0x${'07'.repeat(32)}` as Hex, cohort: { min: 3, deadlineMs: 60_000, adaptive: TERMS } };

  /** Rounds one after the other over one journal; a dealer without a time does not commit. */
  function federation(task: Pick<Task, 'hash' | 'cohort'> = TASK) {
    const clock = steppedClock();
    const store = memoryStore();
    const run = async (round: number, commitsAtMs: Partial<Record<Hex, number>>, stopAfterMs?: number) => {
      const startedMs = clock.nowMs();
      const uploads = createUploads([]);
      const uploadOf = (dealer: Hex) => admittedOf(dealer, new TextEncoder().encode(`${dealer}/${round}`), 1, round);
      for (const dealer of ALL) uploads.add(uploadOf(dealer));
      const commitOf = async (_: number, dealer: Hex) =>
        clock.nowMs() - startedMs >= (commitsAtMs[dealer] ?? Number.POSITIVE_INFINITY)
          ? { ...uploadOf(dealer), weight: 1 }
          : undefined;
      const stopping = new AbortController();
      const paces = createPaceJournal(store);
      const patience = await openPatience(round, { task, paces, clock, log: SILENT, leastCohort: async () => 3 });
      const parts = {
        ledger: { commitOf },
        uploads,
        clock: {
          ...clock,
          sleep: async (ms: number) => {
            await clock.sleep(ms);
            if (stopAfterMs !== undefined && clock.nowMs() - startedMs >= stopAfterMs) stopping.abort();
          },
        },
        present: () => new Set(ALL),
        declined: () => new Set<Hex>(),
        signal: stopping.signal,
        patience,
      };
      const collected = await collectUploads(round, ALL, startedMs + 60_000, parts);
      return { dealers: collected.map(({ dealer }) => dealer), tookMs: clock.nowMs() - startedMs };
    };
    return { run, paces: createPaceJournal(store) };
  }
  const quick = { [A]: 800, [B]: 800, [C]: 800, [D]: 800 };

  test('without `adaptive` the deadline is waited for; with it the round is a tenth as long, and says what it saw', async () => {
    const patient = await federation({ ...TASK, cohort: { min: 3, deadlineMs: 60_000 } }).run(1, quick);
    expect(patient.tookMs).toBeGreaterThanOrEqual(60_000);
    const { run, paces } = federation();
    const { dealers, tookMs } = await run(1, quick);
    expect(dealers).toEqual([A, B, C, D].sort());
    expect(tookMs).toBeLessThan(2_500);
    expect(await paces.before(TASK.hash, 2)).toMatchObject([{ round: 1, leftOut: [E], inVain: [] }]);
  });

  test('a dealer that is always slow is in at least every fourth round', async () => {
    const { run } = federation();
    const taken: boolean[] = [];
    for (let round = 1; round <= 9; round++) {
      taken.push((await run(round, { ...quick, [E]: 10_000 })).dealers.includes(E));
    }
    expect(taken).toEqual([false, false, false, true, false, false, false, true, false]);
  });

  test('a coordinator that was killed goes on counting from the opening, and takes no time for measured that it did not see', async () => {
    const { run, paces } = federation();
    await run(1, quick, 300);
    await run(1, { [A]: 0, [B]: 0, [C]: 0, [D]: 200 });
    const [pace] = await paces.before(TASK.hash, 2);
    expect(Object.keys(pace?.tookMs ?? {})).toEqual([D]);
    expect(pace?.tookMs[D]).toBeGreaterThanOrEqual(500); // 300 of them before the kill
  });

  test('the journal keeps the last rounds of each task, and no other', async () => {
    const paces = createPaceJournal(memoryStore());
    const other: Hex = `0x${'08'.repeat(32)}`;
    await paces.open(other, 1, 0);
    for (let round = 1; round <= 80; round++) await paces.open(TASK.hash, round, 0);
    const kept = (await paces.before(TASK.hash, 100)).map(({ round }) => round);
    expect([kept.length, kept[0], kept.at(-1)]).toEqual([65, 16, 80]);
    expect(await paces.before(other, 2)).toHaveLength(1);
  });
});
