// The last step: from the opened sum to the next model, in the transcript and on chain.
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import { type Evaluation, evaluationOf, metricsOf, type PublishedMetrics } from '../../protocol/learning/evaluation.ts';
import { decodeModel } from '../../protocol/learning/model.ts';
import { nextModel } from '../../protocol/learning/next-model.ts';
import { decodeState } from '../../protocol/learning/strategy-state.ts';
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
  const { model, metrics, evaluation } = await makeModel(record, opened, weights, parts);
  const entry = { type: 'model' as const, round, baseModel: record.baseModelHash, model, ...metrics };
  const transcriptHead = await parts.transcript.appendOnce(entry);
  const { aggregateHash } = sum;
  const receipt = await parts.ledger.publish({ round, modelHash: model, aggregateHash, ...metrics, transcriptHead });
  parts.gas('publish', receipt.gasUsed);
  parts.broadcast({ type: 'round-published', round });
  return { ...metrics, ...(evaluation && { evaluation }) };
}

/** What the strategy carries from round to round is a file that the base model names: a killed coordinator has nothing to lose. */
async function makeModel(record: RoundRecord, opened: OpenedSum, weights: readonly number[], parts: RoundParts) {
  const { task, layout, transcript } = parts;
  const base = decodeModel(await transcript.getBlob(record.baseModelHash), layout);
  const state = decodeState(base.state && (await transcript.getBlob(base.state)), base.weights.length);
  const next = nextModel(parts, { model: base, state }, opened.values, weights);
  if (next.stateFile !== undefined) await transcript.putBlob(next.stateFile);
  const model = await transcript.putBlob(next.file);
  return { model, metrics: metricsOf(next.measured, task.evaluation), evaluation: evaluationOf(next.measured) };
}
