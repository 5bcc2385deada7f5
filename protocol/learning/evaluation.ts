// What summed histograms say beside the AUC: whether scores are probabilities, and how many positives the best scores hold.
import type { ScoreHistogram } from './metrics.ts';

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

export interface Evaluation {
  /** Expected calibration error over ten groups (Naeini et al. 2015): Σ records·|share of positives − mean score| / all. */
  readonly calibrationErrorBps: number;
  readonly reliability: readonly ReliabilityGroup[];
  readonly top: readonly TopShare[];
}

const GROUPS = 10;
const SHARES_BPS = [500, 1_000, 2_000] as const;

const sum = (counts: Uint32Array): number => counts.reduce((a, b) => a + b, 0);

/** undefined when nothing was scored, or one label is missing. */
export function evaluationOf(h: ScoreHistogram): Evaluation | undefined {
  const [negatives, positives] = [sum(h.negatives), sum(h.positives)];
  if (negatives === 0 || positives === 0) return undefined;
  const reliability = reliabilityOf(h);
  const error = reliability.reduce((all, g) => all + Math.abs(g.positives - g.records * g.meanScore), 0);
  return {
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
