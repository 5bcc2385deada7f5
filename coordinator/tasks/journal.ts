// The journal of tasks and rounds: what was asked for and how rounds ended, kept across restarts. The truth about a round is on
// chain and in the transcript; the documents of a task are in the transcript.
import { keyOf, type Store } from '../../engines/store/store.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { RoundOutcome } from '../rounds/driver.ts';
import { newRecord, type TaskRecord } from './record.ts';

const OUTCOME = 'outcome'; // round -> RoundOutcome as JSON
const TASK = 'task'; // hash -> TaskRecord as JSON

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const parse = <T>(value: Uint8Array): T => JSON.parse(new TextDecoder().decode(value)) as T;

export type Change = (record: TaskRecord) => TaskRecord;

export interface TaskJournal {
  /** Ascending by round. */
  outcomes(): readonly RoundOutcome[];
  records(): readonly TaskRecord[];
  record(hash: Hex): TaskRecord | undefined;
  /** Makes a record for a task that has none. */
  add(hash: Hex): Promise<TaskRecord>;
  /**
   * One after the other: a change sees what the one before it made. On disk when it resolves.
   * @throws ConcordatError NOT_FOUND, and whatever the change throws
   */
  change(hash: Hex, change: Change): Promise<TaskRecord>;
  /** Outcome and record in one write: a round is never counted twice, nor lost. */
  endRound(outcome: RoundOutcome, change: Change): Promise<TaskRecord>;
}

export async function openTaskJournal(store: Pick<Store, 'list' | 'write'>): Promise<TaskJournal> {
  const outcomes = (await store.list(`${OUTCOME}/`)).map(({ value }) => parse<RoundOutcome>(value));
  const rows = (await store.list(`${TASK}/`)).map(({ value }) => parse<TaskRecord>(value));
  const records = new Map(rows.map((record) => [record.hash, record]));
  let queue: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work);
    queue = result.catch(() => undefined);
    return result;
  };

  function existing(hash: Hex): TaskRecord {
    const record = records.get(hash);
    if (record === undefined) throw new ConcordatError('NOT_FOUND', `no task ${hash}`);
    return record;
  }

  async function keep(record: TaskRecord, outcome?: RoundOutcome): Promise<TaskRecord> {
    const ended = outcome && { put: keyOf(OUTCOME, outcome.round), value: json(outcome) };
    await store.write([{ put: keyOf(TASK, record.hash), value: json(record) }, ...(ended ? [ended] : [])]);
    records.set(record.hash, record);
    if (outcome !== undefined) outcomes.push(outcome);
    return record;
  }

  return {
    outcomes: () => outcomes,
    records: () => [...records.values()].sort((a, b) => a.order - b.order),
    record: (hash) => records.get(hash),
    add: (hash) => inTurn(async () => records.get(hash) ?? keep(newRecord(hash, records.size + 1))),
    change: (hash, change) => inTurn(async () => keep(change(existing(hash)))),
    endRound: (outcome, change) => inTurn(async () => keep(change(existing(outcome.taskHash)), outcome)),
  };
}
