// One round after the other: open, collect, fix the set, add, open the sum, move the model, publish. Every step is decided
// from chain and transcript and may be repeated, so a killed coordinator goes on where it was.
import type { Federation } from '../../engines/chain/federation.ts';
import type { RoundLedger, RoundRecord } from '../../engines/chain/round-ledger.ts';
import type { Ring } from '../../engines/ring/ring.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { NO_PRIVACY_CAP, type Requirement } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { accuracyBpsOfHistogram, aucOfHistogram, type ScoreHistogram } from '../../protocol/learning/metrics.ts';
import { decodeModel, encodeModel, type ModelLayout, parameterCount } from '../../protocol/learning/model.ts';
import { serverStep } from '../../protocol/learning/server-optimiser.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { decodeAggregate, totalWeightFraction, vectorLength } from '../../protocol/learning/update.ts';
import type { CoordinatorEvent } from '../../protocol/messages/link.ts';
import { blocksFor } from '../../protocol/secagg/packing.ts';
import { decodePayload } from '../../protocol/secagg/payload.ts';
import { setHash as hashOfSet } from '../../protocol/secagg/set.ts';
import { createAdder, type SealedSum } from '../aggregate/sum.ts';
import type { AdmittedUpload } from '../intake/admit.ts';
import { type AskParts, askKeyHolders } from '../opening/ask.ts';
import type { OpenedSum } from '../opening/open.ts';
import type { Opener } from '../opening/opener.ts';
import type { Transcript } from '../transcript/transcript.ts';
import { type CollectParts, collectUploads } from './collect.ts';
import { stopwatch } from './stopwatch.ts';

export interface RoundOutcome {
  readonly round: number;
  readonly status: 'published' | 'failed';
  readonly reason?: string;
  readonly dealers: number;
  readonly records: number;
  /** Of the model the round started from; basis points. */
  readonly accuracyBps: number;
  readonly aucBps: number;
  readonly timingsMs: Readonly<Record<string, number>>;
  /** Key-holders whose answers were off. */
  readonly suspects: readonly number[];
}

export interface DriverParts extends CollectParts, Omit<AskParts, 'keyHolders'> {
  readonly federation: Federation;
  readonly ledger: RoundLedger;
  readonly transcript: Transcript;
  readonly ring: Ring;
  readonly opener: Opener;
  readonly task: Task;
  readonly requirement: Requirement;
  readonly layout: ModelLayout;
  readonly initialModel: Hex;
  readonly chainNowSeconds: () => Promise<number>;
  readonly broadcast: (event: CoordinatorEvent) => void;
  readonly onOpen: (round: number | undefined) => void;
  readonly gas: (step: string, used: number) => void;
  readonly log: Log;
}

/** How long a finalised round waits for enough key-holders before it is given up. */
const OPENING_PATIENCE_MS = 120_000;
const ASK_AGAIN_MS = 500;

