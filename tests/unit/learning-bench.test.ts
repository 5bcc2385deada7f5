// The learning benchmark's own arithmetic: errors against drawn scores, folds that never touch the hold-out, settings that
// the recorded choice names.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { taskOf } from '../../bench/learning/candidates.ts';
import { FOLDS, foldsOf } from '../../bench/learning/folds.ts';
import { folderOf, learningOf, recordsOf } from '../../bench/learning/material.ts';
import { aucError, deviation, hitsError } from '../../bench/learning/statistics.ts';
import { seededFill } from '../../bench/learning/stream.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { auc } from '../../protocol/learning/metrics.ts';
import { createPrng } from '../../protocol/learning/prng.ts';

test('the standard error of an AUC: exactly that of the rank sum without signal, and of drawn scores with one', () => {
  for (const [m, n] of [
    [1, 1],
    [3, 7],
    [238, 3_762],
  ] as const) {
    expect(aucError(0.5, m, n)).toBeCloseTo(Math.sqrt((m + n + 1) / (12 * m * n)), 12);
    expect(aucError(1, m, n)).toBe(0);
  }
  // Hanley and McNeil, Radiology 143 (1982): 109 images, 51 of them abnormal
  expect(Math.abs(aucError(0.893, 51, 58) - 0.032)).toBeLessThan(0.001); // 0.0325, printed with three digits
  // exponential scores, positives three times as high: AUC 3/4; few positives, so that a swap of the labels would show
  const prng = createPrng(utf8ToBytes('scores'), 'test');
  const labels = Uint8Array.from({ length: 34 }, (_, i) => (i < 4 ? 1 : 0));
  const drawn = Array.from({ length: 20_000 }, () => {
    const scores = Array.from(labels, (label) => -Math.log(1 - prng.unit()) * (label === 1 ? 3 : 1));
    return auc(scores, labels) ?? Number.NaN;
  });
  expect(Math.abs(deviation(drawn) / aucError(0.75, 4, 30) - 1)).toBeLessThan(0.03);
});

test('the standard error of hits is a binomial one, deviations are those of a sample', () => {
  expect(hitsError(121, 238)).toBeCloseTo(7.71, 2);
  expect(hitsError(238, 238)).toBe(0);
  expect(deviation([2, 4, 4, 4, 5, 5, 7, 9])).toBeCloseTo(Math.sqrt(32 / 7), 12);
  expect(deviation([3])).toBe(0);
});

test('a seeded stream does not depend on how it is asked for, and on the seed in every byte', () => {
  const [whole, parts, other] = [new Uint8Array(40), new Uint8Array(40), new Uint8Array(40)];
  seededFill('a')(whole);
  const fill = seededFill('a');
  for (const [from, to] of [
    [0, 1],
    [1, 17],
    [17, 40],
  ] as const)
    fill(parts.subarray(from, to));
  seededFill('b')(other);
  expect(parts).toEqual(whole);
  expect(other.filter((byte, i) => byte === whole[i]).length).toBeLessThan(4);
});

test('folds part the training records, and the hold-out is in none', async () => {
  const { rows, contract } = await recordsOf('coil2000');
  const folds = foldsOf(contract, rows, { dealers: 12, seed: 'test' });
  const held = folds.flatMap((fold) => fold.held.map((row) => row.customer_id));
  expect(folds).toHaveLength(FOLDS);
  expect(new Set(held).size).toBe(5_822);
  expect(held).toHaveLength(5_822);
  for (const fold of folds) {
    const trained = new Set(fold.shares.flat().map((row) => row.customer_id));
    expect(trained.size + fold.held.length).toBe(5_822);
    expect(fold.held.some((row) => trained.has(row.customer_id))).toBe(false);
    expect([...fold.held, ...fold.shares.flat()].some((row) => row.split === 'test')).toBe(false);
  }
});

interface Choice {
  readonly budgets: readonly {
    readonly epsilon: number;
    readonly chosen: { file: string; clipNorm: number; rounds: number; settings: Record<string, number>; auc: number };
    readonly tried: readonly { auc: number }[];
  }[];
}

describe.each(['coil2000', 'telco'] as const)('%s', (example) => {
  const file = path.join(PACKAGE_ROOT, `bench/results/learning-choice-${example}.json`);
  const { budgets } = JSON.parse(readFileSync(file, 'utf8')) as Choice;
  const budgeted = budgets.filter(({ epsilon }) => epsilon > 0);
  test.each(budgeted)('the task for epsilon $epsilon is the one that did best on folds', async (budget) => {
    const { chosen, tried, epsilon } = budget;
    expect(chosen.auc).toBe(Math.max(...tried.map(({ auc }) => auc)));
    const meant = taskOf(readFileSync(path.join(folderOf(example), chosen.file), 'utf8'), chosen, epsilon);
    const { task } = await learningOf(example, `tasks/dp-eps${epsilon}.yaml`);
    for (const key of ['strategy', 'rounds', 'privacy', 'update', 'model', 'dataContract'] as const) {
      expect(task[key]).toEqual(meant[key]);
    }
  });
});
