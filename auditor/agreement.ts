// Which answers stand behind a stated sum of keys: at least t on one polynomial whose value at 0 it is.
import { lagrangeWeights, mulShare, SHARE_PRIME } from '../protocol/secagg/field.ts';
import { findOutliers, firstSubset } from '../protocol/secagg/liars.ts';
import type { IndexedShare } from '../protocol/secagg/shamir.ts';

export interface Agreement {
  /** At least t. */
  readonly agreeing: readonly IndexedShare[];
  /** Indices of those off the polynomial: the key-holder lied, or a dealer gave it a false share. The sum stands without them. */
  readonly off: readonly number[];
}

/**
 * Reed-Solomon decoding names up to floor((m−t)/2) false answers of m. With more of them, or none to spare, any t answers
 * that make the stated sum of keys are the ones that it was opened by; that it opens cleanly is for the caller to see.
 * @returns undefined when no t answers make it
 */
export function whoAgrees(
  answers: readonly IndexedShare[],
  threshold: number,
  keySum: Int32Array,
): Agreement | undefined {
  const decoded = findOutliers(answers, threshold);
  if (decoded.agreeing !== undefined && makes(decoded.agreeing.slice(0, threshold), keySum)) {
    return { agreeing: decoded.agreeing, off: decoded.outliers };
  }
  // the coordinator searches in the same order, by what opens (coordinator/opening/answers.ts)
  const subset = firstSubset(answers, threshold, (some) => makes(some, keySum));
  if (subset === undefined) return undefined;
  const agreeing = answers.filter((answer) => subset.includes(answer) || isOnIt(subset, answer, threshold));
  return { agreeing, off: answers.filter((answer) => !agreeing.includes(answer)).map(({ index }) => index) };
}

/** One answer more than t: whatever is off is seen, though not which of them. */
const isOnIt = (subset: readonly IndexedShare[], answer: IndexedShare, threshold: number): boolean =>
  findOutliers([...subset, answer], threshold).agreeing !== undefined;

/** The polynomial's value at 0, coefficient by coefficient; mostly the first one tells. */
function makes(subset: readonly IndexedShare[], keySum: Int32Array): boolean {
  const points = subset.map(({ index }) => index);
  const weights = lagrangeWeights(points, 0);
  return keySum.every((s, c) => {
    const y = subset.reduce((sum, { share }, k) => (sum + mulShare(weights[k] ?? 0, share[c] ?? 0)) % SHARE_PRIME, 0);
    return y === (s < 0 ? s + SHARE_PRIME : s);
  });
}
