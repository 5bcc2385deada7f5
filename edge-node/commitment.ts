// What a round was trained on, as a commitment: (subject, salted record hash) in a linked Merkle tree. A customer gets
// proof of use or of absence from it; an auditor on site can open it.
import { createHash, createHmac } from 'node:crypto';
import { concatBytes, fromHex, type Hex, toHex, utf8ToBytes } from '../protocol/bytes.ts';
import { LinkedTree } from '../protocol/consent/linked-tree.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { canonicalJson } from '../protocol/learning/canonical-json.ts';
import { PROTOCOL_VERSION } from '../protocol/params.ts';
import type { ConsentedRecord } from './data/gate.ts';

export interface RecordsCommitment {
  readonly root: Hex;
  /** (subject, record hash), to be kept for receipts. */
  readonly leaves: readonly (readonly [subject: Hex, recordHash: Hex])[];
}

/** @throws ConcordatError STATE_CORRUPT for a record without a subject */
export type RecordsCommitter = (
  records: readonly ConsentedRecord[],
  subjects: ReadonlyMap<string, Hex>,
) => RecordsCommitment;

/**
 * Keeps hashes and tree from round to round: most records stay.
 * @param secret the dealer's; salts derive from it, so that they need no storage and an outsider cannot guess records
 */
export function createRecordsCommitter(secret: Uint8Array): RecordsCommitter {
  const hashes = new Map<Hex, { readonly row: ConsentedRecord['row']; readonly hash: Hex }>();
  let previous: LinkedTree | undefined;

  const hashOf = (subject: Hex, row: ConsentedRecord['row']): Hex => {
    const known = hashes.get(subject);
    if (known?.row === row) return known.hash;
    const hash = recordHash(secret, subject, row);
    hashes.set(subject, { row, hash });
    return hash;
  };

  return (records, subjects) => {
    const leaves = records.map(({ customerId, row }) => {
      const subject = subjects.get(customerId);
      if (subject === undefined) throw new ConcordatError('STATE_CORRUPT', 'a consented record without a subject');
      return [subject, hashOf(subject, row)] as const;
    });
    previous = LinkedTree.of(leaves, previous);
    return { root: previous.root, leaves };
  };
}

/** 16 bytes. Whoever has it can check a guess of the record: it is given out with the record, or not at all. */
export function recordSalt(secret: Uint8Array, subject: Hex): Uint8Array {
  const mac = createHmac('sha256', secret).update(`${PROTOCOL_VERSION}/record-salt/`).update(fromHex(subject));
  return mac.digest().subarray(0, 16);
}

const TAG = utf8ToBytes(`${PROTOCOL_VERSION}/record`);

/** Of one record, as it stands under the root. */
export function recordHash(secret: Uint8Array, subject: Hex, row: ConsentedRecord['row']): Hex {
  const bytes = concatBytes(TAG, recordSalt(secret, subject), utf8ToBytes(canonicalJson(row)));
  return toHex(createHash('sha256').update(bytes).digest());
}
