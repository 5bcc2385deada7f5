// What this dealer did in each round, for receipts: written before the commit leaves, completed when it is on chain.
import { z } from 'zod';
import { keyOf, type Store } from '../engines/store/store.ts';
import type { Hex } from '../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../protocol/codec.ts';
import { type LinkedProof, LinkedTree } from '../protocol/consent/linked-tree.ts';
import { hashField } from '../protocol/messages/fields.ts';

const schema = z.strictObject({
  attempt: z.int(),
  anchoredRoot: hashField,
  recordsRoot: hashField,
  weight: z.int(),
  committed: z.boolean(),
  leaves: z.array(z.tuple([hashField, hashField])),
});
export type Participation = z.infer<typeof schema>;

const BUCKET = 'participation'; // round -> Participation
const MAX_BYTES = 65_535 * 160 + 4_096;

export interface RoundUsage {
  readonly round: number;
  readonly used: boolean;
  /** As in the dealer's commit on chain. */
  readonly recordsRoot: Hex;
  /** That the subject is under that root, or that it is not. */
  readonly proof: LinkedProof;
}

export interface Participations {
  write(round: number, participation: Participation): Promise<void>;
  read(round: number): Promise<Participation | undefined>;
  /** Proof of use or of absence for every round this dealer committed to. */
  usageOf(subject: Hex): Promise<RoundUsage[]>;
}

export function createParticipations(store: Store): Participations {
  return {
    write: (round, participation) =>
      store.write([{ put: keyOf(BUCKET, round), value: encodeCbor({ ...participation }) }]),
    read: async (round) => {
      const value = await store.get(keyOf(BUCKET, round));
      return value === undefined ? undefined : decodeCbor(value, schema, MAX_BYTES);
    },
    usageOf: async (subject) => {
      const rows = await store.list(`${BUCKET}/`);
      return rows.flatMap(({ key, value }) => {
        const { committed, leaves, recordsRoot } = decodeCbor(value, schema, MAX_BYTES);
        if (!committed) return [];
        const tree = LinkedTree.of(leaves);
        const present = tree.presenceProof(subject);
        const proof = present ?? tree.absenceProof(subject);
        if (proof === undefined) return [];
        return [{ round: Number(key.split('/')[1]), used: present !== undefined, recordsRoot, proof }];
      });
    },
  };
}
