// One round after the other: open, collect, vouch, fix the set, add, fingerprint, open the sum, move the model, publish. Every
// step is decided from chain and transcript and may be repeated, so a killed coordinator goes on where it was.
import { createEarlierRounds } from '../../engines/chain/earlier-rounds.ts';
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import { sealingKeysOf } from '../../engines/chain/sealing-keys.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError, type ErrorCode } from '../../protocol/errors.ts';
import type { Evaluation } from '../../protocol/learning/evaluation.ts';
import type { SealedSum } from '../aggregate/sum.ts';
import type { AdmittedUpload } from '../intake/uploads.ts';
import { type AnswerQuestion, askForAnswers } from '../key-holders/answers.ts';
import { askForVouches, type VouchQuestion } from '../key-holders/vouches.ts';
import type { OpenedSum } from '../opening/open.ts';
import { openOrResume, requireWanted } from './begin.ts';
import { collectUploads } from './collect.ts';
import { collectFingerprints } from './fingerprints.ts';
import { type OpeningKeyHolders, openRoundSum } from './opening.ts';
import type { RoundParts } from './parts.ts';
import { openPatience } from './patience.ts';
import { publishModel } from './publish.ts';
import { failRound, finaliseSet, leastCohort, type RoundSet, readSet, requireCohort, weightsOf } from './set.ts';
import { type Stopwatch, stopwatch } from './stopwatch.ts';
import { contradictsItself, requireVouched, type Vouched } from './verdict.ts';
import { readVouches, vouchedUploads } from './vouching.ts';

export interface RoundOutcome {
  readonly round: number;
  readonly taskHash: Hex;
  /** As the round stated it when it opened: thousandths per customer, over all tasks of the ledger. */
  readonly epsilonAfterMilli: number;
  readonly status: 'published' | 'failed';
  readonly reason?: string;
  readonly dealers: number;
  readonly records: number;
  /** Of the model the round started from; basis points. */
  readonly accuracyBps: number;
  readonly aucBps: number;
  /** Undefined for a round published just before a restart. */
  readonly evaluation?: Evaluation;
  readonly timingsMs: Readonly<Record<string, number>>;
  /** Key-holders whose answers were off the polynomial: they lied, or a dealer gave them false shares. */
  readonly suspects: readonly number[];
}

/** How whoever runs a round may follow it and end it. */
export interface RoundControl {
  /** No new round, and none in which dealers still train; one whose set is fixed is finished. */
  readonly cancel?: AbortSignal;
  readonly onRound?: (round: number) => void;
}

/** The sum of this round cannot be used; the next round starts from the same model. */
const GIVE_UP: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'COHORT_TOO_SMALL',
  'SHARES_INSUFFICIENT',
  'SHARES_INCONSISTENT',
  'OPENING_NOISY',
  'PAYLOAD_MALFORMED',
  'VALUE_OUT_OF_RANGE',
  'TRAINING_DIVERGED',
  'TASK_STOPPED',
]);
const MAX_REASON = 200;

