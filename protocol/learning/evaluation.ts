// What a sum of counts says of the base model: the two figures that go on chain, and what more there is to know for whoever watches.
// Of a label of 0 or 1: whether scores are probabilities, and how many positives the best scores hold.
import { classScores, rowsRight } from './confusion.ts';
import type { Measured } from './measure.ts';
import { accuracyBpsOfHistogram, aucOfHistogram, basisPoints, type ScoreHistogram } from './metrics.ts';
import { errorScores, rowsWithin } from './residuals.ts';

export interface PublishedMetrics {
  /** Rounded down, so that a floor is never met by rounding; 0 where there is nothing to measure on. */
  readonly accuracyBps: number;
  /** 0 for a label that is not 0 or 1. */
  readonly aucBps: number;
}

interface Thresholds {
  readonly decisionThreshold?: number | undefined;
  readonly tolerance?: number | undefined;
}

/** Accuracy is the share of records told right: on the right side of the threshold, in the right class, within the tolerance. */
export function metricsOf(measured: Measured, evaluation: Thresholds): PublishedMetrics {
  switch (measured.type) {
    case 'binary': {
      const { histogram } = measured;
      const accuracyBps = accuracyBpsOfHistogram(histogram, evaluation.decisionThreshold ?? 1) ?? 0;
      return { accuracyBps, aucBps: Math.floor((aucOfHistogram(histogram) ?? 0) * 10_000) };
    }
    case 'classes':
      return { accuracyBps: basisPoints(...rowsRight(measured.confusion)) ?? 0, aucBps: 0 };
    case 'regression':
      return { accuracyBps: basisPoints(...rowsWithin(measured.errors, evaluation.tolerance ?? 0)) ?? 0, aucBps: 0 };
  }
}

export interface ClassEvaluation {
  readonly type: 'classes';
  /** Per class, in the order of the label's enum; null where no record is of it. */
  readonly recallBps: readonly (number | null)[];
  readonly macroF1Bps: number;
}

/** Shares of the range between the label's public bounds. */
export interface ErrorEvaluation {
  readonly type: 'regression';
  /** At the resolution of a bin. */
  readonly mae: number;
  /** The two are undefined where noise hides the sums. */
  readonly rmse?: number;
  readonly r2?: number;
}

export type Evaluation = RankingEvaluation | ClassEvaluation | ErrorEvaluation;

/** undefined when there is nothing to say: nothing was measured, or a label of 0 or 1 has one of the two alone. */
export function evaluationOf(measured: Measured): Evaluation | undefined {
  switch (measured.type) {
    case 'binary':
      return rankingEvaluation(measured.histogram);
    case 'classes': {
      const scores = classScores(measured.confusion);
      if (scores === undefined) return undefined;
      const recallBps = scores.recall.map((share) => (share === undefined ? null : Math.floor(share * 10_000)));
      return { type: 'classes', recallBps, macroF1Bps: Math.floor(scores.macroF1 * 10_000) };
    }
    case 'regression': {
      const scores = errorScores(measured.errors, measured.moments);
      return scores && { type: 'regression', ...scores };
    }
  }
}

/** Records whose scores lie in one tenth of [0, 1]. */
export interface ReliabilityGroup {
  readonly records: number;
  readonly positives: number;
  /** Taking each score for the middle of its bin: off by half a bin at most. */
  readonly meanScore: number;
}

/** The best-scored share of the records, and what is in it. */
export interface TopShare {
  readonly shareBps: number;
  /** Share of all positives that is in it. */
  readonly captureBps: number;
  /** How many times as many as in a random choice. */
  readonly lift: number;
}

export interface RankingEvaluation {
  readonly type: 'binary';
  /** Expected calibration error over ten groups (Naeini et al. 2015): Σ records·|share of positives − mean score| / all. */
  readonly calibrationErrorBps: number;
  readonly reliability: readonly ReliabilityGroup[];
  readonly top: readonly TopShare[];
}

const GROUPS = 10;
const SHARES_BPS = [500, 1_000, 2_000] as const;

const sum = (counts: Uint32Array): number => counts.reduce((a, b) => a + b, 0);

/** undefined when nothing was scored, or one label is missing. */
export function rankingEvaluation(h: ScoreHistogram): RankingEvaluation | undefined {
  const [negatives, positives] = [sum(h.negatives), sum(h.positives)];
  if (negatives === 0 || positives === 0) return undefined;
  const reliability = reliabilityOf(h);
  const error = reliability.reduce((all, g) => all + Math.abs(g.positives - g.records * g.meanScore), 0);
  return {
    type: 'binary',
    calibrationErrorBps: Math.round((10_000 * error) / (negatives + positives)),
    reliability,
    top: SHARES_BPS.map((shareBps) => topShare(h, shareBps)),
  };
}

/** Bins are put into the group that their middle lies in. */
export function reliabilityOf({ negatives, positives }: ScoreHistogram): ReliabilityGroup[] {
  const bins = positives.length;
  const groups = Array.from({ length: GROUPS }, () => ({ records: 0, positives: 0, scores: 0 }));
  positives.forEach((hits, bin) => {
    const middle = (bin + 0.5) / bins;
    const group = groups[Math.floor(middle * GROUPS)];
    if (group === undefined) return;
    const records = hits + (negatives[bin] ?? 0);
    group.records += records;
    group.positives += hits;
    group.scores += records * middle;
  });
  return groups.map(({ records, positives: hits, scores }) => ({
    records,
    positives: hits,
    meanScore: records === 0 ? 0 : scores / records,
  }));
}

/** Scores of one bin are tied: of the bin that the edge falls into, its share counts. */
export function topShare({ negatives, positives }: ScoreHistogram, shareBps: number): TopShare {
  const all = sum(negatives) + sum(positives);
  let left = (all * shareBps) / 10_000;
  let captured = 0;
  for (let bin = positives.length - 1; bin >= 0 && left > 0; bin--) {
    const hits = positives[bin] ?? 0;
    const records = hits + (negatives[bin] ?? 0);
    if (records === 0) continue;
    const taken = Math.min(left, records);
    captured += (hits * taken) / records;
    left -= taken;
  }
  const capture = captured / sum(positives);
  return { shareBps, captureBps: Math.floor(capture * 10_000), lift: capture / (shareBps / 10_000) };
}
