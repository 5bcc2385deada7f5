// Collecting: wait for uploads whose commit is on chain, until nobody is left to wait for, patience ends or the deadline passes.
import type { Commitment, RoundLedger } from '../../engines/chain/round-ledger.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { AdmittedUpload, Uploads } from '../intake/uploads.ts';
import type { Patience } from './patience.ts';
import { awaited } from './waiting.ts';

const LOOK_EVERY_MS = 20;
/** While dealers have sent their uploads and not committed, the chain is asked about all of them so often. */
const ASK_CHAIN_EVERY_MS = 250;

export interface CollectParts {
  readonly ledger: Pick<RoundLedger, 'commitsOf'>;
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
  const { uploads, clock, patience } = parts;
  const isAbsentSinceMs = watchAbsence(dealers, parts);
  let committed: ReadonlyMap<Hex, AdmittedUpload> = new Map();
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let waitsFor: readonly Hex[] = dealers;
  while (!parts.signal.aborted) {
    const nowMs = clock.nowMs();
    const absentSinceMs = isAbsentSinceMs(nowMs);
    const isUnsettled = uploads.dealers(round).some((dealer) => !committed.has(dealer));
    if (isUnsettled && nowMs - askedAtMs >= ASK_CHAIN_EVERY_MS) {
      askedAtMs = nowMs;
      committed = await committedUploads(round, parts);
    }
    const declined = parts.declined(round);
    const attendance = { expected: new Set(dealers), committed: new Set(committed.keys()), declined, absentSinceMs };
    waitsFor = awaited(attendance, nowMs);
    if (waitsFor.length === 0 || nowMs >= deadlineMs || patience?.isOver(committed.keys(), waitsFor)) break;
    await clock.sleep(LOOK_EVERY_MS, parts.signal);
  }
  // a dealer may have committed since it was looked at, or another attempt since it was counted
  committed = await committedUploads(round, parts);
  const without = waitsFor.filter((dealer) => !committed.has(dealer));
  if (!parts.signal.aborted) await patience?.close(committed.keys(), without, clock.nowMs() >= deadlineMs);
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

/** Whatever has come in and stands on chain: one look at the chain for all dealers. */
async function committedUploads(
  round: number,
  { ledger, uploads }: Pick<CollectParts, 'ledger' | 'uploads'>,
): Promise<Map<Hex, AdmittedUpload>> {
  const sent = uploads.dealers(round);
  const commits: ReadonlyMap<Hex, Commitment> = sent.length === 0 ? new Map() : await ledger.commitsOf(round);
  const found = new Map<Hex, AdmittedUpload>();
  for (const dealer of sent) {
    const commit = commits.get(dealer);
    const upload = commit && uploads.matching(round, dealer, commit);
    if (upload !== undefined) found.set(dealer, upload);
  }
  return found;
}
