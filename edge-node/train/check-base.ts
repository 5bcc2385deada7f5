// Before a dealer trains from a published model: that it is what came of the sum of its round, by the task's own recipe, and so
// back to the task's first model; and that the accuracy attested with it was counted. A coordinator that published weights of its
// own making could learn more from the next sum; one that attested what it likes could pass over customers' floors.
import type { Store } from '../../engines/store/store.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { metricsOf } from '../../protocol/learning/evaluation.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import type { Measured } from '../../protocol/learning/measure.ts';
import { encodeModel, initialModel, layoutOf, modelHash } from '../../protocol/learning/model.ts';
import { type ModelAndState, nextModel } from '../../protocol/learning/next-model.ts';
import { NO_STATE } from '../../protocol/learning/strategies/strategy.ts';
import { packingOf, type Task } from '../../protocol/learning/task.ts';
import { shapeOf, vectorOf } from '../../protocol/learning/vector.ts';
import { type BlobReader, createBaseReader, type RoundBase, readModel } from './fetch-base.ts';
import type { BeginSum } from './open-published.ts';
import { createProvenJournal } from './proven-journal.ts';
import type { PublishedFiles } from './published-files.ts';
import { type LineLedger, lineBehind, type Member, membersOf, type PublishedRound } from './published-line.ts';

declare const proven: unique symbol;

/** One that this node made again from public data, or that the task begins with. Only a checker makes one. */
export type ProvenBase = RoundBase & { readonly [proven]: true };

export interface BaseChecker {
  /**
   * What round `before` starts from, proven.
   * @throws ConcordatError MODEL_UNPROVEN it did not come about as it should: nothing is trained from it
   * @throws ConcordatError NOT_FOUND, MODEL_MISMATCH, MESSAGE_MALFORMED, TIMED_OUT: what would prove it cannot be had now
   */
  base(before: number, hash: Hex): Promise<ProvenBase>;
  /** The same check, ahead of that round. */
  check(before: number, hash: Hex): Promise<void>;
  /** Why this dealer does not go on with the task; undefined while nothing is wrong. */
  fault(): string | undefined;
}

export interface BaseCheckerParts {
  readonly task: Task;
  readonly contract: DataContract;
  readonly ledger: LineLedger;
  readonly store: Pick<Store, 'get' | 'write'>;
  readonly files: PublishedFiles;
  readonly readBlob: BlobReader;
  readonly beginSum: BeginSum;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
}

/** A long line says how far it is, this often. */
const TELL_EVERY_MS = 2_000;

