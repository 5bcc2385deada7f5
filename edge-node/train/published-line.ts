// The rounds that made a model, as the chain has them: back from it to one that needs no check any more.
import type { RoundLedger } from '../../engines/chain/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';

export type LineLedger = Pick<RoundLedger, 'roundOf' | 'roundsBefore' | 'setOf' | 'commitOf'>;

/** A model, and the round that published it: the same weights published again later are another fact to prove. */
export interface Published {
  readonly round: number;
  readonly model: Hex;
}

export interface PublishedRound extends Published {
  readonly base: Hex;
  readonly seed: Hex;
}

export interface LineQuestion {
  /** The round that is about to start, and what it starts from. */
  readonly before: number;
  readonly base: Hex;
  readonly taskHash: Hex;
  /** What round 1 of the task starts from. */
  readonly initial: Hex;
  /** Proven already. */
  readonly proven: Published | undefined;
}

export interface Line {
  /** Unproven ones, oldest first. */
  readonly rounds: readonly PublishedRound[];
  /** What a deployment before this one published last, and nobody here has checked: its rounds' payloads are not here. */
  readonly trusted?: Published;
}

/** @throws ConcordatError MODEL_UNPROVEN a round on the line starts from anything but what was published before it */
export async function lineBehind(question: LineQuestion, ledger: LineLedger): Promise<Line> {
  const { taskHash, initial, proven } = question;
  const rounds: PublishedRound[] = [];
  const firstHere = 1 + (await ledger.roundsBefore());
  let wanted = question.base;
  for (let round = question.before - 1; round >= 1; round--) {
    const record = await ledger.roundOf(round);
    if (record?.status !== 'published' || record.taskHash !== taskHash) continue;
    if (record.modelHash !== wanted) throw broken(round + 1, wanted, round, record.modelHash);
    if (proven?.round === round && proven.model === wanted) return { rounds: rounds.reverse() };
    if (round < firstHere) return { rounds: rounds.reverse(), trusted: { round, model: wanted } };
    rounds.push({ round, model: wanted, base: record.baseModelHash, seed: record.seed });
    wanted = record.baseModelHash;
  }
  if (wanted !== initial) throw broken(rounds.at(-1)?.round ?? question.before, wanted, 0, initial);
  return { rounds: rounds.reverse() };
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
