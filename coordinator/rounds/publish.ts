// The last step: from the opened sum to the next model, in the transcript and on chain.
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import { type Evaluation, evaluationOf } from '../../protocol/learning/evaluation.ts';
import { accuracyBpsOfHistogram, aucOfHistogram, type ScoreHistogram } from '../../protocol/learning/metrics.ts';
import { decodeModel, encodeModel } from '../../protocol/learning/model.ts';
import { serverStep } from '../../protocol/learning/server-optimiser.ts';
import { decodeState, encodeState } from '../../protocol/learning/strategy-state.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { decodeSums, totalWeightFraction } from '../../protocol/learning/update.ts';
import type { SealedSum } from '../aggregate/sum.ts';
import type { OpenedSum } from '../opening/open.ts';
import type { RoundParts } from './parts.ts';

export interface PublishedMetrics {
  /** Of the model the round started from; basis points. */
  readonly accuracyBps: number;
  readonly aucBps: number;
}

export interface RoundEvaluation extends PublishedMetrics {
  /** Of the same histogram, for whoever watches; undefined when it has one label only. */
  readonly evaluation?: Evaluation;
}

/** @param weights records that each dealer of the set counts for */
export async function publishModel(
  round: number,
  record: RoundRecord,
  sum: SealedSum,
  opened: OpenedSum,
  weights: readonly number[],
  parts: RoundParts,
): Promise<RoundEvaluation> {
  const { model, metrics, evaluation } = await nextModel(record, opened, weights, parts);
  const entry = { type: 'model' as const, round, baseModel: record.baseModelHash, model, ...metrics };
  const transcriptHead = await parts.transcript.appendOnce(entry);
  const { aggregateHash } = sum;
  const receipt = await parts.ledger.publish({ round, modelHash: model, aggregateHash, ...metrics, transcriptHead });
  parts.gas('publish', receipt.gasUsed);
  parts.broadcast({ type: 'round-published', round });
  return { ...metrics, ...(evaluation && { evaluation }) };
}

/** What the strategy carries from round to round is a file that the base model names: a killed coordinator has nothing to lose. */
async function nextModel(record: RoundRecord, opened: OpenedSum, weights: readonly number[], parts: RoundParts) {
  const { task, layout, shape, vector, transcript } = parts;
  const base = decodeModel(await transcript.getBlob(record.baseModelHash), layout);
  const { sums, histogram } = decodeSums(opened.values, vector, weights.length);
  const next = serverStep(task, {
    shape,
    base: base.weights,
    state: decodeState(base.state && (await transcript.getBlob(base.state)), base.weights.length),
    sums,
    dealers: weights.length,
    totalWeightFraction: totalWeightFraction(weights, task.update.weightBound),
  });
  const carried = encodeState(next.state);
  const state = carried && (await transcript.putBlob(carried));
  const model = await transcript.putBlob(encodeModel({ layout, weights: next.weights, ...(state && { state }) }));
  return { model, metrics: metricsOf(histogram, task), evaluation: evaluationOf(histogram) };
}

function metricsOf(histogram: ScoreHistogram, task: Task): PublishedMetrics {
  const accuracyBps = accuracyBpsOfHistogram(histogram, task.evaluation.decisionThreshold) ?? 0;
  return { accuracyBps, aucBps: Math.floor((aucOfHistogram(histogram) ?? 0) * 10_000) };
}