export function createBaseChecker(parts: BaseCheckerParts): BaseChecker {
  const { task, contract, ledger, log } = parts;
  const features = featureCount(contract);
  const [layout, vector] = [layoutOf(task, features), vectorOf(task, features)];
  const terms = { task, layout, vector, shape: shapeOf(task, features) };
  const initial = initialModel(task, contract);
  const initialHash = modelHash(encodeModel(initial));
  const fetchBase = createBaseReader(parts.readBlob, task, contract);
  const journal = createProvenJournal(parts.store, task.hash);
  let fault: string | undefined;
  let queue: Promise<void> = Promise.resolve();

  async function checkNow(before: number, base: Hex): Promise<void> {
    const [proven, refused] = [await journal.proven(), await journal.refused()];
    const question = { before, base, taskHash: task.hash, initial: initialHash, proven, refused };
    const { rounds, trusted } = await lineBehind(question, ledger);
    if (trusted !== undefined)
      log.warn(trusted, 'published under the deployment before, and taken as its chain has it');
    const [first] = rounds;
    if (first === undefined) return;
    const tell = createTeller(parts);
    let at: ModelAndState =
      first.base === initialHash
        ? { model: initial, state: NO_STATE }
        : await readModel(parts.readBlob, first.base, layout, true);
    for (const [done, round] of rounds.entries()) {
      tell(done, rounds.length);
      at = await prove(round, at);
      await journal.prove(round);
    }
    log.info({ before, rounds: rounds.length }, 'the model that this round starts from is what came of its sums');
  }

  /** @returns the model that the round published, made again */
  async function prove(published: PublishedRound, base: ModelAndState): Promise<ModelAndState> {
    try {
      return await makeAgain(published, base);
    } catch (error) {
      // remembered for a new deployment, which has no payloads to look at it again
      if (isUnproven(error)) await journal.refuse(published);
      throw error;
    }
  }

  async function makeAgain(published: PublishedRound, base: ModelAndState): Promise<ModelAndState> {
    const { round, model } = published;
    const members = await membersOf(round, ledger);
    const values = await valuesOf(published, members);
    const weights = members.map(({ weight }) => weight);
    const next = judged(round, () => nextModel(terms, base, values, weights));
    if (next.hash !== model) throw unproven(round, `its sum makes the model ${next.hash}, published is ${model}`);
    await requireAttested(round, next.measured);
    return next;
  }

  /** Customers' floors are held to what is attested last; of an earlier round, nothing hangs on its figures any more. */
  async function requireAttested(round: number, measured: Measured): Promise<void> {
    const attested = await ledger.attestationOf(task.hash);
    if (attested?.round !== round) return;
    const counted = metricsOf(measured, task.evaluation);
    for (const metric of ['accuracyBps', 'aucBps'] as const) {
      if (attested[metric] === counted[metric]) continue;
      throw unproven(round, `its sum counts ${metric} ${counted[metric]}, attested is ${attested[metric]}`);
    }
  }

  async function valuesOf({ round, seed }: PublishedRound, members: readonly Member[]): Promise<Uint32Array> {
    const payloads = members.map(({ payload }) => payload);
    if (new Set(payloads).size !== payloads.length) throw unproven(round, 'one payload is in its sum twice');
    const shape = { seed, packing: packingOf(task), valueCount: vector.length, dealers: members.length };
    const sum = judged(round, () => parts.beginSum(shape));
    for (const hash of payloads) {
      const payload = await parts.files.payload(hash, sum.blocks);
      judged(round, () => sum.add(payload));
    }
    const secretSum = await parts.files.keySum(round);
    return judged(round, () => sum.open(secretSum));
  }

  async function checkSafely(before: number, base: Hex): Promise<void> {
    try {
      await checkNow(before, base);
      fault = undefined;
    } catch (error) {
      if (isUnproven(error)) fault = error.detail;
      throw error;
    }
  }

  function check(before: number, base: Hex): Promise<void> {
    const result = queue.then(() => checkSafely(before, base));
    queue = result.catch(() => undefined);
    return result;
  }

  return {
    check,
    async base(before, hash) {
      await check(before, hash);
      const base = hash === initialHash ? { ...initial, serverState: NO_STATE } : await fetchBase(hash);
      return base as ProvenBase;
    },
    fault: () => fault,
  };
}

const isUnproven = (error: unknown): error is ConcordatError =>
  error instanceof ConcordatError && error.code === 'MODEL_UNPROVEN';

/** The files are there and are what their hashes say: what is wrong now is wrong with what was published. */
function judged<T>(round: number, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof ConcordatError)) throw cause;
    throw unproven(round, `${cause.code}: ${cause.detail}`, cause);
  }
}

function unproven(round: number, detail: string, cause?: unknown): ConcordatError {
  return new ConcordatError('MODEL_UNPROVEN', `round ${round}: ${detail}`, { round }, { cause });
}

function createTeller({ clock, log, task }: Pick<BaseCheckerParts, 'clock' | 'log' | 'task'>) {
  let toldMs = clock.nowMs();
  return (done: number, of: number): void => {
    if (clock.nowMs() - toldMs < TELL_EVERY_MS) return;
    toldMs = clock.nowMs();
    log.info({ taskHash: task.hash, done, of }, 'checking the models behind the one that the next round starts from');
  };
}
