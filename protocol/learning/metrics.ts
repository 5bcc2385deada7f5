// How good a ranking is: from scores, exactly, and from summed histograms, at bin resolution.

/** Counts of scores per bin over [0, 1], one histogram per label. Sums of histograms are histograms. */
export interface ScoreHistogram {
  readonly negatives: Uint32Array;
  readonly positives: Uint32Array;
}

/**
 * Bin of a score in [0, 1]: floor(score·bins), and 1 belongs to the last bin. Exact: a float32 times a small integer. What is no
 * number is as wrong as can be: left out, it would raise the accuracy that customers' floors are held against.
 */
function binOf(score: number, label: number | undefined, bins: number): number {
  if (Number.isNaN(score)) return label === 1 ? 0 : bins - 1;
  return Math.min(bins - 1, Math.max(0, Math.floor(score * bins)));
}

export function histogramOf(scores: ArrayLike<number>, labels: ArrayLike<number>, bins: number): ScoreHistogram {
  const negatives = new Uint32Array(bins);
  const positives = new Uint32Array(bins);
  for (let i = 0; i < scores.length; i++) {
    const bin = binOf(scores[i] ?? 0, labels[i], bins);
    const side = labels[i] === 1 ? positives : negatives;
    side[bin] = (side[bin] ?? 0) + 1;
  }
  return { negatives, positives };
}

const total = (counts: Uint32Array): number => counts.reduce((sum, n) => sum + n, 0);

/** How many records a histogram counts. */
export const histogramTotal = (h: ScoreHistogram): number => total(h.negatives) + total(h.positives);

/** Row numbers, best score first; equal scores keep the order of the rows. */
function ranking(scores: ArrayLike<number>): number[] {
  // Array.prototype.sort is stable since ES2019.
  return Array.from(scores, (_, i) => i).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
}

/** Positives and negatives that share a place in the ranking. */
type Tie = readonly [positives: number, negatives: number];

/** Share of (positive, negative) pairs ranked right, ties counting half; best place first. Integers until the end. */
function pairsRight(ties: Iterable<Tie>): number | undefined {
  let [positives, negatives, doubled] = [0, 0, 0];
  for (const [tiedPositives, tiedNegatives] of ties) {
    doubled += tiedNegatives * (2 * positives + tiedPositives);
    positives += tiedPositives;
    negatives += tiedNegatives;
  }
  return positives === 0 || negatives === 0 ? undefined : doubled / (2 * positives * negatives);
}

/**
 * Area under the ROC curve: the chance that a positive outranks a negative, ties counting half. Undefined when a label is
 * missing.
 */
export function auc(scores: ArrayLike<number>, labels: ArrayLike<number>): number | undefined {
  const ties: [number, number][] = [];
  let last: number | undefined;
  for (const i of ranking(scores)) {
    if (ties.length === 0 || scores[i] !== last) ties.push([0, 0]);
    last = scores[i];
    const tie = ties[ties.length - 1];
    if (tie) tie[labels[i] === 1 ? 0 : 1]++;
  }
  return pairsRight(ties);
}

/** Positives among the k best scores; ties at the edge go to the earlier row, so that the figure is reproducible. */
export const hitsAtTop = (scores: ArrayLike<number>, labels: ArrayLike<number>, k: number): number =>
  ranking(scores)
    .slice(0, k)
    .filter((i) => labels[i] === 1).length;

/** Basis points, rounded down, so that a floor is never met by rounding. */
export const basisPoints = (correct: number, all: number): number | undefined =>
  all === 0 ? undefined : Math.floor((correct * 10_000) / all);

/** Share of rows on the right side of the threshold, basis points: a score at or over it predicts 1. */
export function accuracyBps(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  threshold: number,
): number | undefined {
  let correct = 0;
  for (let i = 0; i < scores.length; i++) {
    if ((scores[i] ?? 0) >= threshold === (labels[i] === 1)) correct++;
  }
  return basisPoints(correct, scores.length);
}

/** As `auc`, with all scores of a bin tied: off by at most `aucResolution`. */
export const aucOfHistogram = (h: ScoreHistogram): number | undefined =>
  pairsRight(Array.from(h.positives, (n, bin): Tie => [n, h.negatives[bin] ?? 0]).reverse());

/** Half the share of pairs whose order their common bin hides. */
export function aucResolution(h: ScoreHistogram): number {
  const hidden = h.positives.reduce((sum, n, bin) => sum + n * (h.negatives[bin] ?? 0), 0);
  const pairs = total(h.positives) * total(h.negatives);
  return pairs === 0 ? 0 : hidden / (2 * pairs);
}

/** As `accuracyBps`; exact when the threshold lies on the edge of a bin, as a task's must. */
export function accuracyBpsOfHistogram(h: ScoreHistogram, threshold: number): number | undefined {
  const edge = Math.round(threshold * h.positives.length);
  const correct = total(h.negatives.subarray(0, edge)) + total(h.positives.subarray(edge));
  return basisPoints(correct, histogramTotal(h));
}