export function createRoundDriver(parts: DriverParts) {
  const { task, ledger, transcript, clock, log, broadcast } = parts;
  const valueCount = vectorLength(parameterCount(parts.layout), task.evaluation.histogramBins);
  const blocks = blocksFor(valueCount);

  /** The task's unfinished round, or a new one. */
  async function openOrResume(): Promise<{ round: number; record: RoundRecord }> {
    const last = await ledger.roundCount();
    const record = last === 0 ? undefined : await ledger.roundOf(last);
    if (record && (record.status === 'open' || record.status === 'finalised')) return { round: last, record };
    const baseModelHash = (await ledger.lastModelOf(task.hash)) ?? parts.initialModel;
    const deadline = (await parts.chainNowSeconds()) + Math.ceil(task.cohort.deadlineMs / 1000);
    const opened = await ledger.openRound({
      taskHash: task.hash,
      requirement: parts.requirement,
      baseModelHash,
      epsilonAfterMilli: NO_PRIVACY_CAP,
      deadline,
    });
    parts.gas('openRound', opened.gasUsed);
    const fresh = await ledger.roundOf(opened.round);
    if (fresh === undefined) throw new ConcordatError('CHAIN_WRONG', `round ${opened.round} is not on chain`);
    return { round: opened.round, record: fresh };
  }

  async function collect(round: number, record: RoundRecord): Promise<AdmittedUpload[]> {
    const dealers = await parts.federation.dealers();
    return collectUploads(round, dealers, record.deadline * 1000, parts);
  }

  /** The set on chain, with the uploads it speaks of. */
  async function uploadsOfSet(round: number): Promise<AdmittedUpload[]> {
    const set = await ledger.setOf(round);
    if (set === undefined) throw new ConcordatError('STATE_CORRUPT', `round ${round} has no set`);
    return Promise.all(
      set.dealers.map(async (dealer) => {
        const commit = await ledger.commitOf(round, dealer);
        const upload = commit && parts.uploads.matching(round, dealer, commit);
        if (upload === undefined)
          throw new ConcordatError('STATE_CORRUPT', `the upload of ${dealer} is lost`, { round });
        return upload;
      }),
    );
  }

  async function add(round: number, set: readonly AdmittedUpload[]): Promise<SealedSum> {
    const adder = createAdder(parts, blocks);
    for (const { payloadHash } of set) adder.add(decodePayload(await transcript.getBlob(payloadHash), blocks));
    const sum = adder.finish();
    const aggregate = await transcript.putBlob(sum.payload.bytes);
    await transcript.appendOnce({ type: 'aggregate', round, dealers: set.map((u) => u.dealer), aggregate });
    return sum;
  }

  async function open(round: number, record: RoundRecord, set: readonly AdmittedUpload[], sum: SealedSum) {
    const { keyHolderThreshold: threshold } = await parts.federation.parameters();
    const keyHolders = await parts.federation.keyHolders();
    const setHash = hashOfSet(
      round,
      set.map((u) => u.dealer),
    );
    const giveUpAtMs = clock.nowMs() + OPENING_PATIENCE_MS;
    for (;;) {
      const answers = await askKeyHolders(round, setHash, set, { ...parts, keyHolders });
      if (answers.length >= threshold) {
        for (const { keyHolder, answer, signature } of answers) {
          const blob = await transcript.putBlob(answer);
          await transcript.appendOnce({ type: 'answer', round, keyHolder, answer: blob, signature });
        }
        return parts.opener.open({
          seed: record.seed,
          aggregate: sum.payload,
          dealers: set.length,
          valueCount,
          threshold,
          answers: answers.map(({ index, answer }) => ({ index, bytes: answer })),
        });
      }
      const missing = `${answers.length} of ${threshold} key-holders answered`;
      if (clock.nowMs() >= giveUpAtMs || parts.signal.aborted) throw new ConcordatError('SHARES_INSUFFICIENT', missing);
      await clock.sleep(ASK_AGAIN_MS, parts.signal);
    }
  }

  async function recordOpening(round: number, opened: OpenedSum): Promise<void> {
    const keySum = await transcript.putBlob(int32Bytes(opened.secretSum));
    const values = await transcript.putBlob(int32Bytes(opened.values));
    await transcript.appendOnce({ type: 'opened', round, keySum, values, maxNoise: opened.noise.maxAbs });
  }

  async function weightsOf(round: number, set: readonly AdmittedUpload[]): Promise<number[]> {
    const commits = await Promise.all(set.map(({ dealer }) => ledger.commitOf(round, dealer)));
    return commits.map((commit) => commit?.weight ?? 0);
  }

  async function nextModel(record: RoundRecord, opened: OpenedSum, weights: readonly number[]) {
    const base = decodeModel(await transcript.getBlob(record.baseModelHash), parts.layout);
    const { delta, histogram } = decodeAggregate(opened.values, {
      parameters: base.weights.length,
      bins: task.evaluation.histogramBins,
      clipNorm: task.update.clipNorm,
      dealers: weights.length,
      totalWeightFraction: totalWeightFraction(weights, task.update.weightBound),
    });
    const next = serverStep(task.strategy.name, base.weights, delta);
    const model = await transcript.putBlob(encodeModel({ layout: parts.layout, weights: next.weights }));
    return { model, ...metricsOf(histogram, task) };
  }

  async function publish(
    round: number,
    record: RoundRecord,
    sum: SealedSum,
    step: Awaited<ReturnType<typeof nextModel>>,
  ) {
    const { model, accuracyBps, aucBps } = step;
    const entry = { type: 'model' as const, round, baseModel: record.baseModelHash, model, accuracyBps, aucBps };
    const transcriptHead = await transcript.appendOnce(entry);
    const { aggregateHash } = sum;
    const receipt = await ledger.publish({
      round,
      modelHash: model,
      aggregateHash,
      accuracyBps,
      aucBps,
      transcriptHead,
    });
    parts.gas('publish', receipt.gasUsed);
  }

  async function fail(round: number, reason: string): Promise<void> {
    // the chain decides first: a round that is failed only in the transcript could still be published
    await ledger.failRound(round, reason);
    await transcript.appendOnce({ type: 'failed', round, reason });
    broadcast({ type: 'round-failed', round, reason });
    log.warn({ round, reason }, 'round failed; the model is unchanged');
  }

  /** Fixes the set, or fails the round when too few are in. */
  async function finalise(round: number, set: readonly AdmittedUpload[]): Promise<string | undefined> {
    const { minCohort } = await parts.federation.parameters();
    const least = Math.max(minCohort, task.cohort.min);
    if (set.length < least) {
      const reason = `${set.length} dealers, at least ${least}`;
      await fail(round, reason);
      return reason;
    }
    const receipt = await ledger.finaliseSet(
      round,
      set.map((u) => u.dealer),
    );
    parts.gas('finaliseSet', receipt.gasUsed);
    broadcast({ type: 'set-finalised', round, dealers: set.length });
    return undefined;
  }

  async function runRound(): Promise<RoundOutcome> {
    const watch = stopwatch();
    const { round, record } = await watch.time('open', openOrResume);
    const nothing = { round, dealers: 0, records: 0, accuracyBps: 0, aucBps: 0, suspects: [] };
    if (record.status === 'open') {
      parts.onOpen(round);
      broadcast({ type: 'round-opened', round });
      const collected = await watch.time('collect', () => collect(round, record));
      parts.onOpen(undefined);
      const reason = await watch.time('finalise', () => finalise(round, collected));
      if (reason !== undefined) return { ...nothing, status: 'failed', reason, timingsMs: watch.timingsMs() };
    }
    try {
      const set = await uploadsOfSet(round);
      const sum = await watch.time('sum', () => add(round, set));
      const opened = await watch.time('opening', () => open(round, record, set, sum));
      await recordOpening(round, opened);
      const weights = await weightsOf(round, set);
      const step = await nextModel(record, opened, weights);
      await watch.time('publish', () => publish(round, record, sum, step));
      broadcast({ type: 'round-published', round });
      const records = weights.reduce((a, b) => a + b, 0);
      const { accuracyBps, aucBps } = step;
      const { suspects } = opened;
      if (suspects.length > 0) log.error({ round, suspects }, 'answers of these key-holders were off');
      const timingsMs = watch.timingsMs();
      return { round, status: 'published', dealers: set.length, records, accuracyBps, aucBps, timingsMs, suspects };
    } catch (error) {
      if (!(error instanceof ConcordatError) || !GIVE_UP.has(error.code) || parts.signal.aborted) throw error;
      await fail(round, error.message.slice(0, 200));
      return { ...nothing, status: 'failed', reason: error.message, timingsMs: watch.timingsMs() };
    }
  }

  /** The task's last round when it is published: a coordinator may have died right after saying so. */
  async function lastPublished(): Promise<RoundOutcome | undefined> {
    const round = await ledger.roundCount();
    const record = round === 0 ? undefined : await ledger.roundOf(round);
    const attestation = await ledger.attestationOf(task.hash);
    if (record?.status !== 'published' || attestation?.round !== round) return undefined;
    const weights = await weightsOf(round, await uploadsOfSet(round));
    const { accuracyBps, aucBps } = attestation;
    const records = weights.reduce((a, b) => a + b, 0);
    return {
      round,
      status: 'published',
      dealers: weights.length,
      records,
      accuracyBps,
      aucBps,
      timingsMs: {},
      suspects: [],
    };
  }

  return { runRound, lastPublished };
}

/** The sum of this round cannot be used; the next round starts from the same model. */
const GIVE_UP = new Set([
  'SHARES_INSUFFICIENT',
  'SHARES_INCONSISTENT',
  'OPENING_NOISY',
  'VALUE_OUT_OF_RANGE',
  'TRAINING_DIVERGED',
]);

function metricsOf(histogram: ScoreHistogram, task: Task) {
  const accuracyBps = accuracyBpsOfHistogram(histogram, task.evaluation.decisionThreshold) ?? 0;
  return { accuracyBps, aucBps: Math.floor((aucOfHistogram(histogram) ?? 0) * 10_000) };
}

/** 32-bit words, little-endian whatever the machine. */
function int32Bytes(words: Int32Array | Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setInt32(4 * i, word | 0, true);
  });
  return bytes;
}
