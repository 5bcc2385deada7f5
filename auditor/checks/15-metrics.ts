// 15: accuracy and AUC on chain are those of the opened counts: nobody reports their own.
import { type Evaluation, evaluationOf, metricsOf } from '../../protocol/learning/evaluation.ts';
import { rowsOf } from '../../protocol/learning/measure.ts';
import type { Evidence } from '../evidence.ts';
import { openedSums } from '../opened-sums.ts';
import { type AuditedRound, roundsWith, theEntry } from '../rounds.ts';
import { readTasks, type TaskFacts } from '../tasks.ts';
import { type Check, createTally, type Tally, withoutTask } from './check.ts';

export const metricsCheck: Check = {
  id: '15',
  title: 'Accuracy and AUC on chain are those of the opened counts',
  promises: ['P4', 'P6'],
  meaning:
    'The quality figures on chain come from all dealers’ counts together: no party reported its own, and customers’ accuracy limits were held to these figures.',
  cannot: 'That the records which a dealer measured on are typical, or their labels right.',
  async run(evidence) {
    const tally = createTally();
    const tasks = await tally.needs('genesis: task and data contract', () => readTasks(evidence));
    const notes: string[] = [];
    for (const round of roundsWith(evidence, 'model')) {
      const what = `round ${round.round}: metrics`;
      const facts = tasks?.of(round.opened);
      if (facts === undefined) withoutTask(tally, what, round, 'no task to tell the threshold');
      else await tally.attempt(what, async () => notes.push(await checkMetrics(evidence, facts, round, tally)));
    }
    return tally.result(notes.join('; '));
  },
};

async function checkMetrics(evidence: Evidence, facts: TaskFacts, round: AuditedRound, tally: Tally): Promise<string> {
  const what = `round ${round.round}`;
  const { measured } = await openedSums(evidence, facts, round);
  const expected = metricsOf(measured, facts.task.evaluation);
  const entry = theEntry(evidence, 'model', round.round);
  for (const metric of ['accuracyBps', 'aucBps'] as const) {
    tally.same(`${what}: ${metric} in the transcript`, entry[metric], expected[metric]);
    if (round.published !== undefined)
      tally.same(`${what}: ${metric} on chain`, round.published[metric], expected[metric]);
  }
  // a dealer measures on the records that it trains on, and commits to how many there are
  const committed = round.members.reduce((sum, { weight }) => sum + weight, 0);
  if (facts.vector.ownCounts === undefined) {
    tally.same(`${what}: records measured, against the weight committed`, rowsOf(measured), committed);
  } // else a sample was measured, with noise: how many they were is nobody's to know
  const auc = measured.type === 'binary' ? `, AUC ${expected.aucBps} bps` : '';
  const figures = `accuracy ${expected.accuracyBps} bps${auc} over ${rowsOf(measured)} records`;
  return `round ${round.round}: ${[figures, ...more(evaluationOf(measured))].join(', ')}`;
}

function more(evaluation: Evaluation | undefined): string[] {
  switch (evaluation?.type) {
    case 'binary': {
      const fifth = evaluation.top.at(-1)?.captureBps ?? 0;
      return [`calibration error ${evaluation.calibrationErrorBps} bps`, `${fifth} bps of positives in the best fifth`];
    }
    case 'classes':
      return [`macro-F1 ${evaluation.macroF1Bps} bps`];
    case 'regression': {
      const { mae, rmse, r2 } = evaluation;
      const named = Object.entries({ 'mean error': mae, RMSE: rmse, R2: r2 });
      return named.flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value.toFixed(4)}`]));
    }
    default:
      return [];
  }
}
