// The witness's memory in its process's store.
import { z } from 'zod';
import { keyOf, type Store } from '../engines/store/store.ts';
import { decodeCbor, encodeCbor } from '../protocol/codec.ts';
import { type SignedAnchor, signedAnchorSchema } from '../protocol/consent/equivocation.ts';
import type { WitnessStore } from './witness-store.ts';

const bytes = z.instanceof(Uint8Array);
const logEntry = z.strictObject({ operation: bytes, assertion: bytes });
const contradicted = z.strictObject({ held: signedAnchorSchema, refused: signedAnchorSchema });
const MAX_ROW_BYTES = 65_536;

const LOG = 'witness/log'; // dealer, index -> LogEntry
const ANCHOR = 'witness/anchor'; // dealer, epoch -> SignedAnchor
const CONTRADICTION = 'witness/contradiction'; // dealer, epoch -> Contradicted

export function createWitnessStore(store: Store): WitnessStore {
  const anchorOf = (value: Uint8Array): SignedAnchor => decodeCbor(value, signedAnchorSchema, MAX_ROW_BYTES);
  return {
    readLog: async (dealer, range) => {
      const part = range && {
        limit: range.limit,
        ...(range.from > 0 && { after: keyOf(LOG, dealer, range.from - 1) }),
      };
      const rows = await store.list(`${keyOf(LOG, dealer)}/`, part);
      return rows.map(({ value }) => decodeCbor(value, logEntry, MAX_ROW_BYTES));
    },
    readAnchor: async (dealer, epoch) => {
      const value = await store.get(keyOf(ANCHOR, dealer, epoch));
      return value === undefined ? undefined : anchorOf(value);
    },
    lastEpoch: async (dealer) => {
      const [last] = await store.list(`${keyOf(ANCHOR, dealer)}/`, { reverse: true, limit: 1 });
      return last === undefined ? 0 : anchorOf(last.value).anchor.epoch;
    },
    listAnchors: async (after, limit) => {
      const part = { limit, ...(after && { after: keyOf(ANCHOR, after.dealer, after.epoch) }) };
      return (await store.list(`${ANCHOR}/`, part)).map(({ value }) => anchorOf(value));
    },
    commit: async (dealer, firstIndex, entries, proposed) => {
      const rows = entries.map(({ operation, assertion }, i) => ({
        put: keyOf(LOG, dealer, firstIndex + i),
        value: encodeCbor({ operation, assertion }),
      }));
      const anchored = { put: keyOf(ANCHOR, dealer, proposed.anchor.epoch), value: encodeCbor(plain(proposed)) };
      await store.write([...rows, anchored]);
    },
    keepContradiction: async ({ held, refused }) => {
      const key = keyOf(CONTRADICTION, held.anchor.dealer, held.anchor.epoch);
      if ((await store.get(key)) !== undefined) return;
      await store.write([{ put: key, value: encodeCbor({ held: plain(held), refused: plain(refused) }) }]);
    },
    listContradictions: async () => {
      const rows = await store.list(`${CONTRADICTION}/`);
      return rows.map(({ value }) => decodeCbor(value, contradicted, MAX_ROW_BYTES));
    },
  };
}

const plain = ({ anchor, signature }: SignedAnchor) => ({ anchor: { ...anchor }, signature });
