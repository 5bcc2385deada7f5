// Calibration and capture from histograms, at their edges: ties over the edge, empty groups, a perfect and a useless score.
import { expect, test } from 'vitest';
import { rankingEvaluation, reliabilityOf, topShare } from '../../protocol/learning/evaluation.ts';
import { histogramOf, hitsAtTop } from '../../protocol/learning/metrics.ts';
import { createPrng } from '../../protocol/learning/prng.ts';

/** Scores that are probabilities: a label is 1 as often as its score says. */
function honest(rows: number) {
  const prng = createPrng(new Uint8Array(1), 'evaluation');
  const scores = Float32Array.from({ length: rows }, () => prng.unit() ** 2);
  const labels = scores.map((score) => (prng.unit() < score ? 1 : 0));
  return { scores, labels };
}

test('scores that are probabilities have next to no calibration error; moved ones have what they were moved by', () => {
  const { scores, labels } = honest(20_000);
  expect(rankingEvaluation(histogramOf(scores, labels, 256))?.calibrationErrorBps).toBeLessThan(120);
  const moved = scores.map((score) => score * 0.5);
  const mean = scores.reduce((a, b) => a + b, 0) / scores.length;
  const error = rankingEvaluation(histogramOf(moved, labels, 256))?.calibrationErrorBps ?? 0;
  expect(Math.abs(error - 10_000 * mean * 0.5)).toBeLessThan(120);
});

test('groups hold every record once, 1.0 in the last, also when bins do not divide into tenths', () => {
  for (const bins of [2, 3, 7, 10, 16, 256]) {
    const scores = Float32Array.from({ length: 101 }, (_, i) => i / 100);
    const groups = reliabilityOf(histogramOf(scores, new Uint8Array(101).fill(1), bins));
    expect(groups).toHaveLength(10);
    expect(groups.reduce((sum, { records }) => sum + records, 0)).toBe(101);
    expect(groups.at(-1)?.records ?? 0).toBeGreaterThanOrEqual(bins >= 10 ? 10 : 0);
    for (const { records, meanScore } of groups) expect(records === 0 ? meanScore : 1).toBe(records === 0 ? 0 : 1);
  }
});

test('the best fifth of a perfect score holds up to all positives, of a useless one its fifth', () => {
  const scores = Float32Array.from({ length: 100 }, (_, i) => (i + 0.5) / 100);
  const perfect = histogramOf(
    scores,
    scores.map((_, i) => (i >= 90 ? 1 : 0)),
    100,
  );
  expect(topShare(perfect, 2_000)).toEqual({ shareBps: 2_000, captureBps: 10_000, lift: 5 });
  expect(topShare(perfect, 500)).toEqual({ shareBps: 500, captureBps: 5_000, lift: 10 });
  const useless = histogramOf(
    new Float32Array(100).fill(0.3),
    scores.map((_, i) => (i % 4 === 0 ? 1 : 0)),
    100,
  );
  expect(topShare(useless, 2_000)).toEqual({ shareBps: 2_000, captureBps: 2_000, lift: 1 });
});

test('without ties it is the count of hits', () => {
  const { scores, labels } = honest(400);
  const order = Float32Array.from(
    scores,
    (_, i) => [...scores].filter((score) => score < (scores[i] ?? 0)).length / 400,
  );
  const capture = topShare(histogramOf(order, labels, 400), 2_000).captureBps;
  const positives = labels.reduce((a, b) => a + b, 0);
  expect(capture).toBe(Math.floor((10_000 * hitsAtTop(order, labels, 80)) / positives));
});

test('there is nothing to say without both labels', () => {
  expect(rankingEvaluation(histogramOf([], [], 8))).toBeUndefined();
  expect(rankingEvaluation(histogramOf([0.5], [1], 8))).toBeUndefined();
  expect(rankingEvaluation(histogramOf([0.5], [0], 8))).toBeUndefined();
  expect(rankingEvaluation(histogramOf([0.5, 0.5], [0, 1], 8))?.top.map(({ lift }) => lift)).toEqual([1, 1, 1]);
});
