// The rounds that made a model, as the chain has them: back from it to one that needs no check any more.
import type { RoundLedger } from '../../engines/chain/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';

export type LineLedger = Pick<
  RoundLedger,
  'roundOf' | 'roundsBefore' | 'lastModelOf' | 'attestationOf' | 'setOf' | 'commitOf'
>;

/** A model, and the round that published it: the same weights published again later are another fact to prove. */
export interface Published {
  readonly round: number;
  readonly model: Hex;
}

/** The seed is of one round of one ledger: another federation's round of this number has another. */
export interface Judged extends Published {
  readonly seed: Hex;
}

export interface PublishedRound extends Judged {
  readonly base: Hex;
}

export interface LineQuestion {
  /** The round that is about to start, and what it starts from. */
  readonly before: number;
  readonly base: Hex;
  readonly taskHash: Hex;
  /** What round 1 of the task starts from. */
  readonly initial: Hex;
  /** Proven already. */
  readonly proven: Judged | undefined;
  /** Found false, and nothing proven since. */
  readonly refused: Judged | undefined;
}

export interface Line {
  /** Unproven ones, oldest first. */
  readonly rounds: readonly PublishedRound[];
  /** What a deployment before this one published last, and nobody here has checked: its rounds' payloads are not here. */
  readonly trusted?: Published;
}

/**
 * @throws ConcordatError MODEL_UNPROVEN a round on the line starts from anything but what was published before it, or it rests on
 * one that was found false
 */
export async function lineBehind(question: LineQuestion, ledger: LineLedger): Promise<Line> {
  const { taskHash, initial, proven, refused } = question;
  const rounds: PublishedRound[] = [];
  const firstHere = 1 + (await ledger.roundsBefore());
  let wanted = question.base;
  for await (const { round, record } of backFrom(await lastToLookAt(question, ledger), ledger)) {
    if (record?.status !== 'published' || record.taskHash !== taskHash) continue;
    const { seed, modelHash, baseModelHash } = record;
    if (modelHash !== wanted) throw broken(round + 1, wanted, round, modelHash);
    if (proven?.round === round && proven.model === wanted && proven.seed === seed) return { rounds: rounds.reverse() };
    if (round < firstHere) {
      if (refused !== undefined && refused.round <= round) await requireAnother(refused, ledger);
      return { rounds: rounds.reverse(), trusted: { round, model: wanted } };
    }
    rounds.push({ round, seed, model: wanted, base: baseModelHash });
    wanted = baseModelHash;
  }
  if (wanted !== initial) throw broken(rounds.at(-1)?.round ?? question.before, wanted, 0, initial);
  return { rounds: rounds.reverse() };
}

/** A task that has published nothing has no line, however many rounds of others there are. */
async function lastToLookAt({ before, taskHash }: LineQuestion, ledger: LineLedger): Promise<number> {
  return (await ledger.lastModelOf(taskHash)) === undefined ? 0 : before - 1;
}

const ASKED_AT_ONCE = 16;

/** The nearest one nearly always ends the walk; from there on more and more are asked for at once. */
async function* backFrom(last: number, ledger: LineLedger) {
  let width = 1;
  for (let top = last; top >= 1; ) {
    const some = Array.from({ length: Math.min(width, top) }, (_, i) => top - i);
    const records = await Promise.all(some.map((round) => ledger.roundOf(round)));
    for (const [i, record] of records.entries()) yield { round: top - i, record };
    top -= some.length;
    width = Math.min(2 * width, ASKED_AT_ONCE);
  }
}

/** What was found false does not become true by a move. */
async function requireAnother({ round, seed, model }: Judged, ledger: LineLedger): Promise<void> {
  const record = await ledger.roundOf(round);
  if (record?.seed !== seed || record.modelHash !== model) return;
  const detail = `round ${round} of the deployment before published ${model}, which did not come of its sum`;
  throw new ConcordatError('MODEL_UNPROVEN', detail, { round });
}

export interface Member {
  readonly dealer: Hex;
  readonly payload: Hex;
  /** Records that it counts for. */
  readonly weight: number;
}

/** Who is in the sum of a round, and with what. @throws ConcordatError STATE_CORRUPT */
export async function membersOf(round: number, ledger: LineLedger): Promise<readonly Member[]> {
  const set = await ledger.setOf(round);
  const dealers = set?.dealers ?? [];
  return Promise.all(
    dealers.map(async (dealer) => {
      const commit = await ledger.commitOf(round, dealer);
      if (commit === undefined) {
        throw new ConcordatError('STATE_CORRUPT', `${dealer} is in the set of round ${round} without a commit`, {
          round,
        });
      }
      return { dealer, payload: commit.payloadHash, weight: commit.weight };
    }),
  );
}

function broken(round: number, base: Hex, before: number, model: Hex | undefined): ConcordatError {
  const was = before === 0 ? 'the task begins with' : `round ${before} published`;
  const detail = `round ${round} or one after it starts from ${base}, ${was} ${model}`;
  return new ConcordatError('MODEL_UNPROVEN', detail, { round });
}
