// Taking one customer's submission in: every check between the bytes at the door and the log.
import type { Hex } from '../../protocol/bytes.ts';
import { type RelyingParty, type SignatureVerifier, verifyAssertion } from '../../protocol/consent/assertion.ts';
import { hexWord, ZERO_WORD } from '../../protocol/consent/hex-schema.ts';
import { type DecodedEntry, decodeEntry } from '../../protocol/consent/log.ts';
import type { Operation } from '../../protocol/consent/operation.ts';
import { type ConsentRecord, decodeRecord, policyOfRecord, recordHash } from '../../protocol/consent/record.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Invitations } from './invitations.ts';
import type { ConsentLedger } from './ledger.ts';
import type { Quotes } from './quotes.ts';

export interface Submission {
  readonly customerId: string;
  /** Needed until the customer's subject is known; from then on the passkey speaks for them. */
  readonly invitationCode?: string;
  /** CSA record, canonical JSON. */
  readonly record: Uint8Array;
  /** Operation, canonical CBOR. */
  readonly operation: Uint8Array;
  /** Assertion, canonical CBOR. */
  readonly assertion: Uint8Array;
}

export interface AdmissionParts {
  readonly relyingParty: RelyingParty;
  readonly quotes: Quotes;
  readonly invitations: Invitations;
  readonly verifySignature: SignatureVerifier;
}

type Mismatch = 'record-hash' | 'record' | 'digest' | 'customer' | 'prev';

function refuse(reason: Mismatch, detail: string): never {
  throw new ConcordatError('CONSENT_OPERATION_REFUSED', detail, { reason });
}

/** The record says the same as the operation, and continues the subject's last record. */
function checkRecord(record: ConsentRecord, operation: Operation, lastRecordHash: Hex | undefined): void {
  const { subject, controller } = record;
  const same =
    record.seq === operation.seq &&
    subject.pseudonym === operation.subject &&
    subject.publicKey === operation.publicKey &&
    subject.nonce === operation.nonce &&
    controller.address === operation.dealer;
  if (!same) refuse('record', 'the record and the operation disagree on sequence, subject, key or dealer');
  if (record.prev !== (lastRecordHash ?? ZERO_WORD)) refuse('prev', 'the record does not follow the last one');
}

/** One customer has one subject; a new one (another device) only once the old one is out of every bucket. */
function checkCustomer(ledger: ConsentLedger, submission: Submission, subject: Hex, invitations: Invitations): void {
  const { customerId, invitationCode } = submission;
  const current = ledger.subjectOf(customerId);
  if (current === subject) return;
  invitations.verify(customerId, invitationCode ?? '');
  if (ledger.customerOf(subject) !== undefined) refuse('customer', 'the subject belongs to another customer');
  if (current !== undefined && ledger.state.subject(current)?.digest !== 0n) {
    refuse('customer', 'the customer is enrolled with another key: withdraw with that one first');
  }
}

/** The log index of the identical operation when it was taken in before, for this very customer. */
function indexOfRepeat(ledger: ConsentLedger, submission: Submission, decoded: DecodedEntry): number | undefined {
  const index = ledger.indexOfOperation(decoded.operationHash);
  if (index === undefined) return undefined;
  if (ledger.entry(index)?.customerId !== submission.customerId)
    refuse('customer', 'the operation is another customer\u2019s');
  return index;
}

/**
 * Checks a submission and takes it into the draft.
 * @returns its log index, and whether it had been there already
 * @throws ConcordatError MESSAGE_*, INVITATION_INVALID, PASSKEY_REFUSED, CONSENT_OPERATION_REFUSED
 */
export function admitSubmission(
  draft: ConsentLedger,
  submission: Submission,
  parts: AdmissionParts,
): { readonly index: number; readonly repeated: boolean } {
  const decoded = decodeEntry(submission);
  const { operation, assertion } = decoded;
  const repeat = indexOfRepeat(draft, submission, decoded);
  if (repeat !== undefined) return { index: repeat, repeated: true };

  checkCustomer(draft, submission, operation.subject, parts.invitations);
  if (recordHash(submission.record) !== operation.recordHash)
    refuse('record-hash', 'the operation signs another record');
  const record = decodeRecord(submission.record);
  checkRecord(record, operation, draft.state.subject(operation.subject)?.recordHash);
  const policy = policyOfRecord(record);
  // No bucket for those who grant nothing: digest 0, so that a refusal is as invisible as it should be.
  const digest = policy.grants === 0n ? 0n : parts.quotes.quote(policy).digest;
  if (digest !== operation.newDigest) refuse('digest', `the record\u2019s rules have the digest ${hexWord(digest)}`);
  verifyAssertion(assertion, decoded.operationHash, operation.publicKey, parts.relyingParty, parts.verifySignature);

  const { customerId, record: recordBytes, operation: operationBytes, assertion: assertionBytes } = submission;
  const stored = { customerId, record: recordBytes, operation: operationBytes, assertion: assertionBytes };
  const index = draft.take(stored, decoded);
  if (digest !== 0n) parts.quotes.remember(policy);
  return { index, repeated: false };
}
