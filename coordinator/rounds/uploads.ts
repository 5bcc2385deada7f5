// Uploads that passed the door, by round and dealer; rebuilt from the transcript after a restart.
import type { Hex } from '../../protocol/bytes.ts';
import { sharesRoot } from '../../protocol/secagg/shares.ts';
import type { Entry } from '../../protocol/transcript/entry.ts';
import type { AdmittedUpload } from '../intake/admit.ts';

export interface Uploads {
  add(upload: AdmittedUpload): void;
  /** Dealers with at least one upload in the round. */
  dealers(round: number): Hex[];
  /** The upload a commit speaks of, if it arrived. */
  matching(
    round: number,
    dealer: Hex,
    commit: { attempt: number; payloadHash: Hex; sharesRoot: Hex },
  ): AdmittedUpload | undefined;
}

export function createUploads(entries: readonly Entry[]): Uploads {
  const byDealer = new Map<string, AdmittedUpload[]>();
  const add = (upload: AdmittedUpload): void => {
    const key = `${upload.round}/${upload.dealer}`;
    const known = byDealer.get(key) ?? [];
    if (!known.some((u) => u.attempt === upload.attempt)) byDealer.set(key, [...known, upload]);
  };
  for (const { body } of entries) {
    if (body.type !== 'upload') continue;
    const { round, dealer, attempt, payload, sealedShares } = body;
    add({
      round,
      dealer,
      attempt,
      payloadHash: payload,
      sharesRoot: sharesRoot(sealedShares),
      shareHashes: sealedShares,
      bytes: 0,
    });
  }
  return {
    add,
    dealers: (round) =>
      [...byDealer.keys()].filter((key) => key.startsWith(`${round}/`)).map((key) => key.split('/')[1] as Hex),
    matching: (round, dealer, commit) =>
      byDealer
        .get(`${round}/${dealer}`)
        ?.find(
          (u) =>
            u.attempt === commit.attempt && u.payloadHash === commit.payloadHash && u.sharesRoot === commit.sharesRoot,
        ),
  };
}
