// What holds of every update, histogram and score: quantising is close and linear, clipping bounds, bins bound the AUC.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { measureOf, momentsPart } from '../../protocol/learning/measure.ts';
import {
  accuracyBps,
  accuracyBpsOfHistogram,
  auc,
  aucOfHistogram,
  aucResolution,
  histogramOf,
} from '../../protocol/learning/metrics.ts';
import { countsPart, signedPart } from '../../protocol/learning/strategies/parts.ts';
import {
  addNoise,
  type Counted,
  clip,
  decodeSums,
  digitsOf,
  encodeUpdate,
  l2Norm,
  localUpdate,
  quantise,
  totalWeightFraction,
  type Vector,
  weighted,
  weightFraction,
} from '../../protocol/learning/update.ts';

const SEED = 20_001_122;
const BINS = 8;
const WEIGHT_BOUND = 1_000;
const finite = fc.float({ min: -10, max: 10, noNaN: true });
const clipNorm = fc.double({ min: 1e-3, max: 100, noNaN: true });
const scored = fc.record({ score: fc.float({ min: 0, max: 1, noNaN: true }), label: fc.constantFrom(0, 1) });
const valueBits = fc.integer({ min: 4, max: 16 });
const dealer = fc.record({
  delta: fc.array(finite, { minLength: 5, maxLength: 5 }),
  records: fc.integer({ min: 1, max: 3_000 }),
  scores: fc.array(scored, { maxLength: 20 }),
});

const updateOf = (delta: readonly number[]) => localUpdate(new Float32Array(delta.length), Float32Array.from(delta));
const MEASURE = measureOf({
  model: { layers: [{ units: 1, activation: 'sigmoid' }], loss: 'squared', positiveWeight: 1, l2: 0 },
  evaluation: { histogramBins: BINS },
});
function vectorFor(norm: number, valueBits: number): Vector {
  const parts = [signedPart('delta', 5, norm, valueBits)];
  const evaluation = [countsPart('counts', 2 * BINS), momentsPart(0)] as const;
  const length = [...parts, ...evaluation].reduce((sum, part) => sum + part.length * digitsOf(part, valueBits), 0);
  return { parts, evaluation, measure: MEASURE, valueBits, length };
}
/** As a dealer counts them. */
const counted = (rows: readonly { score: number; label: number }[]): Counted => {
  const { negatives, positives } = histogram(rows, BINS);
  return [[...negatives, ...positives], []];
};
const histogram = (rows: readonly { score: number; label: number }[], bins: number) =>
  histogramOf(
    rows.map((row) => row.score),
    rows.map((row) => row.label),
    bins,
  );

