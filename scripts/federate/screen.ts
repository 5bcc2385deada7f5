// The result screen: who learnt how well, what it cost, what the withdrawal did, what the auditor says.

import type { TaskType } from '../../protocol/learning/output.ts';
import type { FederationReport, Quality, RoundReport } from './report.ts';
import { palette, table } from './table.ts';

export function resultScreen(report: FederationReport, isTty: boolean): string {
  const ink = palette(isTty);
  const heading = (text: string) => `\n${ink.bold(text)}`;
  return [
    heading(`${report.title} (${report.holdOut.rows.toLocaleString('en')} customers no dealer has seen)`),
    comparison(report, ink),
    heading('Rounds'),
    rounds(report),
    heading('Time of a round (ms)'),
    roundTimes(report),
    heading('What it cost'),
    costs(report),
    heading('Consent'),
    ...consent(report, ink),
    heading('Audit'),
    audit(report, ink),
    ...witnesses(report, ink),
  ].join('\n');
}

type Ink = ReturnType<typeof palette>;

function comparison(report: FederationReport, ink: Ink): string {
  return report.federated.figures === undefined ? ranking(report, ink) : figures(report, ink);
}

/** Of classes and of numbers. */
function figures({ localMean, centralised, federated }: FederationReport, ink: Ink): string {
  const names = Object.keys(federated.figures ?? {});
  const row = (name: string, q: Quality) => [name, ...names.map((figure) => q.figures?.[figure]?.toFixed(4) ?? '–')];
  return table(
    [
      ['', ...names],
      row('one dealer alone (mean)', localMean),
      row('all data in one place', centralised),
      row(ink.accent('federated, encrypted'), federated),
    ],
    ['left', ...names.map(() => 'right' as const)],
  );
}

function ranking(report: FederationReport, ink: Ink): string {
  const row = (name: string, q: Quality) => [
    name,
    q.auc.toFixed(4),
    Number.isInteger(q.hits) ? `${q.hits}` : q.hits.toFixed(1),
  ];
  const { topK, positives } = report.holdOut;
  return table(
    [
      ['', 'AUC', `found in best ${topK} (of ${positives})`],
      row('one dealer alone (mean)', report.localMean),
      row('all data in one place', report.centralised),
      row(ink.accent('federated, encrypted'), report.federated),
    ],
    ['left', 'right', 'right'],
  );
}

/** Which customers sit a round out, or nobody knows why a later one has more records. */
const WHY_FEWER =
  'Customers with an accuracy floor sit out rounds that do not meet it: the first too, when no accuracy is attested yet.';

function rounds(report: FederationReport): string {
  const table = numbers(
    ['round', 'dealers', 'records', ...roundFigures(report.roundDetails.at(-1)?.evaluation?.type)],
    report.roundDetails.map((r) => [`${r.round}`, `${r.dealers}`, `${r.records}`, ...roundValues(r)]),
  );
  return `${table}\n${WHY_FEWER}`;
}

function roundFigures(type: TaskType = 'binary'): string[] {
  switch (type) {
    case 'binary':
      return ['AUC before', 'in best fifth', 'calibration error'];
    case 'classes':
      return ['accuracy before', 'macro-F1', 'least recall'];
    case 'regression':
      return ['within tolerance before', 'mean error', 'R²'];
  }
}

/** Errors of a number are shares of the range between its public bounds. */
function roundValues({ aucBps, accuracyBps, evaluation }: RoundReport): string[] {
  switch (evaluation?.type) {
    case 'classes': {
      const recalls = evaluation.recallBps.filter((bps) => bps !== null);
      return [share(accuracyBps), share(evaluation.macroF1Bps), share(Math.min(...recalls))];
    }
    case 'regression':
      return [share(accuracyBps), share(evaluation.mae * 10_000), evaluation.r2?.toFixed(4) ?? '–'];
    default:
      return [
        (aucBps / 10_000).toFixed(4),
        share(evaluation?.top.at(-1)?.captureBps),
        share(evaluation?.calibrationErrorBps),
      ];
  }
}

