// What was asked for and how rounds ended, with their timings: kept across restarts. The truth about a round is on chain
// and in the transcript.
import { keyOf, type Store } from '../../engines/store/store.ts';
import type { RoundOutcome } from './driver.ts';

const OUTCOME = 'outcome'; // round -> RoundOutcome as JSON
const LEFT = 'rounds-left'; // -> number as JSON

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const parse = <T>(value: Uint8Array): T => JSON.parse(new TextDecoder().decode(value)) as T;

export async function loadOutcomes(store: Store): Promise<RoundOutcome[]> {
  const rows = await store.list(`${OUTCOME}/`);
  return rows.map(({ value }) => parse<RoundOutcome>(value));
}

/** How many more rounds are to be published. */
export async function roundsLeft(store: Store): Promise<number> {
  const value = await store.get(LEFT);
  return value === undefined ? 0 : parse<number>(value);
}

export const askForRounds = (store: Store, rounds: number): Promise<void> =>
  store.write([{ put: LEFT, value: json(rounds) }]);

/** One write: a round is never counted twice, nor lost. */
export const saveOutcome = (store: Store, outcome: RoundOutcome, left: number): Promise<void> =>
  store.write([
    { put: keyOf(OUTCOME, outcome.round), value: json(outcome) },
    { put: LEFT, value: json(left) },
  ]);
