// What a customer's device makes of the switches it shows: the record, the operation over it, the challenge to sign.
import type { Hex } from '../bytes.ts';
import { PROTOCOL_VERSION } from '../params.ts';
import { GRANT_VOCABULARY, rowsOfGrants } from './grants.ts';
import { ZERO_WORD } from './hex-schema.ts';
import { encodeOperation, operationHash, subjectOf } from './operation.ts';
import { EVIDENCE, type Policy } from './policy.ts';
import { isoOfSeconds } from './quarter.ts';
import { type ConsentRecord, encodeRecord, recordHash } from './record.ts';

/** What the customer is told by the dealer's page, the same for everyone. */
export type ConsentTerms = Pick<ConsentRecord, 'controller' | 'notice' | 'storage' | 'jurisdiction' | 'withdrawal'>;

/** Who signs: fixed at enrolment, kept on the device. */
export interface ConsentIdentity {
  /** x ‖ y, 64 bytes. */
  readonly publicKey: Hex;
  /** 32 random bytes. */
  readonly nonce: Hex;
  /** 16 random bytes. */
  readonly recordId: Hex;
}

/** Where the subject stands in the log; undefined before the first operation. */
export interface ConsentHead {
  readonly seq: number;
  readonly digest: bigint;
  readonly recordHash: Hex;
}

export interface ConsentDraftInput {
  readonly terms: ConsentTerms;
  readonly identity: ConsentIdentity;
  readonly head: ConsentHead | undefined;
  readonly policy: Policy;
  /** Of the policy, recomputed on the device from the quoted salt; not looked at when nothing is granted. */
  readonly digest: bigint;
  /** Unix seconds. */
  readonly nowSeconds: number;
  readonly method: ConsentRecord['event']['method'];
}

export interface ConsentDraft {
  /** CSA record, canonical JSON. */
  readonly record: Uint8Array;
  /** Operation, canonical CBOR. */
  readonly operation: Uint8Array;
  /** To be signed by the passkey. */
  readonly challenge: Uint8Array;
  /** The head once the operation is taken in. */
  readonly next: ConsentHead;
}

/** A policy that grants nothing has no bucket: its operation moves the subject to digest 0. */
export function draftConsent(input: ConsentDraftInput): ConsentDraft {
  const { terms, identity, head, policy, nowSeconds } = input;
  const { expiry, evidence, ...conditions } = policy.conditions;
  const seq = (head?.seq ?? 0) + 1;
  const subject = subjectOf(identity.publicKey, terms.controller.address, identity.nonce);
  const now = isoOfSeconds(nowSeconds);
  const record: ConsentRecord = {
    ...terms,
    schema: `${PROTOCOL_VERSION}/consent-record`,
    recordId: identity.recordId,
    seq,
    prev: head?.recordHash ?? ZERO_WORD,
    subject: { pseudonym: subject, publicKey: identity.publicKey, nonce: identity.nonce },
    vocabulary: GRANT_VOCABULARY,
    grants: rowsOfGrants(policy.grants),
    conditions,
    evidence: evidence === EVIDENCE.passkey ? 'passkey' : 'attested',
    validity: { from: isoOfSeconds(Math.min(nowSeconds, expiry)), until: isoOfSeconds(expiry) },
    event: { time: now, method: input.method },
  };
  const recordBytes = encodeRecord(record);
  const newDigest = policy.grants === 0n ? 0n : input.digest;
  const next = { seq, digest: newDigest, recordHash: recordHash(recordBytes) };
  const operation = encodeOperation({
    dealer: terms.controller.address,
    subject,
    publicKey: identity.publicKey,
    nonce: identity.nonce,
    seq,
    oldDigest: head?.digest ?? 0n,
    newDigest,
    recordHash: next.recordHash,
  });
  return { record: recordBytes, operation, challenge: operationHash(operation), next };
}
