// How far predicted numbers are off, as sums that dealers can add up. Labels and errors are shares of the label's public range.

/** Sums over rows of multiples of this: exact in a float64, whoever adds them up in which order. */
export const MOMENT_STEP = 2 ** -24;

/** Σ error², Σ label, Σ label² */
export interface ErrorMoments {
  readonly squaredErrors: number;
  readonly labels: number;
  readonly squaredLabels: number;
}

/** Nothing outside the bounds is ever predicted. */
export const cutToBounds = (score: number): number => Math.min(1, Math.max(0, score));

/** In [0, 1]; what is no number is as wrong as can be. */
function errorOf(score: number, label: number): number {
  const error = Math.abs(cutToBounds(score) - label);
  return Number.isNaN(error) ? 1 : error;
}

/** Counts of errors per bin over [0, 1]; 1 belongs to the last. */
export function errorsOf(scores: ArrayLike<number>, labels: ArrayLike<number>, bins: number): Uint32Array {
  const counts = new Uint32Array(bins);
  for (let r = 0; r < labels.length; r++) {
    const bin = Math.min(bins - 1, Math.floor(errorOf(scores[r] ?? Number.NaN, labels[r] ?? 0) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

const onGrid = (x: number): number => Math.round(x / MOMENT_STEP) * MOMENT_STEP;

export function errorMomentsOf(scores: ArrayLike<number>, labels: ArrayLike<number>): ErrorMoments {
  let [squaredErrors, sum, squaredLabels] = [0, 0, 0];
  for (let r = 0; r < labels.length; r++) {
    const label = labels[r] ?? 0;
    const error = errorOf(scores[r] ?? Number.NaN, label);
    squaredErrors += onGrid(error * error);
    sum += onGrid(label);
    squaredLabels += onGrid(label * label);
  }
  return { squaredErrors, labels: sum, squaredLabels };
}

/** Rows whose error is under the tolerance, and all; exact when it lies on the edge of a bin, as a task's must. */
export function rowsWithin(errors: Uint32Array, tolerance: number): readonly [within: number, rows: number] {
  const sum = (counts: Uint32Array) => counts.reduce((a, b) => a + b, 0);
  return [sum(errors.subarray(0, Math.round(tolerance * errors.length))), sum(errors)];
}

export interface ErrorScores {
  /** Mean absolute error, taking each error for the middle of its bin: off by half a bin at most. */
  readonly mae: number;
  /** Root of the mean squared error; undefined where noise hides the sums. */
  readonly rmse?: number;
  /** Share of the labels' variance that the model explains; undefined where all labels are alike. */
  readonly r2?: number;
}

/** In shares of the label's range; undefined when there is no row. */
export function errorScores(errors: Uint32Array, moments?: ErrorMoments): ErrorScores | undefined {
  const rows = errors.reduce((a, b) => a + b, 0);
  if (rows === 0) return undefined;
  const mae = errors.reduce((sum, count, bin) => sum + count * (bin + 0.5), 0) / errors.length / rows;
  if (moments === undefined) return { mae };
  const { squaredErrors, labels, squaredLabels } = moments;
  const variation = squaredLabels - (labels * labels) / rows;
  const rmse = Math.sqrt(squaredErrors / rows);
  // labels that are all alike vary by what rounding them to the grid leaves
  return { mae, rmse, ...(variation > rows * MOMENT_STEP && { r2: 1 - squaredErrors / variation }) };
}