export function createRoundDriver(parts: RoundParts) {
  const { federation, ledger, transcript, log } = parts;
  const earlierRounds = createEarlierRounds(ledger);

  async function keyHoldersNow(): Promise<OpeningKeyHolders> {
    const [{ keyHolderThreshold: threshold }, keyHolders] = await Promise.all([
      federation.parameters(),
      federation.keyHolders(),
    ]);
    return { keyHolders, threshold };
  }

  /** Uploads come in while this waits, and at no other time. */
  async function collect(round: number, record: RoundRecord, cancel?: AbortSignal): Promise<AdmittedUpload[]> {
    const [keys, dealers, patience] = await Promise.all([
      sealingKeysOf(parts, round),
      federation.dealers(),
      openPatience(round, { ...parts, leastCohort: () => leastCohort(parts) }),
    ]);
    parts.sum.begin(round);
    parts.intake.open({ round, keyHolders: keys.length });
    parts.broadcast({ type: 'round-opened', round });
    try {
      const signal = cancel === undefined ? parts.signal : AbortSignal.any([parts.signal, cancel]);
      return await collectUploads(round, dealers, record.deadline * 1000, { ...parts, signal, patience });
    } finally {
      parts.intake.close();
    }
  }

  async function vouch(round: number, collected: readonly AdmittedUpload[]): Promise<AdmittedUpload[]> {
    const least = await leastCohort(parts);
    requireCohort(collected, least);
    const who = await keyHoldersNow();
    const ask = (question: VouchQuestion) => askForVouches(question, { ...parts, ...who });
    return vouchedUploads(round, collected, { ...parts, ...who, least, ask });
  }

  async function fixSet(round: number, record: RoundRecord, watch: Stopwatch, cancel?: AbortSignal): Promise<void> {
    const collected = await watch.time('collect', () => collect(round, record, cancel));
    if (parts.signal.aborted) throw new ConcordatError('TIMED_OUT', 'the coordinator stops');
    requireWanted(cancel);
    const vouched = await watch.time('vouch', () => vouch(round, collected));
    requireWanted(cancel);
    await watch.time('finalise', () => finaliseSet(round, vouched, parts));
  }

  async function add(round: number, { uploads }: RoundSet): Promise<SealedSum> {
    const sum = await parts.sum.settle(
      round,
      uploads.map(({ payloadHash }) => payloadHash),
    );
    const dealers = uploads.map(({ dealer }) => dealer);
    await transcript.appendOnce({ type: 'aggregate', round, dealers, aggregate: sum.aggregateHash });
    return sum;
  }

  /** Who lied is said of those only whose own vouches leave no other explanation. */
  function nameSuspects(
    round: number,
    { suspects, usedKeyHolders }: OpenedSum,
    { uploads }: RoundSet,
    vouched: readonly Vouched[],
    threshold: number,
  ): void {
    if (suspects.length === 0) return;
    const liars = suspects.filter((index) => contradictsItself(index, usedKeyHolders, uploads, vouched, threshold));
    const others = suspects.filter((index) => !liars.includes(index));
    if (liars.length > 0) log.error({ round, keyHolders: liars }, 'these key-holders answered falsely');
    if (others.length > 0) {
      log.error(
        { round, keyHolders: others },
        'the answers of these key-holders are off the polynomial: they lied, or a dealer gave them false shares',
      );
    }
  }

  async function finish(round: number, record: RoundRecord, watch: Stopwatch): Promise<RoundOutcome> {
    const set = await readSet(round, parts);
    const who = await keyHoldersNow();
    const vouched = await readVouches(round, { transcript, ...who });
    requireVouched(set.uploads, vouched, who.threshold);
    const sum = await watch.time('sum', () => add(round, set));
    const fingerprints = await watch.time('fingerprints', () => collectFingerprints(round, set, sum, parts));
    const toOpen = { round, record, set, sum, fingerprints };
    const ask = (question: AnswerQuestion) => askForAnswers(question, { ...parts, ...who });
    const opened = await watch.time('opening', () => openRoundSum(toOpen, { ...parts, ...who, ask }));
    const { suspects } = opened;
    nameSuspects(round, opened, set, vouched, who.threshold);
    const weights = await weightsOf(
      round,
      set.uploads.map(({ dealer }) => dealer),
      parts,
    );
    const metrics = await watch.time('publish', () => publishModel(round, record, sum, opened, weights, parts));
    return {
      ...outcomeOf(round, record, weights),
      status: 'published',
      ...metrics,
      timingsMs: watch.timingsMs(),
      suspects,
    };
  }

  /** @throws ConcordatError TASK_STOPPED, PRIVACY_BUDGET_SPENT before a round is open; what cannot be told of a round alone */
  async function runRound({ cancel, onRound }: RoundControl = {}): Promise<RoundOutcome> {
    const watch = stopwatch();
    const { round, record } = await watch.time('open', () => openOrResume(parts, earlierRounds, cancel));
    onRound?.(round);
    try {
      if (record.status === 'open') await fixSet(round, record, watch, cancel);
      return await finish(round, record, watch);
    } catch (error) {
      if (!(error instanceof ConcordatError) || !GIVE_UP.has(error.code) || parts.signal.aborted) throw error;
      const reason = `${error.code}: ${error.detail}`.slice(0, MAX_REASON);
      await failRound(round, reason, parts);
      return { ...outcomeOf(round, record, []), status: 'failed', reason, timingsMs: watch.timingsMs() };
    }
  }

  /** The task's last round when it is published: a coordinator may have died right after saying so. */
  async function lastPublished(): Promise<RoundOutcome | undefined> {
    const round = await ledger.roundCount();
    const record = round === 0 ? undefined : await ledger.roundOf(round);
    const attestation = await ledger.attestationOf(parts.task.hash);
    if (record?.status !== 'published' || attestation?.round !== round) return undefined; // also when it is another task's
    const weights = await weightsOf(round, (await ledger.setOf(round))?.dealers ?? [], parts);
    const { accuracyBps, aucBps } = attestation;
    return { ...outcomeOf(round, record, weights), status: 'published', accuracyBps, aucBps, timingsMs: {} };
  }

  return { runRound, lastPublished };
}

function outcomeOf(round: number, { taskHash, epsilonAfterMilli }: RoundRecord, weights: readonly number[]) {
  const records = weights.reduce((a, b) => a + b, 0);
  const suspects: readonly number[] = [];
  return { round, taskHash, epsilonAfterMilli, dealers: weights.length, records, accuracyBps: 0, aucBps: 0, suspects };
}
