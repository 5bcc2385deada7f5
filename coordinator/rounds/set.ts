// Fixing the set of a round on chain, reading it back with its uploads, and ending a round that cannot be finished.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { SECAGG } from '../../protocol/params.ts';
import { setHash } from '../../protocol/secagg/set.ts';
import type { AdmittedUpload } from '../intake/uploads.ts';
import type { RoundParts } from './parts.ts';

type CohortParts = Pick<RoundParts, 'task'> & { readonly federation: Pick<RoundParts['federation'], 'parameters'> };

export interface SetParts extends CohortParts, Pick<RoundParts, 'packing' | 'log' | 'broadcast' | 'gas'> {
  readonly ledger: Pick<RoundParts['ledger'], 'finaliseSet'>;
}

/** The smallest set that may be fixed. */
export async function leastCohort({ federation, task }: CohortParts): Promise<number> {
  const { minCohort } = await federation.parameters();
  return Math.max(SECAGG.minCohort, minCohort, task.cohort.min);
}

/** @throws ConcordatError COHORT_TOO_SMALL */
export function requireCohort(set: readonly AdmittedUpload[], least: number): void {
  if (set.length < least) throw new ConcordatError('COHORT_TOO_SMALL', `${set.length} dealers, at least ${least}`);
}

/**
 * Fixes the set on chain as it was looked at: whoever has committed again since is left out of it.
 * @throws ConcordatError COHORT_TOO_SMALL; VALUE_OUT_OF_RANGE for more dealers than the packing holds
 */
export async function finaliseSet(round: number, uploads: readonly AdmittedUpload[], parts: SetParts): Promise<void> {
  const least = await leastCohort(parts);
  let set = uploads;
  for (;;) {
    requireCohort(set, least);
    requirePacked(set, parts);
    const mover = await fixOnChain(round, set, parts);
    if (mover === undefined) return;
    set = set.filter(({ dealer }) => dealer !== mover);
  }
}

/** Dealers that registered after the start may be more than the task's packing holds; whom to leave out is not ours to pick. */
function requirePacked({ length }: readonly AdmittedUpload[], { packing: { name, maxDealers } }: SetParts): void {
  if (length <= maxDealers) return;
  throw new ConcordatError('VALUE_OUT_OF_RANGE', `${length} dealers, and ${name} holds the sum of ${maxDealers}`, {
    dealers: length,
    maxDealers,
  });
}

/** @returns a dealer whose commit is another by now; undefined when the set is fixed */
async function fixOnChain(round: number, set: readonly AdmittedUpload[], parts: SetParts): Promise<Hex | undefined> {
  const members = set.map(({ dealer, attempt }) => ({ dealer, attempt }));
  try {
    const receipt = await parts.ledger.finaliseSet(round, members);
    parts.gas('finaliseSet', receipt.gasUsed);
    parts.broadcast({ type: 'set-finalised', round, dealers: set.length });
    return undefined;
  } catch (error) {
    const mover = moverIn(error, set);
    if (mover === undefined) throw error;
    const reason = 'it committed again when its upload had been looked at';
    parts.log.warn({ round, dealer: mover, reason }, 'upload left out of the set');
    parts.broadcast({ type: 'upload-refused', round, dealer: mover, reason });
    return mover;
  }
}

function moverIn(error: unknown, set: readonly AdmittedUpload[]): Hex | undefined {
  if (!(error instanceof ConcordatError) || error.code !== 'CHAIN_REVERTED') return undefined;
  const { reason, dealer } = error.fields;
  return reason === 'CommitMoved' ? set.find((upload) => upload.dealer === dealer)?.dealer : undefined;
}

export interface RoundSet {
  readonly setHash: ReturnType<typeof setHash>;
  /** In the order of SetFinalised. */
  readonly uploads: readonly AdmittedUpload[];
}

/**
 * The set on chain, with the uploads it speaks of.
 * @throws ConcordatError STATE_CORRUPT; SHARES_INSUFFICIENT, naming the dealer, for a commit that no upload came for
 */
export async function readSet(
  round: number,
  parts: {
    readonly ledger: Pick<RoundParts['ledger'], 'setOf' | 'commitOf'>;
    readonly uploads: Pick<RoundParts['uploads'], 'matching'>;
  },
): Promise<RoundSet> {
  const { ledger, uploads } = parts;
  const set = await ledger.setOf(round);
  if (set === undefined) throw new ConcordatError('STATE_CORRUPT', `round ${round} has no set`);
  const members = await Promise.all(
    set.dealers.map(async (dealer) => {
      const commit = await ledger.commitOf(round, dealer);
      const upload = commit && uploads.matching(round, dealer, commit);
      if (upload !== undefined) return upload;
      // not STATE_CORRUPT: a dealer can bring this about, and the round after this one need not suffer for it
      const attempt = commit?.attempt ?? 0;
      const detail = `no upload of ${dealer} is there for attempt ${attempt}, which stands in the set`;
      throw new ConcordatError('SHARES_INSUFFICIENT', detail, { round, dealer, attempt });
    }),
  );
  return { setHash: setHash(round, set.dealers), uploads: members };
}

/** How many records each dealer of the set counts for. */
export async function weightsOf(
  round: number,
  dealers: readonly Hex[],
  { ledger }: Pick<RoundParts, 'ledger'>,
): Promise<number[]> {
  const commits = await Promise.all(dealers.map((dealer) => ledger.commitOf(round, dealer)));
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
