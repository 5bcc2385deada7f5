// Collecting: wait for uploads whose commit is on chain, until nobody is left to wait for, patience ends or the deadline passes.
import type { RoundLedger } from '../../engines/chain/round-ledger.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { AdmittedUpload, Uploads } from '../intake/uploads.ts';
import type { Patience } from './patience.ts';
import { awaited } from './waiting.ts';

const LOOK_EVERY_MS = 20;
/** A dealer that has sent its upload and not committed: the chain is asked about it so often. */
const ASK_CHAIN_EVERY_MS = 250;

export interface CollectParts {
  readonly ledger: Pick<RoundLedger, 'commitOf'>;
  readonly uploads: Pick<Uploads, 'dealers' | 'matching'>;
  readonly clock: Clock;
  /** Dealers whose link is up. */
  readonly present: () => ReadonlySet<Hex>;
  readonly declined: (round: number) => ReadonlySet<Hex>;
  readonly signal: AbortSignal;
  /** Without it everybody is waited for. */
  readonly patience?: Patience | undefined;
}

/** @returns the uploads that count: admitted, and committed on chain with the same hashes; ascending by dealer */
export async function collectUploads(
  round: number,
  dealers: readonly Hex[],
  deadlineMs: number,
  parts: CollectParts,
): Promise<AdmittedUpload[]> {
  const { ledger, uploads, clock, patience } = parts;
  const absentSince = watchAbsence(dealers, parts);
  const committed = new Map<Hex, AdmittedUpload>();
  const lookedAtMs = new Map<Hex, number>();
  let waitsFor: readonly Hex[] = dealers;
  const look = async (dealer: Hex): Promise<void> => {
    lookedAtMs.set(dealer, clock.nowMs());
    const commit = await ledger.commitOf(round, dealer);
    const upload = commit && uploads.matching(round, dealer, commit);
    if (upload === undefined) committed.delete(dealer);
    else committed.set(dealer, upload);
  };
  const isDue = (dealer: Hex, nowMs: number): boolean =>
    !committed.has(dealer) && nowMs - (lookedAtMs.get(dealer) ?? Number.NEGATIVE_INFINITY) >= ASK_CHAIN_EVERY_MS;
  while (!parts.signal.aborted) {
    const nowMs = clock.nowMs();
    const absentSinceMs = absentSince(nowMs);
    const due = uploads.dealers(round).filter((dealer) => isDue(dealer, nowMs));
    await Promise.all(due.map(look));
    const declined = parts.declined(round);
    const attendance = { expected: new Set(dealers), committed: new Set(committed.keys()), declined, absentSinceMs };
    waitsFor = awaited(attendance, nowMs);
    if (waitsFor.length === 0 || nowMs >= deadlineMs || patience?.isOver(committed.keys(), waitsFor)) break;
    await clock.sleep(LOOK_EVERY_MS, parts.signal);
  }
  const isLate = clock.nowMs() >= deadlineMs;
  // a dealer may have committed since it was looked at, or another attempt since it was counted
  await Promise.all(uploads.dealers(round).map(look));
  const without = waitsFor.filter((dealer) => !committed.has(dealer));
  if (!parts.signal.aborted) await patience?.close(committed.keys(), without, isLate);
  return [...committed.values()].sort((a, b) => (a.dealer < b.dealer ? -1 : 1));
}

/** Since when each dealer's link is down, as far as was seen; one that is up is not in it. */
function watchAbsence(dealers: readonly Hex[], { present }: Pick<CollectParts, 'present'>) {
  const sinceMs = new Map<Hex, number>();
  return (nowMs: number): ReadonlyMap<Hex, number> => {
    const here = present();
    for (const dealer of dealers) {
      if (here.has(dealer)) sinceMs.delete(dealer);
      else if (!sinceMs.has(dealer)) sinceMs.set(dealer, nowMs);
    }
    return sinceMs;
  };
}
