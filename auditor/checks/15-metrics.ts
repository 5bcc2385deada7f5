// 15: accuracy and AUC on chain are those of the opened histogram: nobody reports their own.
import { evaluationOf } from '../../protocol/learning/evaluation.ts';
import { accuracyBpsOfHistogram, aucOfHistogram, histogramTotal } from '../../protocol/learning/metrics.ts';
import type { Evidence } from '../evidence.ts';
import { type Genesis, readGenesis } from '../genesis.ts';
import { openedSums } from '../opened-sums.ts';
import { type AuditedRound, roundsWith, theEntry } from '../rounds.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const metricsCheck: Check = {
  id: '15',
  title: 'Accuracy and AUC on chain are those of the opened histogram',
  async run(evidence) {
    const tally = createTally();
    const genesis = await tally.needs('genesis: task and data contract', () => readGenesis(evidence));
    const notes: string[] = [];
    for (const round of roundsWith(evidence, 'model')) {
      const what = `round ${round.round}: metrics`;
      if (genesis === undefined) tally.unsure(what, 'no task to tell the threshold');
      else await tally.attempt(what, async () => notes.push(await checkMetrics(evidence, genesis, round, tally)));
    }
    return tally.result(notes.join('; '));
  },
};

async function checkMetrics(evidence: Evidence, genesis: Genesis, round: AuditedRound, tally: Tally): Promise<string> {
  const what = `round ${round.round}`;
  const { histogram } = await openedSums(evidence, genesis, round);
  const auc = aucOfHistogram(histogram);
  // rounded down, so that a floor is never met by rounding; 0 where there is nothing to measure on
  const expected = {
    accuracyBps: accuracyBpsOfHistogram(histogram, genesis.task.evaluation.decisionThreshold) ?? 0,
    aucBps: auc === undefined ? 0 : Math.floor(auc * 10_000),
  };
  const entry = theEntry(evidence, 'model', round.round);
  for (const metric of ['accuracyBps', 'aucBps'] as const) {
    tally.same(`${what}: ${metric} in the transcript`, entry[metric], expected[metric]);
    if (round.published !== undefined)
      tally.same(`${what}: ${metric} on chain`, round.published[metric], expected[metric]);
  }
  // a dealer measures on the records that it trains on, and commits to how many there are
  const committed = round.members.reduce((sum, { weight }) => sum + weight, 0);
  if (genesis.vector.histogram === undefined) {
    tally.same(`${what}: records measured, against the weight committed`, histogramTotal(histogram), committed);
  } // else a sample was measured, with noise: how many they were is nobody's to know
  const evaluation = evaluationOf(histogram);
  const fifth = evaluation?.top.at(-1)?.captureBps ?? 0;
  const more =
    evaluation === undefined
      ? ''
      : `, calibration error ${evaluation.calibrationErrorBps} bps, ${fifth} bps of positives in the best fifth`;
  return `round ${round.round}: accuracy ${expected.accuracyBps} bps, AUC ${expected.aucBps} bps over ${histogramTotal(histogram)} records${more}`;
}
