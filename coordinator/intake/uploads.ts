// Uploads that are in whole: message and payload. Those of the last round; of the rounds before it only the payloads' hashes.
import type { Hex } from '../../protocol/bytes.ts';
import type { UploadStatement } from '../../protocol/messages/upload.ts';
import { sharesRoot } from '../../protocol/secagg/shares.ts';
import type { Entry } from '../../protocol/transcript/entry.ts';

/** An upload that passed the door. It counts once the chain holds the matching commit. */
export interface AdmittedUpload extends UploadStatement {
  readonly shareHashes: readonly Hex[];
  /** The dealer's EIP-712 `Upload`: key-holders ask for it. */
  readonly signature: Hex;
}

/** What the chain says that a dealer sent. */
export type UploadCommit = Pick<UploadStatement, 'attempt' | 'payloadHash' | 'sharesRoot'>;

export const isUploadOf = (upload: UploadCommit, commit: UploadCommit): boolean =>
  upload.attempt === commit.attempt &&
  upload.payloadHash === commit.payloadHash &&
  upload.sharesRoot === commit.sharesRoot;

export interface Uploads {
  /** An upload of a later round than all before it: those are forgotten, but for the hashes of their payloads. */
  add(upload: AdmittedUpload): void;
  /** Dealers with at least one upload in the round. */
  dealers(round: number): Hex[];
  /** The upload a commit speaks of, if it arrived. */
  matching(round: number, dealer: Hex, commit: UploadCommit): AdmittedUpload | undefined;
  /** What the dealer sent under this attempt. */
  ofAttempt(round: number, dealer: Hex, attempt: number): AdmittedUpload | undefined;
  /** The upload with this payload, in the last round. */
  withPayload(payloadHash: Hex): AdmittedUpload | undefined;
  /** Whether a payload came in, in whatever round: nobody may send it again as another upload. */
  hasPayload(payloadHash: Hex): boolean;
}

/** @param entries of the transcript: what came in before a restart */
export function createUploads(entries: readonly Entry[]): Uploads {
  const payloads = new Set<Hex>();
  const byPayload = new Map<Hex, AdmittedUpload>();
  const byDealer = new Map<Hex, AdmittedUpload[]>();
  let last = 0;
  const of = (round: number, dealer: Hex): readonly AdmittedUpload[] =>
    round === last ? (byDealer.get(dealer) ?? []) : [];

  function add(upload: AdmittedUpload): void {
    const { round, dealer, attempt, payloadHash } = upload;
    if (of(round, dealer).some((known) => known.attempt === attempt)) return;
    payloads.add(payloadHash);
    if (round < last) return; // only one round is open at a time
    if (round > last) {
      last = round;
      byPayload.clear();
      byDealer.clear();
    }
    byPayload.set(payloadHash, upload);
    byDealer.set(dealer, [...of(round, dealer), upload]);
  }

  for (const { body } of entries) {
    if (body.type !== 'upload') continue;
    const { round, dealer, attempt, payload: payloadHash, sealedShares: shareHashes, signature } = body;
    add({ round, dealer, attempt, payloadHash, sharesRoot: sharesRoot(shareHashes), shareHashes, signature });
  }
  return {
    add,
    dealers: (round) => (round === last ? [...byDealer.keys()] : []),
    matching: (round, dealer, commit) => of(round, dealer).find((upload) => isUploadOf(upload, commit)),
    ofAttempt: (round, dealer, attempt) => of(round, dealer).find((upload) => upload.attempt === attempt),
    withPayload: (payloadHash) => byPayload.get(payloadHash),
    hasPayload: (payloadHash) => payloads.has(payloadHash),
  };
}
