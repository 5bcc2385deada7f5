// The witness's memory in the coordinator's store.
import { z } from 'zod';
import { keyOf, type Store } from '../../engines/store/store.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import { anchorSchema } from '../../protocol/consent/anchor.ts';
import type { WitnessStore } from './witness-store.ts';

const bytes = z.instanceof(Uint8Array);
const logEntry = z.strictObject({ operation: bytes, assertion: bytes });
const MAX_ROW_BYTES = 65_536;

const LOG = 'witness/log'; // dealer, index -> LogEntry
const ANCHOR = 'witness/anchor'; // dealer, epoch -> Anchor

export function createWitnessStore(store: Store): WitnessStore {
  const anchorsOf = (dealer: Hex) => store.list(`${keyOf(ANCHOR, dealer)}/`);
  return {
    readLog: async (dealer) => {
      const rows = await store.list(`${keyOf(LOG, dealer)}/`);
      return rows.map(({ value }) => decodeCbor(value, logEntry, MAX_ROW_BYTES));
    },
    readAnchor: async (dealer, epoch) => {
      const value = await store.get(keyOf(ANCHOR, dealer, epoch));
      return value === undefined ? undefined : decodeCbor(value, anchorSchema, MAX_ROW_BYTES);
    },
    lastEpoch: async (dealer) => {
      const last = (await anchorsOf(dealer)).at(-1);
      return last === undefined ? 0 : decodeCbor(last.value, anchorSchema, MAX_ROW_BYTES).epoch;
    },
    commit: async (dealer, firstIndex, entries, anchor) => {
      const rows = entries.map(({ operation, assertion }, i) => ({
        put: keyOf(LOG, dealer, firstIndex + i),
        value: encodeCbor({ operation, assertion }),
      }));
      const anchored = anchor ? [{ put: keyOf(ANCHOR, dealer, anchor.epoch), value: encodeCbor({ ...anchor }) }] : [];
      await store.write([...rows, ...anchored]);
    },
  };
}
