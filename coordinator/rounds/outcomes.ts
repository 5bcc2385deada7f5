// How rounds ended, with their timings: for the status page, across restarts. The truth is on chain and in the transcript.
import { keyOf, type Store } from '../../engines/store/store.ts';
import type { RoundOutcome } from './driver.ts';

const OUTCOME = 'outcome'; // round -> RoundOutcome as JSON

export async function loadOutcomes(store: Store): Promise<RoundOutcome[]> {
  const rows = await store.list(`${OUTCOME}/`);
  return rows.map(({ value }) => JSON.parse(new TextDecoder().decode(value)) as RoundOutcome);
}

export const saveOutcome = (store: Store, outcome: RoundOutcome): Promise<void> =>
  store.write([{ put: keyOf(OUTCOME, outcome.round), value: new TextEncoder().encode(JSON.stringify(outcome)) }]);
