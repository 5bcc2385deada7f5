// Confusion counts and errors against figures made row by row, and at their edges; a sum over dealers is that of all rows.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classScores, confusionOf, rowsRight } from '../../protocol/learning/confusion.ts';
import { evaluationOf, metricsOf } from '../../protocol/learning/evaluation.ts';
import { measureOf } from '../../protocol/learning/measure.ts';
import { errorMomentsOf, errorScores, errorsOf, MOMENT_STEP, rowsWithin } from '../../protocol/learning/residuals.ts';

const K = 4;
const SEED = 20_001_122;
const unit = fc.float({ min: 0, max: 1, noNaN: true });
const classRow = fc.record({ scores: fc.array(unit, { minLength: K, maxLength: K }), label: fc.nat(K - 1) });
const numberRow = fc.record({ score: fc.float({ min: -2, max: 3, noNaN: true }), label: unit });

describe('classes', () => {
  test('accuracy, recall and macro-F1 are those counted row by row', () => {
    fc.assert(
      fc.property(fc.array(classRow, { minLength: 1, maxLength: 40 }), (rows) => {
        const confusion = confusionOf(
          rows.flatMap(({ scores }) => scores),
          rows.map(({ label }) => label),
          K,
        );
        const guesses = rows.map(({ scores }) => scores.indexOf(Math.max(...scores)));
        const count = (of: (guess: number, label: number) => boolean) =>
          rows.filter(({ label }, r) => of(guesses[r] ?? -1, label)).length;
        const right = count((guess, label) => guess === label);
        expect(rowsRight(confusion)).toEqual([right, rows.length]);
        const classes = Array.from({ length: K }, (_, k) => {
          const hits = count((guess, label) => guess === k && label === k);
          const [precise, recalled] = [count((guess) => guess === k), count((_, label) => label === k)];
          return { hits, precise, recalled };
        });
        const found = classScores(confusion);
        expect(found?.accuracy).toBe(right / rows.length);
        expect(found?.recall).toEqual(classes.map(({ hits, recalled }) => (recalled ? hits / recalled : undefined)));
        const f1 = classes.flatMap(({ hits, precise, recalled }) => {
          if (precise + recalled === 0) return [];
          const [p, r] = [hits / (precise || 1), hits / (recalled || 1)];
          return [p + r === 0 ? 0 : (2 * p * r) / (p + r)];
        });
        expect(found?.macroF1).toBeCloseTo(f1.reduce((a, b) => a + b, 0) / f1.length, 12);
      }),
      { seed: SEED },
    );
  });

  test('equal scores go to the first class, and what is no number to none but the first', () => {
    expect([...confusionOf([0.5, 0.5, 0, Number.NaN, Number.NaN, Number.NaN], [1, 2], 3).counts]).toEqual([
      0, 0, 0, 1, 0, 0, 1, 0, 0,
    ]);
  });

  test('without rows there is nothing to say, and a floor is breached', () => {
    const nothing = { type: 'classes', confusion: { classes: 3, counts: new Uint32Array() } } as const;
    expect(metricsOf(nothing, {})).toEqual({ accuracyBps: 0, aucBps: 0 });
    expect(evaluationOf(nothing)).toBeUndefined();
  });

  test('accuracy is rounded down: two of three are not 66.67 %', () => {
    const confusion = { classes: 3, counts: Uint32Array.of(1, 0, 0, 0, 1, 0, 1, 0, 0) };
    expect(metricsOf({ type: 'classes', confusion }, {}).accuracyBps).toBe(6_666);
    expect(
      evaluationOf({ type: 'classes', confusion: { classes: 3, counts: Uint32Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0) } }),
    ).toEqual({ type: 'classes', recallBps: [10_000, null, null], macroF1Bps: 10_000 });
  });
});

