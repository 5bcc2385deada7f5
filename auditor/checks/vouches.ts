// What key-holders vouched for before each set was fixed, and the linear test of every dealer's shares recomputed from it.
import type { Hex } from '../../protocol/bytes.ts';
import { MAX_VOUCH_BYTES, type Vouch, vouchMessage } from '../../protocol/messages/vouch.ts';
import { SECAGG } from '../../protocol/params.ts';
import { judgeSharings, sharingHolds, type TestPoint } from '../../protocol/secagg/linear-test.ts';
import { type Evidence, entriesOf, type Located, signerOf } from '../evidence.ts';
import { cborBlob } from '../genesis.ts';
import { type EventOf, eventsOf, holdersAtOpening } from '../history.ts';
import { replay } from '../replay.ts';
import { roundsGivenUp } from '../rounds.ts';
import type { TaskFacts } from '../tasks.ts';
import { createTally, type Tally } from './check.ts';

/** What one key-holder said of the uploads of one round. */
interface Said {
  readonly round: number;
  readonly index: number;
  readonly vouches: readonly Vouch[];
}

/**
 * @param taskOf tells the smallest cohort of a round's task
 * @returns what is worth telling although nothing is wrong
 */
export async function checkVouches(
  evidence: Evidence,
  taskOf: (round: number) => TaskFacts | undefined,
  tally: Tally,
): Promise<string[]> {
  const said = await readVouches(evidence, entriesOf(evidence.bundle, 'vouch'), tally);
  const { minCohort } = evidence.history.deployment.parameters;
  const notes: string[] = [];
  for (const set of setsOf(evidence)) {
    const ofRound = said.filter(({ round }) => round === set.round);
    const least = Math.max(SECAGG.minCohort, minCohort, taskOf(set.round)?.task.cohort.min ?? 0);
    const judge = () => notes.push(...judgeSet(evidence, set, ofRound, least, tally));
    await tally.attempt(`round ${set.round}: shares, as vouched for`, judge);
  }
  return notes;
}

/**
 * Whether key-holders said of every upload of a set that their share is on the one polynomial of those who make the sum: a false
 * answer of such a one is its own. Of another it may be that a dealer gave it a false share. What is wrong with the vouches
 * themselves is for `checkVouches` to tell.
 * @param agreeing indices of those whose answers make the sum
 */
export async function whoVouchedForAll(
  evidence: Evidence,
  round: number,
  agreeing: readonly number[],
): Promise<(index: number) => boolean> {
  const entries = entriesOf(evidence.bundle, 'vouch').filter(({ body }) => body.round === round);
  const said = await readVouches(evidence, entries, createTally());
  const set = setsOf(evidence).find((one) => one.round === round);
  const threshold = evidence.history.deployment.parameters.keyHolderThreshold;
  if (set === undefined) return () => false;
  const { points, ofStanding } = pointsOf(said, set.commits);
  return (index) =>
    set.dealers.every((dealer) => {
      const heard = ofStanding.has(dealer) ? (points.get(dealer) ?? []) : [];
      const own = heard.some((point) => point.index === index);
      const compared = heard.filter((point) => point.index === index || agreeing.includes(point.index));
      return own && compared.length > threshold && fits(compared, threshold);
    });
}

function fits(points: readonly TestPoint[], threshold: number): boolean {
  try {
    return sharingHolds(points, threshold);
  } catch {
    return false; // no residues at all
  }
}

async function readVouches(evidence: Evidence, entries: readonly Located<'vouch'>[], tally: Tally): Promise<Said[]> {
  const said: Said[] = [];
  const seen = new Set<string>();
  const committed = new Set(eventsOf(evidence.history.events, 'Committed').map(commitName));
  for (const entry of entries) {
    const { round, keyHolder } = entry.body;
    const what = `round ${round}, vouch of ${keyHolder}`;
    if (!tally.holds(`[TRA-4] ${what}: the only one`, !seen.has(what))) continue;
    seen.add(what);
    const heard = await tally.attempt(what, () => readVouch(evidence, what, entry, committed, tally));
    if (heard !== undefined) said.push(heard);
  }
  return said;
}

interface FixedSet {
  readonly round: number;
  readonly dealers: readonly Hex[];
  /** Those that stood when the set was fixed. */
  readonly commits: ReadonlyMap<Hex, EventOf<'Committed'>>;
  readonly givenUp: boolean;
}

function setsOf(evidence: Evidence): FixedSet[] {
  const sets: FixedSet[] = [];
  const abandoned = roundsGivenUp(evidence);
  replay(evidence.history.events, (event, { rounds }) => {
    if (event.name !== 'SetFinalised') return;
    const { round, dealers } = event;
    const commits = new Map(rounds.get(round)?.commits);
    sets.push({ round, dealers, commits, givenUp: abandoned.has(round) });
  });
  return sets;
}

type Commitment = Pick<EventOf<'Committed'>, 'round' | 'dealer' | 'attempt' | 'payloadHash' | 'sharesRoot'>;

