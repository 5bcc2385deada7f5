// The consent book's log and the proposer's cut, kept in the edge node's store.
import { z } from 'zod';
import { keyOf, type Store } from '../../engines/store/store.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import type { ConsentLogStore, ProposalStore } from './log-store.ts';

const bytes = z.instanceof(Uint8Array);
const storedConsent = z.strictObject({ customerId: z.string(), record: bytes, operation: bytes, assertion: bytes });
const proposalCut = z.strictObject({ epoch: z.int(), operationCount: z.int() });
const MAX_ENTRY_BYTES = 65_536;

const LOG = 'consent/log'; // + index -> StoredConsent
const PROPOSAL = 'consent/proposal'; // -> ProposalCut

export function createConsentLogStore(store: Store): ConsentLogStore {
  return {
    append: (firstIndex, entries) =>
      store.write(
        entries.map(({ customerId, record, operation, assertion }, i) => ({
          put: keyOf(LOG, firstIndex + i),
          value: encodeCbor({ customerId, record, operation, assertion }),
        })),
      ),
    readAll: async () => {
      const rows = await store.list(`${LOG}/`);
      return rows.map(({ value }) => decodeCbor(value, storedConsent, MAX_ENTRY_BYTES));
    },
  };
}

export function createProposalStore(store: Store): ProposalStore {
  return {
    read: async () => {
      const value = await store.get(PROPOSAL);
      return value === undefined ? undefined : decodeCbor(value, proposalCut, MAX_ENTRY_BYTES);
    },
    write: (cut) => store.write([{ put: PROPOSAL, value: encodeCbor({ ...cut }) }]),
  };
}