describe('updates', () => {
  test('clipping: the norm is bounded, the direction kept, and a second clip changes next to nothing', () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 50 }), clipNorm, (delta, norm) => {
        const update = updateOf(delta);
        const once = clip(update, norm);
        expect(l2Norm(once.delta)).toBeLessThanOrEqual(norm * (1 + 1e-12));
        if (l2Norm(update.delta) <= norm) expect(once.delta).toEqual(update.delta);
        // A clipped vector need not be a fixed point of clipping: its norm can round to a hair over the bound.
        const twice = clip({ delta: once.delta } as typeof update, norm);
        once.delta.forEach((x, i) => {
          expect(Math.abs((twice.delta[i] ?? Number.NaN) - x)).toBeLessThanOrEqual(Math.abs(x) * 1e-12);
        });
      }),
      { seed: SEED },
    );
  });

  test('the sum of quantised updates reads as the weighted mean, within half a step per dealer', () => {
    fc.assert(
      fc.property(fc.array(dealer, { minLength: 1, maxLength: 20 }), clipNorm, valueBits, (dealers, norm, bits) => {
        const clipped = dealers.map((d) => clip(updateOf(d.delta), norm));
        const weights = dealers.map((d) => weightFraction(d.records, WEIGHT_BOUND));
        const vector = vectorFor(norm, bits);
        const sums = new Float64Array(vector.length);
        dealers.forEach((d, k) => {
          const update = clipped[k];
          if (!update) return;
          const integers = quantise([weighted(update.delta, weights[k] ?? 0)], counted(d.scores), vector);
          encodeUpdate(addNoise(integers, vector, undefined), vector).values.forEach((value, i) => {
            sums[i] = (sums[i] ?? 0) + value;
          });
        });
        const total = totalWeightFraction(
          dealers.map((d) => d.records),
          WEIGHT_BOUND,
        );
        const opened = decodeSums(sums, vector, dealers.length);
        const tolerance = ((norm / (2 ** (bits - 1) - 1)) * 0.5 * dealers.length) / total + 1e-9 * norm;
        opened.sums[0]?.forEach((sum, i) => {
          const x = sum / total;
          const mean = clipped.reduce((all, c, k) => all + (weights[k] ?? 0) * (c.delta[i] ?? 0), 0) / total;
          expect(Math.abs(x - mean)).toBeLessThanOrEqual(tolerance);
        });
        const all = dealers.flatMap((d) => d.scores);
        expect(opened.measured).toEqual({ type: 'binary', histogram: histogram(all, BINS) });
      }),
      { seed: SEED },
    );
  });

  test('every value of a vector fits its bits, and a delta leaves 0 unused', () => {
    fc.assert(
      fc.property(dealer, clipNorm, valueBits, (d, norm, bits) => {
        const vector = vectorFor(norm, bits);
        const integers = quantise([clip(updateOf(d.delta), norm).delta], counted(d.scores), vector);
        const { values } = encodeUpdate(addNoise(integers, vector, undefined), vector);
        expect(Math.max(...values)).toBeLessThan(2 ** bits);
        expect(Math.min(...values.subarray(0, 5))).toBeGreaterThanOrEqual(1);
      }),
      { seed: SEED },
    );
  });
});

describe('metrics', () => {
  test('AUC is the share of pairs ranked right, counted one by one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ score: fc.constantFrom(0.1, 0.2, 0.3, 0.4), label: fc.constantFrom(0, 1) }), {
          maxLength: 30,
        }),
        (rows) => {
          const of = (label: number) => rows.filter((row) => row.label === label);
          const pairs = of(1).flatMap((p) => of(0).map((n) => (p.score > n.score ? 1 : p.score === n.score ? 0.5 : 0)));
          const expected = pairs.length === 0 ? undefined : pairs.reduce<number>((a, b) => a + b, 0) / pairs.length;
          const found = auc(
            rows.map((row) => row.score),
            rows.map((row) => row.label),
          );
          if (expected === undefined) expect(found).toBeUndefined();
          else expect(found).toBeCloseTo(expected, 12);
        },
      ),
      { seed: SEED },
    );
  });

  test('a histogram knows the AUC up to its resolution, and the accuracy at a bin\u2019s edge exactly', () => {
    fc.assert(
      fc.property(
        fc.array(scored, { maxLength: 60 }),
        fc.integer({ min: 2, max: 300 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (rows, bins, at) => {
          const h = histogram(rows, bins);
          const scores = rows.map((row) => row.score);
          const labels = rows.map((row) => row.label);
          const exact = auc(scores, labels);
          const binned = aucOfHistogram(h);
          if (exact === undefined || binned === undefined) expect(binned).toBe(exact);
          else expect(Math.abs(binned - exact)).toBeLessThanOrEqual(aucResolution(h) + 1e-12);
          // the last bin also holds the score 1, so the edges are those below it
          const edge = Math.min(bins - 1, Math.round(at * bins));
          const threshold = edge / bins;
          const onEdge = scores.some((score) => score !== threshold && Math.abs(score - threshold) < 1e-12);
          fc.pre(!onEdge);
          expect(accuracyBpsOfHistogram(h, threshold)).toBe(accuracyBps(scores, labels, threshold));
        },
      ),
      { seed: SEED },
    );
  });
});
