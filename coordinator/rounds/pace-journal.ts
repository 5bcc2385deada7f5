// How long dealers took in the last rounds of each task: kept across restarts, known to nobody but this coordinator.
import { keyOf, type Store } from '../../engines/store/store.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { RoundPace } from './pace.ts';

interface Row extends RoundPace {
  readonly openedAtMs: number;
}

export interface PaceJournal {
  /** When this coordinator first waited for the round's dealers, and whether that was in an earlier life. */
  open(taskHash: Hex, round: number, nowMs: number): Promise<{ readonly openedAtMs: number; readonly again: boolean }>;
  /** Of the rounds before this one, ascending. */
  before(taskHash: Hex, round: number): Promise<readonly RoundPace[]>;
  close(taskHash: Hex, openedAtMs: number, pace: RoundPace): Promise<void>;
}

const BUCKET = 'pace'; // task, round -> Row as JSON
/** Rounds that are remembered: what is older says nothing about how fast a dealer is now. */
const KEPT = 64;

const json = (row: Row): Uint8Array => new TextEncoder().encode(JSON.stringify(row));
const parse = (value: Uint8Array): Row => JSON.parse(new TextDecoder().decode(value)) as Row;

export function createPaceJournal(store: Pick<Store, 'get' | 'list' | 'write'>): PaceJournal {
  return {
    async open(taskHash, round, nowMs) {
      const known = await store.get(keyOf(BUCKET, taskHash, round));
      if (known !== undefined) return { openedAtMs: parse(known).openedAtMs, again: true };
      const old = (await store.list(`${BUCKET}/${taskHash}/`)).slice(0, -KEPT);
      const row = { round, openedAtMs: nowMs, tookMs: {}, leftOut: [], inVain: [] };
      const put = { put: keyOf(BUCKET, taskHash, round), value: json(row) };
      await store.write([put, ...old.map(({ key }) => ({ del: key }))]);
      return { openedAtMs: nowMs, again: false };
    },
    async before(taskHash, round) {
      const rows = (await store.list(`${BUCKET}/${taskHash}/`)).map(({ value }) => parse(value));
      return rows.filter((row) => row.round < round);
    },
    close: (taskHash, openedAtMs, pace) =>
      store.write([{ put: keyOf(BUCKET, taskHash, pace.round), value: json({ ...pace, openedAtMs }) }]),
  };
}
