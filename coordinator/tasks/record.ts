// How far each task is, as the journal keeps it; pure: what an ask, an end of a round, a stop and a failure make of it.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';

export interface TaskRecord {
  readonly hash: Hex;
  /** Rises with each task that is taken: whose turn it is goes round in this order. */
  readonly order: number;
  /** Rounds that are to be published, all asks together. */
  readonly asked: number;
  /** Rounds that are. */
  readonly done: number;
  /** Failed rounds since the last one that was published. */
  readonly failedInARow: number;
  /** By its operator. */
  readonly stopped: boolean;
  /** Why no more rounds are opened; undefined while nothing is wrong. */
  readonly failure?: string;
}

export const MAX_ROUNDS = 10_000;
/** Nobody takes part, or something is wrong with the task: it is given up, and the others go on. */
export const MAX_FAILED_IN_A_ROW = 5;

export const newRecord = (hash: Hex, order: number): TaskRecord => ({
  hash,
  order,
  asked: 0,
  done: 0,
  failedInARow: 0,
  stopped: false,
});

export const roundsLeft = ({ asked, done }: TaskRecord): number => asked - done;

export const isWaiting = (record: TaskRecord): boolean =>
  roundsLeft(record) > 0 && !record.stopped && record.failure === undefined;

/**
 * So many rounds more. What a stopped or failed task had left is not taken up again.
 * @throws ConcordatError CONFLICT beyond the most rounds that a task may have
 */
export function withRounds(record: TaskRecord, rounds: number): TaskRecord {
  const { failure: _, ...rest } = record;
  const asked = (isWaiting(record) ? record.asked : record.done) + rounds;
  if (asked > MAX_ROUNDS) {
    const detail = `${asked} rounds of task ${record.hash}, at most ${MAX_ROUNDS}`;
    throw new ConcordatError('CONFLICT', detail, { asked });
  }
  return { ...rest, asked, failedInARow: 0, stopped: false };
}

/** So many rounds from here on, whatever was asked for before. */
export const withExactly = (record: TaskRecord, rounds: number): TaskRecord =>
  withRounds({ ...record, asked: record.done }, rounds);

export interface EndedRound {
  readonly status: 'published' | 'failed';
  readonly reason?: string;
}

export function afterRound(record: TaskRecord, { status, reason }: EndedRound): TaskRecord {
  // a round that was asked of the chain before the journal knew may be one more than was asked for
  if (status === 'published') {
    const done = record.done + 1;
    return { ...record, done, asked: Math.max(record.asked, done), failedInARow: 0 };
  }
  const failedInARow = record.failedInARow + 1;
  const failed = { ...record, failedInARow };
  if (failedInARow < MAX_FAILED_IN_A_ROW || record.stopped) return failed;
  return { ...failed, failure: `${failedInARow} rounds in a row failed, the last one: ${reason ?? 'unknown'}` };
}

/** Any number of times. A task that has ended already stays as it is. */
export const afterStop = (record: TaskRecord): TaskRecord =>
  isWaiting(record) ? { ...record, stopped: true } : record;

export const afterFailure = (record: TaskRecord, failure: string): TaskRecord => ({ ...record, failure });

/** The next in turn after the task that had it last. */
export function nextInTurn(records: readonly TaskRecord[], last: Hex | undefined): TaskRecord | undefined {
  const waiting = records.filter(isWaiting).sort((a, b) => a.order - b.order);
  const lastOrder = records.find(({ hash }) => hash === last)?.order ?? 0;
  return waiting.find(({ order }) => order > lastOrder) ?? waiting[0];
}
