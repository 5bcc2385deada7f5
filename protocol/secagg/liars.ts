// Which answers do not lie on one polynomial: Reed-Solomon decoding over the key-holders' answers.
import { RING_DEGREE } from './block.ts';
import { inverseShare, lagrangeWeights, mulShare, SHARE_PRIME, subShare } from './field.ts';
import type { IndexedShare } from './shamir.ts';

export interface Consistency {
  /** The answers that lie on one polynomial of degree t−1; undefined when the answers do not decide which ones do. */
  readonly agreeing: readonly IndexedShare[] | undefined;
  /** Indices of the others. */
  readonly outliers: readonly number[];
}

/**
 * m answers detect up to m−t wrong ones and name up to floor((m−t)/2). More wrong ones than that may make others stand
 * out, so an opening has to confirm the result (coordinator/opening/answers.ts). An outlier is a key-holder that answered
 * wrongly, or one that a dealer gave a share off its polynomial: the arithmetic cannot tell which.
 * Unique decoding (Berlekamp-Welch) at the first coefficient that disagrees; who is wrong there is left out, then again.
 * @param answers at least `threshold`, of distinct key-holders
 */
export function findOutliers(answers: readonly IndexedShare[], threshold: number): Consistency {
  let left = answers;
  const outliers: number[] = [];
  for (;;) {
    const coefficient = firstDisagreement(left, threshold);
    if (coefficient === undefined) return { agreeing: left, outliers: outliers.sort((a, b) => a - b) };
    const wrong = errorsAt(left, threshold, coefficient);
    if (wrong === undefined) return { agreeing: undefined, outliers: [] };
    outliers.push(...wrong);
    left = left.filter((answer) => !wrong.includes(answer.index));
  }
}

/** The first coefficient where the answers after the first t are not what the first t interpolate to. */
function firstDisagreement(answers: readonly IndexedShare[], threshold: number): number | undefined {
  const base = answers.slice(0, threshold);
  const points = base.map((answer) => answer.index);
  const checks = answers
    .slice(threshold)
    .map(({ index, share }) => ({ weights: lagrangeWeights(points, index), share }));
  for (let c = 0; c < RING_DEGREE; c++) {
    for (const { weights, share } of checks) {
      let y = 0;
      for (let k = 0; k < threshold; k++) y = (y + (weights[k] ?? 0) * (base[k]?.share[c] ?? 0)) % SHARE_PRIME;
      if (y !== share[c]) return c;
    }
  }
  return undefined;
}

/** Indices wrong at one coefficient, or undefined when more than floor((m−t)/2) are. */
function errorsAt(answers: readonly IndexedShare[], threshold: number, coefficient: number): number[] | undefined {
  const points = answers.map(({ index, share }) => ({ x: index, y: share[coefficient] ?? 0 }));
  const most = Math.floor((points.length - threshold) / 2);
  for (let errors = most; errors >= 1; errors--) {
    const locator = locate(points, threshold, errors);
    if (locator === undefined) continue;
    const wrong = points.filter(({ x }) => evaluate(locator, x) === 0).map(({ x }) => x);
    const right = points.filter(({ x }) => !wrong.includes(x));
    if (wrong.length > 0 && pointsOnOnePolynomial(right, threshold)) return wrong;
  }
  return undefined;
}

interface Point {
  /** A key-holder's index. */
  readonly x: number;
  readonly y: number;
}

/**
 * Berlekamp-Welch: monic E of degree e and Q of degree < t+e with Q(x) = y·E(x) at every point; E vanishes at the errors.
 * Solved as linear equations in the e + (t+e) unknown coefficients.
 */
function locate(points: readonly Point[], threshold: number, errors: number): number[] | undefined {
  const rows = points.map(({ x, y }) => {
    const powers = [1];
    for (let k = 1; k < threshold + errors; k++) powers.push(mulShare(powers[k - 1] ?? 0, x));
    const ofE = powers.slice(0, errors).map((power) => mulShare(y, power));
    const ofQ = powers.map((power) => subShare(0, power));
    return [...ofE, ...ofQ, subShare(0, mulShare(y, powers[errors] ?? 0))];
  });
  const solution = solve(rows, 2 * errors + threshold);
  return solution && [...solution.slice(0, errors), 1];
}

/** Gauss-Jordan over F_65521; free unknowns are 0. Undefined when the equations contradict each other. */
function solve(rows: number[][], unknowns: number): number[] | undefined {
  const pivots: number[] = [];
  for (let column = 0; column < unknowns && pivots.length < rows.length; column++) {
    const from = rows.findIndex((row, r) => r >= pivots.length && row[column] !== 0);
    const pivot = rows[from];
    if (pivot === undefined) continue;
    const swapped = rows[pivots.length] ?? pivot;
    rows[from] = swapped;
    const scale = inverseShare(pivot[column] ?? 1);
    const unit = pivot.map((entry) => mulShare(entry, scale));
    rows[pivots.length] = unit;
    rows.forEach((row, r) => {
      const factor = row[column] ?? 0;
      if (r === pivots.length || factor === 0) return;
      rows[r] = row.map((entry, c) => subShare(entry, mulShare(factor, unit[c] ?? 0)));
    });
    pivots.push(column);
  }
  if (rows.slice(pivots.length).some((row) => row[unknowns] !== 0)) return undefined;
  const solution = new Array<number>(unknowns).fill(0);
  pivots.forEach((column, r) => {
    solution[column] = rows[r]?.[unknowns] ?? 0;
  });
  return solution;
}

/** coefficients[k] · x^k, summed. */
function evaluate(coefficients: readonly number[], x: number): number {
  return coefficients.reduceRight((sum, coefficient) => (mulShare(sum, x) + coefficient) % SHARE_PRIME, 0);
}

/** Whether all points lie on one polynomial of degree threshold−1; up to `threshold` points always do. */
export function pointsOnOnePolynomial(points: readonly Point[], threshold: number): boolean {
  const base = points.slice(0, threshold);
  return points.slice(threshold).every(({ x, y }) => {
    const weights = lagrangeWeights(
      base.map((point) => point.x),
      x,
    );
    return base.reduce((sum, point, k) => (sum + mulShare(weights[k] ?? 0, point.y)) % SHARE_PRIME, 0) === y;
  });
}

/** A trial is an opening of one block, a millisecond; beyond this many the answers are left undecided. */
const MAX_TRIALS = 2_000;

/** The first subset of `size` answers that `holds`; whoever searches, in the same order. */
export function firstSubset(
  answers: readonly IndexedShare[],
  size: number,
  holds: (subset: readonly IndexedShare[]) => boolean,
): readonly IndexedShare[] | undefined {
  let trials = 0;
  for (const subset of subsets(answers, size)) {
    if (holds(subset)) return subset;
    trials += 1;
    if (trials === MAX_TRIALS) return undefined;
  }
  return undefined;
}

function* subsets<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let i = 0; i <= items.length - size; i++) {
    for (const rest of subsets(items.slice(i + 1), size - 1)) yield [...items.slice(i, i + 1), ...rest];
  }
}
