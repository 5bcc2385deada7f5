// Metrics at their edges: ties, empty classes, bin borders.
import { describe, expect, test } from 'vitest';
import {
  accuracyBps,
  accuracyBpsOfHistogram,
  auc,
  aucOfHistogram,
  histogramOf,
  histogramTotal,
  hitsAtTop,
} from '../../protocol/learning/metrics.ts';

describe('AUC', () => {
  test.each([
    ['a perfect ranking', [0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1],
    ['a ranking upside down', [0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 0],
    ['all scores equal', [0.5, 0.5, 0.5], [1, 0, 0], 0.5],
    ['one tie across labels counts half', [0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 0.875],
  ])('%s', (_, scores, labels, expected) => {
    expect(auc(scores, labels)).toBe(expected);
  });

  test('is undefined, not 0 or 0.5, when a label is missing', () => {
    expect(auc([0.1, 0.2], [1, 1])).toBeUndefined();
    expect(auc([], [])).toBeUndefined();
    expect(aucOfHistogram(histogramOf([0.3], [0], 4))).toBeUndefined();
  });
});

test('hits: a tie at the edge of the top goes to the earlier row', () => {
  expect(hitsAtTop([0.5, 0.5, 0.9], [1, 0, 0], 2)).toBe(1);
  expect(hitsAtTop([0.5, 0.5, 0.9], [0, 1, 0], 2)).toBe(0);
  expect(hitsAtTop([0.5, 0.9], [1, 1], 800)).toBe(2);
  expect(hitsAtTop([0.5, 0.9], [1, 1], 0)).toBe(0);
});

test('accuracy: a score on the threshold predicts 1; basis points are rounded down', () => {
  expect(accuracyBps([0.5, 0.49], [1, 0], 0.5)).toBe(10_000);
  expect(accuracyBps([0.5, 0.49, 0.1], [0, 0, 0], 0.5)).toBe(6_666);
  expect(accuracyBps([], [], 0.5)).toBeUndefined();
});

test('histograms: borders belong to the upper bin, 1 to the last, and the threshold on a border is exact', () => {
  const below = Math.fround(0.75 - 2 ** -24); // the float32 before 0.75
  const scores = Float32Array.from([0, below, 0.75, 1]);
  const histogram = histogramOf(scores, [0, 0, 1, 1], 4);
  expect([...histogram.negatives]).toEqual([1, 0, 1, 0]);
  expect([...histogram.positives]).toEqual([0, 0, 0, 2]);
  expect(histogramTotal(histogram)).toBe(4);
  expect(accuracyBpsOfHistogram(histogram, 0.75)).toBe(10_000);
  expect(accuracyBpsOfHistogram(histogramOf([], [], 4), 0.75)).toBeUndefined();
  expect(accuracyBpsOfHistogram(histogram, 0)).toBe(5_000);
  expect(accuracyBpsOfHistogram(histogram, 1)).toBe(5_000);
});

test('histograms: a score that is no number is counted, and as wrong as can be', () => {
  const histogram = histogramOf([Number.NaN, Number.NaN, 0.9], [1, 0, 1], 4);
  expect([...histogram.negatives, ...histogram.positives]).toEqual([0, 0, 0, 1, 1, 0, 0, 1]);
  expect(accuracyBpsOfHistogram(histogram, 0.5)).toBe(3_333);
});
