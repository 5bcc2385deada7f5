// The records of a round, found again in the dealer's own data: each one that is not what was committed to is named by subject.
import type { Hex } from '../../protocol/bytes.ts';
import { decodeOperation } from '../../protocol/consent/operation.ts';
import type { Requirement } from '../../protocol/consent/policy.ts';
import { decodeRecord, policyOfRecord } from '../../protocol/consent/record.ts';
import { recordHash } from '../commitment.ts';
import { ConsentLedger } from '../consent/ledger.ts';
import type { StoredConsent } from '../consent/log-store.ts';
import type { ConsentedRecord, ConsentGate } from '../data/gate.ts';
import type { Participation } from '../participation.ts';

export interface MatchParts {
  readonly identity: { readonly address: Hex; readonly secret: Uint8Array };
  readonly gate: ConsentGate;
  readonly log: readonly StoredConsent[];
  readonly requirement: Requirement;
  readonly nowSeconds: number;
}

export interface MatchedRecord {
  readonly subject: Hex;
  readonly record: ConsentedRecord;
}

export interface Matched {
  /** In the order of training. */
  readonly records: readonly MatchedRecord[];
  /** Subjects whose record is another one now. */
  readonly changed: readonly Hex[];
  /** Subjects without a record now. */
  readonly gone: readonly Hex[];
  /** Subjects whose consent has ended since. */
  readonly ended: readonly Hex[];
  /** Whether their records were looked at all the same. */
  readonly endedOpened: boolean;
}

/** @param endedToo that the dealer has a ground of its own to use these records once more, for the replay */
export function matchRecords(leaves: Participation['leaves'], endedToo: boolean, parts: MatchParts): Matched {
  const { identity, gate, log } = parts;
  const ledger = ConsentLedger.replay(identity.address, log, () => undefined);
  const subjects = leaves.map(([subject]) => subject);
  const ended = subjects.filter((subject) => hasEnded(ledger, subject, parts));
  const closed = new Set(endedToo ? [] : ended);
  const subjectOf = new Map<string, Hex>();
  for (const subject of subjects) {
    const customerId = closed.has(subject) ? undefined : ledger.customerOf(subject);
    if (customerId !== undefined) subjectOf.set(customerId, subject);
  }
  const records = gate.open(new Set(subjectOf.keys())).flatMap((record) => {
    const subject = subjectOf.get(record.customerId);
    return subject === undefined ? [] : [{ subject, record }];
  });
  const committed = new Map(leaves);
  const found = new Set(records.map(({ subject }) => subject));
  return {
    records,
    changed: records
      .filter(({ subject, record }) => recordHash(identity.secret, subject, record.row) !== committed.get(subject))
      .map(({ subject }) => subject),
    gone: subjects.filter((subject) => !found.has(subject) && !closed.has(subject)),
    ended,
    endedOpened: endedToo,
  };
}

/** By the customer's last word: withdrawn, narrowed below what the task needs, or run out. */
function hasEnded(ledger: ConsentLedger, subject: Hex, { requirement, nowSeconds }: MatchParts): boolean {
  const entry = ledger.entry(ledger.latestIndexOf(subject) ?? -1);
  // of a withdrawal by force the dealer may have no record
  if (entry === undefined || entry.record.length === 0) return true;
  if (decodeOperation(entry.operation).newDigest === 0n) return true;
  const { grants, conditions } = policyOfRecord(decodeRecord(entry.record));
  return (grants & requirement.required) !== requirement.required || nowSeconds >= conditions.expiry;
}