/** What the coordinator did, a phase a column; what of it was training, and what was not. */
function roundTimes(report: FederationReport): string {
  const phases = [...new Set(report.roundDetails.flatMap((r) => Object.keys(r.timingsMs)))];
  return numbers(
    ['round', ...phases, 'training', 'overhead'],
    report.roundDetails.map((r) => [
      `${r.round}`,
      ...phases.map((p) => `${Math.round(r.timingsMs[p] ?? 0)}`),
      `${Math.round(r.trainingMs)}`,
      `${Math.round(r.overheadMs)}`,
    ]),
  );
}

const numbers = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  table(
    [head, ...rows],
    head.map(() => 'right'),
  );

const share = (bps: number | undefined): string => (bps === undefined ? '–' : `${(bps / 100).toFixed(1)} %`);

function costs(report: FederationReport): string {
  const n = (value: number) => Math.round(value).toLocaleString('en');
  const gas = Object.entries(report.gas).map(([call, used]) => [`gas ${call}`, n(used)]);
  return table(
    [
      ['', ''],
      [`bytes a dealer sends per round (${n(report.parameters)} parameters)`, n(report.bytesPerDealerPerRound)],
      [`zero-knowledge proofs (${report.proofs.policies} policies)`, `${report.proofs.count}`],
      ['mean time of a proof, all dealers proving at once', `${(report.proofs.meanMs / 1000).toFixed(2)} s`],
      ...gas,
      ...Object.entries(report.timingsMs).map(([phase, ms]) => [`time ${phase}`, `${(ms / 1000).toFixed(1)} s`]),
    ].slice(1),
    ['left', 'right'],
  );
}

function consent(report: FederationReport, ink: Ink): string[] {
  const { consent: c, withdrawal: w } = report;
  const percent = (part: number) => `${((100 * part) / c.customers).toFixed(1)} %`;
  const refusals = Object.entries(c.refusals).map(([reason, count]) => `${reason} ${percent(count)}`);
  const lines = [
    `${c.customers.toLocaleString('en')} customers, ${c.policies} policies; ${percent(c.covered)} allow this task` +
      (c.simulated ? ink.dim('  (the data set has no consent: these rules are SIMULATED)') : ''),
    ink.dim(`not covered: ${refusals.join(', ')}`),
  ];
  if (w === undefined) return lines;
  return [
    ...lines,
    `A customer withdrew model-training after round ${w.afterRound}: anchored in ${(w.effectiveMs / 1000).toFixed(2)} s, out from round ${w.round} on.`,
    `  root ${w.oldRoot.slice(0, 18)}… → ${w.newRoot.slice(0, 18)}…`,
    `  a commit under the old root: ${w.refusedStaleCommit ? ink.good(`refused by the contract (${w.refusal.reason})`) : ink.bad('NOT refused')}, transaction ${w.refusal.txHash}`,
    `  proven against the committed records: in rounds ${span(w.usedInRounds)}, absent from ${span(w.absentFromRounds)}`,
  ];
}

const span = (rounds: readonly number[]): string =>
  rounds.length === 0 ? 'none' : rounds.length === 1 ? `${rounds[0]}` : `${rounds[0]}–${rounds.at(-1)}`;

function audit(report: FederationReport, ink: Ink): string {
  const { checks, failed, failures } = report.audit;
  if (failed === 0) return ink.good(`✓ ${checks} checks from chain and transcript, all hold`);
  return ink.bad(`✗ ${failed} of ${checks} checks failed: ${failures.join(', ')}`);
}

function witnesses({ witnesses: seen }: FederationReport, ink: Ink): string[] {
  if (seen === undefined) return [];
  const { count, quorum, anchors } = seen;
  return [ink.good(`✓ ${count} witnesses, of whom ${quorum} must sign, agree on ${anchors} anchors of consent`)];
}
