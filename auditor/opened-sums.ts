// What an opened sum says, by the protocol's own decoding: the mean update, and the histogram of the base model's scores.
import { type DecodedAggregate, decodeAggregate, totalWeightFraction } from '../protocol/learning/update.ts';
import type { Evidence } from './evidence.ts';
import type { Genesis } from './genesis.ts';
import { type AuditedRound, theEntry, wordsOf } from './rounds.ts';

/** Weights are those committed on chain, never those anybody states elsewhere. */
export async function openedSums(evidence: Evidence, genesis: Genesis, round: AuditedRound): Promise<DecodedAggregate> {
  const { valueCount, parameters, task } = genesis;
  const words = wordsOf(await evidence.bundle.blob(theEntry(evidence, 'opened', round.round).values), valueCount);
  const sums = Uint32Array.from({ length: valueCount }, (_, i) => words.getUint32(4 * i, true));
  const weights = round.members.map(({ weight }) => weight);
  return decodeAggregate(sums, {
    parameters,
    bins: task.evaluation.histogramBins,
    clipNorm: task.update.clipNorm,
    valueBits: task.update.valueBits,
    dealers: round.members.length,
    totalWeightFraction: totalWeightFraction(weights, task.update.weightBound),
  });
}
