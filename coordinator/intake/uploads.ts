// Uploads that are in whole: message and payload. By round and dealer; rebuilt from the transcript after a restart.
import type { Hex } from '../../protocol/bytes.ts';
import { sharesRoot } from '../../protocol/secagg/shares.ts';
import type { Entry } from '../../protocol/transcript/entry.ts';

/** What a dealer signs: the EIP-712 struct `Upload`. */
export interface UploadStruct {
  readonly dealer: Hex;
  readonly round: number;
  readonly attempt: number;
  readonly payloadHash: Hex;
  readonly sharesRoot: Hex;
}

/** An upload that passed the door. It counts once the chain holds the matching commit. */
export interface AdmittedUpload extends UploadStruct {
  readonly shareHashes: readonly Hex[];
}

/** What the chain says that a dealer sent. */
export type UploadCommit = Pick<UploadStruct, 'attempt' | 'payloadHash' | 'sharesRoot'>;

export const isUploadOf = (upload: UploadCommit, commit: UploadCommit): boolean =>
  upload.attempt === commit.attempt &&
  upload.payloadHash === commit.payloadHash &&
  upload.sharesRoot === commit.sharesRoot;

export interface Uploads {
  add(upload: AdmittedUpload): void;
  /** Dealers with at least one upload in the round. */
  dealers(round: number): Hex[];
  /** The upload a commit speaks of, if it arrived. */
  matching(round: number, dealer: Hex, commit: UploadCommit): AdmittedUpload | undefined;
  /** What the dealer sent under this attempt. */
  ofAttempt(round: number, dealer: Hex, attempt: number): AdmittedUpload | undefined;
  /** The upload with this payload, in whatever round. */
  withPayload(payloadHash: Hex): AdmittedUpload | undefined;
}

export function createUploads(entries: readonly Entry[]): Uploads {
  const byDealer = new Map<string, AdmittedUpload[]>();
  const byPayload = new Map<Hex, AdmittedUpload>();
  const of = (round: number, dealer: Hex): readonly AdmittedUpload[] => byDealer.get(`${round}/${dealer}`) ?? [];
  const add = (upload: AdmittedUpload): void => {
    const { round, dealer, attempt, payloadHash } = upload;
    if (of(round, dealer).some((known) => known.attempt === attempt)) return;
    byDealer.set(`${round}/${dealer}`, [...of(round, dealer), upload]);
    byPayload.set(payloadHash, upload);
  };
  for (const { body } of entries) {
    if (body.type !== 'upload') continue;
    const { round, dealer, attempt, payload, sealedShares } = body;
    const shareHashes = sealedShares;
    add({ round, dealer, attempt, payloadHash: payload, sharesRoot: sharesRoot(shareHashes), shareHashes });
  }
  return {
    add,
    dealers: (round) =>
      [...byDealer.keys()].filter((key) => key.startsWith(`${round}/`)).map((key) => key.split('/')[1] as Hex),
    matching: (round, dealer, commit) => of(round, dealer).find((upload) => isUploadOf(upload, commit)),
    ofAttempt: (round, dealer, attempt) => of(round, dealer).find((upload) => upload.attempt === attempt),
    withPayload: (payloadHash) => byPayload.get(payloadHash),
  };
}