const commitName = ({ round, dealer, attempt, payloadHash, sharesRoot }: Commitment): string =>
  [round, dealer, attempt, payloadHash, sharesRoot].join('/');

/** @returns undefined when it is nobody's word, and so counts for nothing */
async function readVouch(
  evidence: Evidence,
  what: string,
  { body }: Located<'vouch'>,
  committed: ReadonlySet<string>,
  tally: Tally,
): Promise<Said | undefined> {
  const { round, keyHolder, vouches: vouchesHash, signature } = body;
  const signer = signerOf(evidence, 'Vouch', { keyHolder, round, vouchesHash }, signature);
  const signed = tally.same(`${what}: signed by`, signer, keyHolder);
  const index = holdersAtOpening(evidence.history, round).get(keyHolder);
  tally.holds(`${what}: from a key-holder registered when the round opened`, index !== undefined);
  const vouches = await cborBlob(evidence, vouchesHash, vouchMessage.shape.vouches, MAX_VOUCH_BYTES);
  tally.same(`${what}: dealers named once each`, new Set(vouches.map(({ dealer }) => dealer)).size, vouches.length);
  for (const vouch of vouches) {
    const stood = committed.has(commitName({ round, ...vouch }));
    tally.holds(`${what}: upload of ${vouch.dealer} was committed to like that`, stood, {
      got: `attempt ${vouch.attempt}, payload ${vouch.payloadHash}, shares ${vouch.sharesRoot}`,
    });
  }
  return signed && index !== undefined ? { round, index, vouches } : undefined;
}

/** Every member's shares were tested by enough key-holders, and are those of one secret as far as their words tell. */
function judgeSet(evidence: Evidence, set: FixedSet, said: readonly Said[], least: number, tally: Tally): string[] {
  const { round, dealers, commits } = set;
  const threshold = evidence.history.deployment.parameters.keyHolderThreshold;
  const { points, ofStanding } = pointsOf(said, commits);
  const { sound, refused, disregarded, undecided } = judgeSharings(points, threshold, least);
  const testers = (dealer: Hex): number => (ofStanding.has(dealer) ? (points.get(dealer)?.length ?? 0) : 0);
  if (set.givenUp) {
    const wrong = dealers.filter((dealer) => testers(dealer) < threshold || !sound.includes(dealer));
    return wrong.map((dealer) => `round ${round}: given up, with ${dealer} in its set and not vouched for`);
  }
  for (const dealer of dealers) {
    const what = `round ${round}: key-holders vouching for the upload of ${dealer}`;
    const enough = testers(dealer) >= threshold;
    tally.holds(what, enough, { expected: `${threshold} or more`, got: testers(dealer) });
    const isSound = sound.includes(dealer);
    if (enough) tally.holds(`round ${round}: the shares of ${dealer} are those of one secret`, isSound);
  }
  const unable = disregarded.map(
    (index) => `round ${round}: key-holder ${index} could not open most of its shares, so its word counts for none`,
  );
  if (undecided) {
    return [...unable, `round ${round}: the vouches speak against so many uploads that nobody was left out for them`];
  }
  // one left out may have been late: that is between it and the coordinator
  const leftOut = (list: readonly Hex[]) => list.filter((dealer) => !dealers.includes(dealer));
  return [
    ...unable,
    ...leftOut(sound).map((dealer) => `round ${round}: ${dealer} was left out, although its shares are sound`),
    ...leftOut(refused).map((dealer) => `round ${round}: ${dealer} was left out for false shares`),
  ];
}

interface Points {
  readonly points: ReadonlyMap<Hex, readonly TestPoint[]>;
  /** Dealers whose points are about the commit that stood when the set was fixed, and not about one before it. */
  readonly ofStanding: ReadonlySet<Hex>;
}

/**
 * Of every upload that the vouches speak of, also when its dealer has committed again since: so the coordinator judges them, all
 * together, whenever it was killed. One per dealer, a standing one before others.
 */
function pointsOf(said: readonly Said[], commits: FixedSet['commits']): Points {
  const byUpload = new Map<string, { readonly dealer: Hex; readonly points: TestPoint[] }>();
  for (const { round, index, vouches } of said) {
    for (const vouch of vouches) {
      const name = commitName({ round, ...vouch });
      const own = byUpload.get(name) ?? { dealer: vouch.dealer, points: [] };
      own.points.push({ index, value: vouch.value ?? undefined });
      byUpload.set(name, own);
    }
  }
  const standing = new Set([...commits.values()].map(commitName));
  const points = new Map<Hex, readonly TestPoint[]>();
  const ofStanding = new Set<Hex>();
  for (const [name, own] of byUpload) {
    if (standing.has(name)) ofStanding.add(own.dealer);
    if (standing.has(name) || !points.has(own.dealer)) points.set(own.dealer, own.points);
  }
  return { points, ofStanding };
}
