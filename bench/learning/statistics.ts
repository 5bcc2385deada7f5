// Means, spreads, and how far a hold-out of this size lets a figure be known.

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Of a sample: n − 1. */
export function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, x) => sum + (x - middle) ** 2, 0) / Math.max(1, values.length - 1));
}

/** Standard error of an AUC: Hanley and McNeil, "The Meaning and Use of the Area under a ROC Curve", 1982. */
export function aucError(auc: number, positives: number, negatives: number): number {
  const [q1, q2] = [auc / (2 - auc), (2 * auc * auc) / (1 + auc)];
  const variance = auc * (1 - auc) + (positives - 1) * (q1 - auc * auc) + (negatives - 1) * (q2 - auc * auc);
  return Math.sqrt(variance / (positives * negatives));
}

/** Standard error of so many of all positives found: binomial. */
export const hitsError = (hits: number, positives: number): number => Math.sqrt(hits * (1 - hits / positives));
