// A key-holder’s folder belongs to one ledger: answers and settled rounds of another would pass for this one’s.
import { keyOf, type Store } from '../engines/store/store.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';

const LEDGER = keyOf('ledger');

/** @throws ConcordatError STATE_CORRUPT when the folder was used with another chain or ledger */
export async function bindToLedger(store: Pick<Store, 'get' | 'write'>, chainId: number, ledger: Hex): Promise<void> {
  const here = `${chainId}/${ledger.toLowerCase()}`;
  const stored = await store.get(LEDGER);
  if (stored === undefined) return store.write([{ put: LEDGER, value: new TextEncoder().encode(here) }]);
  const bound = new TextDecoder().decode(stored);
  if (bound === here) return;
  throw new ConcordatError(
    'STATE_CORRUPT',
    `this folder belongs to ledger ${bound}, not ${here}: start with another --dir`,
  );
}