describe('a number', () => {
  const BINS = 16;
  test('the share within the tolerance is exact, MAE off by half a bin, RMSE and R² by the grid', () => {
    fc.assert(
      fc.property(
        fc.array(numberRow, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: BINS }),
        (rows, k) => {
          const [scores, labels] = [rows.map(({ score }) => score), rows.map(({ label }) => label)];
          const errors = rows.map(({ score, label }) => Math.abs(Math.max(0, Math.min(1, score)) - label));
          const counts = errorsOf(scores, labels, BINS);
          // an error of the whole range is in the last bin
          const within = errors.filter((error) => error < k / BINS || k === BINS).length;
          expect(rowsWithin(counts, k / BINS)).toEqual([within, rows.length]);
          const found = errorScores(counts, errorMomentsOf(scores, labels));
          const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
          expect(Math.abs((found?.mae ?? 9) - mean(errors))).toBeLessThanOrEqual(0.5 / BINS + 1e-12);
          const mse = mean(errors.map((error) => error ** 2));
          expect(Math.abs((found?.rmse ?? 9) ** 2 - mse)).toBeLessThanOrEqual(MOMENT_STEP);
          const centre = mean(labels);
          const variance = mean(labels.map((label) => (label - centre) ** 2));
          if (variance > 1e-3) expect(found?.r2).toBeCloseTo(1 - mse / variance, 3);
        },
      ),
      { seed: SEED },
    );
  });

  test('sums over dealers are those of all rows, to the last bit, however the rows are dealt out', () => {
    const rows = fc.array(numberRow, { minLength: 2, maxLength: 60 });
    fc.assert(
      fc.property(rows, fc.nat(58), (all, at) => {
        const of = (part: typeof all) =>
          errorMomentsOf(
            part.map(({ score }) => score),
            part.map(({ label }) => label),
          );
        const [whole, left, right] = [of(all), of(all.slice(0, at)), of(all.slice(at).reverse())];
        for (const sum of ['squaredErrors', 'labels', 'squaredLabels'] as const) {
          expect(left[sum] + right[sum]).toBe(whole[sum]);
          expect(Number.isInteger(whole[sum] / MOMENT_STEP)).toBe(true);
        }
      }),
      { seed: SEED },
    );
  });

  test('an error on the tolerance is not within it; what is no number is as wrong as can be', () => {
    expect(rowsWithin(errorsOf([0.75, 0.7499, 0.25], [0.5, 0.5, 0.5], 4), 0.25)).toEqual([1, 3]);
    expect([...errorsOf([Number.NaN, 1, 2, -5], [0, 0, 1, 0], 4)]).toEqual([2, 0, 0, 2]);
    expect(errorMomentsOf([Number.NaN], [0.5]).squaredErrors).toBe(1);
  });

  test('labels that are all alike have no variance to explain; without sums there is the mean error alone', () => {
    const scores = [0.1, 0.2, 0.3];
    const alike = errorScores(errorsOf(scores, [0.3, 0.3, 0.3], 4), errorMomentsOf(scores, [0.3, 0.3, 0.3]));
    expect(Object.keys(alike ?? {})).toEqual(['mae', 'rmse']);
    expect(errorScores(Uint32Array.of(1, 0, 0, 1))).toEqual({ mae: 0.5 });
    expect(errorScores(new Uint32Array(4))).toBeUndefined();
  });
});

test('how a measure reads a sum of counts', () => {
  const measure = (loss: string, units: number, activation: string) =>
    measureOf({
      model: { layers: [{ units, activation }], loss, positiveWeight: 1, l2: 0 },
      evaluation: { histogramBins: 4 },
    });
  const binary = measure('sigmoid-cross-entropy', 1, 'sigmoid');
  expect([binary.counters, binary.moments]).toEqual([8, 0]);
  expect([...binary.countsOf([0.1, 0.9, 0.9], Uint8Array.of(0, 1, 0))]).toEqual([1, 0, 0, 1, 0, 0, 0, 1]);
  const classes = measure('softmax-cross-entropy', 3, 'softmax');
  expect([classes.counters, classes.moments]).toEqual([9, 0]);
  const number = measure('squared', 1, 'linear');
  expect([number.counters, number.moments]).toEqual([4, 3]);
  // dp: noisy counts come without sums
  expect(number.read(Uint32Array.of(1, 2, 3, 4))).toEqual({ type: 'regression', errors: Uint32Array.of(1, 2, 3, 4) });
});
