// How long one round waits for those not in: remembers who took how long, and applies the rule of pace.ts.
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { expectationOf, mayClose } from './pace.ts';
import type { PaceJournal } from './pace-journal.ts';

export interface Patience {
  /** @returns whether the round goes on without those it still waits for */
  isOver(committed: Iterable<Hex>, awaited: readonly Hex[]): boolean;
  /** Writes down what was seen. `late`: the deadline had passed. */
  close(committed: Iterable<Hex>, awaited: readonly Hex[], late: boolean): Promise<void>;
}

export interface PatienceParts {
  readonly task: Pick<Task, 'hash' | 'cohort'>;
  readonly paces: PaceJournal;
  readonly clock: Clock;
  readonly log: Log;
  /** The smallest set that may be fixed. */
  readonly leastCohort: () => Promise<number>;
}

/** Undefined for a task that waits for everybody until the deadline. */
export async function openPatience(round: number, parts: PatienceParts): Promise<Patience | undefined> {
  const { task, paces, clock, log } = parts;
  const terms = task.cohort.adaptive;
  if (terms === undefined) return undefined;
  const least = await parts.leastCohort();
  const history = await paces.before(task.hash, round);
  const { openedAtMs, again } = await paces.open(task.hash, round, clock.nowMs());
  const tookMs = new Map<Hex, number>();
  /** In when a restarted coordinator first looked: nobody knows since when. */
  const measured = new Set<Hex>();
  let looks = 0;

  function look(committed: Iterable<Hex>): number {
    const elapsedMs = clock.nowMs() - openedAtMs;
    looks += 1;
    for (const dealer of committed) {
      if (tookMs.has(dealer)) continue;
      tookMs.set(dealer, elapsedMs);
      if (!again || looks > 1) measured.add(dealer);
    }
    return elapsedMs;
  }

  return {
    isOver(committed, awaited) {
      const elapsedMs = look(committed);
      const expected = (dealer: Hex) => expectationOf(dealer, history);
      return mayClose({ elapsedMs, tookMs, awaited, least }, terms, expected);
    },
    async close(committed, awaited, late) {
      look(committed);
      if (awaited.length > 0) log.info({ round, dealers: awaited, late }, 'the round goes on without these dealers');
      const known = [...tookMs].filter(([dealer]) => measured.has(dealer));
      const [leftOut, inVain] = late ? [[], awaited] : [awaited, []];
      await paces.close(task.hash, openedAtMs, { round, tookMs: Object.fromEntries(known), leftOut, inVain });
    },
  };
}
