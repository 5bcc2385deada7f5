// Collecting: wait for uploads whose commit is on chain, until nobody is left to wait for or the deadline passes.
import type { RoundLedger } from '../../engines/chain/round-ledger.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { AdmittedUpload, Uploads } from '../intake/uploads.ts';
import { awaited } from './waiting.ts';

const LOOK_EVERY_MS = 20;

export interface CollectParts {
  readonly ledger: RoundLedger;
  readonly uploads: Uploads;
  readonly clock: Clock;
  /** Dealers whose link is up. */
  readonly present: () => ReadonlySet<Hex>;
  readonly declined: (round: number) => ReadonlySet<Hex>;
  readonly signal: AbortSignal;
}

/** @returns the uploads that count: admitted, and committed on chain with the same hashes; ascending by dealer */
export async function collectUploads(
  round: number,
  dealers: readonly Hex[],
  deadlineMs: number,
  parts: CollectParts,
): Promise<AdmittedUpload[]> {
  const { ledger, uploads, clock } = parts;
  const committed = new Map<Hex, AdmittedUpload>();
  const absentSinceMs = new Map<Hex, number>();
  const look = async (dealer: Hex): Promise<void> => {
    const commit = await ledger.commitOf(round, dealer);
    const upload = commit && uploads.matching(round, dealer, commit);
    if (upload === undefined) committed.delete(dealer);
    else committed.set(dealer, upload);
  };
  while (!parts.signal.aborted) {
    const nowMs = clock.nowMs();
    const present = parts.present();
    for (const dealer of dealers) {
      if (present.has(dealer)) absentSinceMs.delete(dealer);
      else if (!absentSinceMs.has(dealer)) absentSinceMs.set(dealer, nowMs);
    }
    await Promise.all(
      uploads
        .dealers(round)
        .filter((dealer) => !committed.has(dealer))
        .map(look),
    );
    const attendance = {
      expected: new Set(dealers),
      committed: new Set(committed.keys()),
      declined: parts.declined(round),
      absentSinceMs,
    };
    if (awaited(attendance, nowMs).length === 0 || nowMs >= deadlineMs) break;
    await clock.sleep(LOOK_EVERY_MS, parts.signal);
  }
  // a dealer may have committed another attempt since it was counted: what stands now is what is finalised
  await Promise.all([...committed.keys()].map(look));
  return [...committed.values()].sort((a, b) => (a.dealer < b.dealer ? -1 : 1));
}
