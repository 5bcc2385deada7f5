// The result screen of classes and of numbers: their own figures, and no ranking that nobody made.
import { expect, test } from 'vitest';
import type { FederationReport, Quality } from '../../scripts/federate/report.ts';
import { resultScreen } from '../../scripts/federate/screen.ts';

const quality = (figures: Record<string, number>): Quality => ({ auc: Number.NaN, hits: 0, figures });

function reportOf(federated: Quality, rounds: Partial<FederationReport['roundDetails'][number]>[]): FederationReport {
  const time = { timingsMs: { collect: 3 }, trainingMs: 1, overheadMs: 2 };
  return {
    formatVersion: 1,
    example: 'x',
    title: 'What do they earn?',
    seed: 1,
    dealers: 3,
    keyHolders: { count: 3, threshold: 2 },
    rounds: rounds.length,
    holdOut: { rows: 10, positives: 0, topK: 0 },
    consent: { simulated: true, customers: 10, policies: 1, covered: 10, refusals: {} },
    federated,
    centralised: federated,
    localMean: federated,
    roundDetails: rounds.map((r, i) => ({
      round: i + 1,
      dealers: 3,
      records: 9,
      accuracyBps: 0,
      aucBps: 0,
      ...time,
      ...r,
    })),
    timingsMs: {},
    bytesPerDealerPerRound: 1,
    parameters: 1,
    proofs: { count: 1, policies: 1, totalMs: 1, meanMs: 1 },
    gas: {},
    audit: { checks: 1, failed: 0, failures: [] },
    witnesses: undefined,
    withdrawal: undefined,
  };
}

const linesOf = (report: FederationReport) =>
  resultScreen(report, false)
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));

test('classes: accuracy, macro-F1 and the least recall of those that are there', () => {
  const lines = linesOf(
    reportOf(quality({ accuracy: 0.8475, 'macro-F1': 0.83 }), [
      { accuracyBps: 6_666, evaluation: { type: 'classes', recallBps: [9_000, null, 1_250], macroF1Bps: 4_000 } },
    ]),
  );
  expect(lines).toContainEqual(['federated, encrypted', '0.8475', '0.8300']);
  expect(lines).toContainEqual(['1', '3', '9', '66.7 %', '40.0 %', '12.5 %']);
  expect(lines.flat().join(' ')).not.toMatch(/AUC|NaN|Infinity/);
});

test('a number: the share within the tolerance, the mean error, and R² only where the sums were sent', () => {
  const regression = { type: 'regression', mae: 0.0625 } as const;
  const lines = linesOf(
    reportOf(quality({ 'within tolerance': 0.9, RMSE: 12.5 }), [
      { accuracyBps: 9_000, evaluation: { ...regression, rmse: 0.1, r2: 0.5 } },
      { accuracyBps: 9_000, evaluation: regression },
    ]),
  );
  expect(lines).toContainEqual(['federated, encrypted', '0.9000', '12.5000']);
  expect(lines).toContainEqual(['1', '3', '9', '90.0 %', '6.3 %', '0.5000']);
  expect(lines).toContainEqual(['2', '3', '9', '90.0 %', '6.3 %', '–']);
  expect(lines.flat().join(' ')).not.toMatch(/AUC|NaN/);
});
