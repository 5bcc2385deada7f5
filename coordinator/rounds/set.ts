// Fixing the set of a round on chain, reading it back with its uploads, and ending a round that cannot be finished.
import { ConcordatError } from '../../protocol/errors.ts';
import { setHash } from '../../protocol/secagg/set.ts';
import type { AdmittedUpload } from '../intake/uploads.ts';
import type { RoundParts } from './parts.ts';

type SetParts = Pick<RoundParts, 'ledger' | 'federation' | 'task' | 'packing' | 'log' | 'broadcast' | 'gas'>;

/** @throws ConcordatError COHORT_TOO_SMALL */
export async function requireCohort(set: readonly AdmittedUpload[], { federation, task }: SetParts): Promise<void> {
  const { minCohort } = await federation.parameters();
  const least = Math.max(minCohort, task.cohort.min);
  if (set.length < least) throw new ConcordatError('COHORT_TOO_SMALL', `${set.length} dealers, at least ${least}`);
}

/** @throws ConcordatError COHORT_TOO_SMALL */
export async function finaliseSet(round: number, uploads: readonly AdmittedUpload[], parts: SetParts): Promise<void> {
  const { packing, log } = parts;
  // dealers that registered after the start may be more than the task's packing holds
  const set = uploads.slice(0, packing.maxDealers);
  if (set.length < uploads.length) {
    log.error({ round, dealers: uploads.length, packing: packing.name, most: packing.maxDealers }, 'set cut short');
  }
  await requireCohort(set, parts);
  const dealers = set.map(({ dealer }) => dealer);
  const receipt = await parts.ledger.finaliseSet(round, dealers);
  parts.gas('finaliseSet', receipt.gasUsed);
  parts.broadcast({ type: 'set-finalised', round, dealers: set.length });
}

export interface RoundSet {
  readonly setHash: ReturnType<typeof setHash>;
  /** In the order of SetFinalised. */
  readonly uploads: readonly AdmittedUpload[];
}

/** The set on chain, with the uploads it speaks of. @throws ConcordatError STATE_CORRUPT */
export async function readSet(round: number, parts: Pick<RoundParts, 'ledger' | 'uploads'>): Promise<RoundSet> {
  const set = await parts.ledger.setOf(round);
  if (set === undefined) throw new ConcordatError('STATE_CORRUPT', `round ${round} has no set`);
  const uploads = await Promise.all(
    set.dealers.map(async (dealer) => {
      const commit = await parts.ledger.commitOf(round, dealer);
      const upload = commit && parts.uploads.matching(round, dealer, commit);
      if (upload === undefined) throw new ConcordatError('STATE_CORRUPT', `the upload of ${dealer} is lost`, { round });
      return upload;
    }),
  );
  return { setHash: setHash(round, set.dealers), uploads };
}

/** How many records each dealer of the set counts for. */
export async function weightsOf(round: number, { uploads }: RoundSet, { ledger }: Pick<RoundParts, 'ledger'>) {
  const commits = await Promise.all(uploads.map(({ dealer }) => ledger.commitOf(round, dealer)));
  return commits.map((commit) => commit?.weight ?? 0);
}

export async function failRound(
  round: number,
  reason: string,
  { ledger, transcript, broadcast, log }: Pick<RoundParts, 'ledger' | 'transcript' | 'broadcast' | 'log'>,
): Promise<void> {
  // the chain decides first: a round that is failed only in the transcript could still be published
  await ledger.failRound(round, reason);
  await transcript.appendOnce({ type: 'failed', round, reason });
  broadcast({ type: 'round-failed', round, reason });
  log.warn({ round, reason }, 'round failed; the model is unchanged');
}
