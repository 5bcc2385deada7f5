// The last step: from the opened sum to the next model, in the transcript and on chain.
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import { type Evaluation, evaluationOf, metricsOf, type PublishedMetrics } from '../../protocol/learning/evaluation.ts';
import { decodeModel, encodeModel } from '../../protocol/learning/model.ts';
import { serverStep } from '../../protocol/learning/server-optimiser.ts';
import { decodeState, encodeState } from '../../protocol/learning/strategy-state.ts';
import { decodeSums, totalWeightFraction } from '../../protocol/learning/update.ts';
import type { SealedSum } from '../aggregate/sum.ts';
import type { OpenedSum } from '../opening/open.ts';
import type { RoundParts } from './parts.ts';

/** Of the model the round started from. */
export interface RoundEvaluation extends PublishedMetrics {
  /** Of the same counts, for whoever watches. */
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
  const { sums, measured } = decodeSums(opened.values, vector, weights.length);
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
  return { model, metrics: metricsOf(measured, task.evaluation), evaluation: evaluationOf(measured) };
}
