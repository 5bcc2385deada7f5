// How well classes are told apart, from counts alone: rows by true and predicted class. Sums of such counts are such counts.

export interface Confusion {
  readonly classes: number;
  /** classes × classes: rows of true class i taken for class j, at i·classes + j. Empty when nothing was counted. */
  readonly counts: Uint32Array;
}

/** The place of the highest score, the first of equals. */
export function classOf(scores: ArrayLike<number>, row: number, classes: number): number {
  const from = row * classes;
  let best = 0;
  for (let k = 1; k < classes; k++) {
    if ((scores[from + k] ?? 0) > (scores[from + best] ?? 0)) best = k;
  }
  return best;
}

/** @param scores rows × classes */
export function confusionOf(scores: ArrayLike<number>, labels: ArrayLike<number>, classes: number): Confusion {
  const counts = new Uint32Array(classes * classes);
  for (let r = 0; r < labels.length; r++) {
    const at = (labels[r] ?? 0) * classes + classOf(scores, r, classes);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return { classes, counts };
}

interface Tallies {
  /** Per class. */
  readonly right: readonly number[];
  readonly truly: readonly number[];
  readonly predicted: readonly number[];
  readonly rows: number;
}

function talliesOf({ classes, counts }: Confusion): Tallies {
  const places = Array.from({ length: classes }, (_, k) => k);
  const at = (i: number, j: number) => counts[i * classes + j] ?? 0;
  const sum = (of: (k: number) => number) => places.reduce((all, k) => all + of(k), 0);
  return {
    right: places.map((k) => at(k, k)),
    truly: places.map((k) => sum((j) => at(k, j))),
    predicted: places.map((k) => sum((i) => at(i, k))),
    rows: counts.reduce((a, b) => a + b, 0),
  };
}

export interface ClassScores {
  /** Share of the rows of each class that are taken for it; undefined where there is none. */
  readonly recall: readonly (number | undefined)[];
  /** Mean of the classes' F1, over those that have a row or are predicted (Manning et al. 2008, §13.6). */
  readonly macroF1: number;
  readonly accuracy: number;
}

/** undefined when there is no row. */
export function classScores(confusion: Confusion): ClassScores | undefined {
  const { right, truly, predicted, rows } = talliesOf(confusion);
  if (rows === 0) return undefined;
  const f1 = right.flatMap((hits, k) => {
    const both = (truly[k] ?? 0) + (predicted[k] ?? 0);
    return both === 0 ? [] : [(2 * hits) / both];
  });
  const all = right.reduce((a, b) => a + b, 0);
  return {
    recall: right.map((hits, k) => (truly[k] ? hits / truly[k] : undefined)),
    macroF1: f1.reduce((a, b) => a + b, 0) / f1.length,
    accuracy: all / rows,
  };
}

/** Rows told right, and all. */
export function rowsRight(confusion: Confusion): readonly [right: number, rows: number] {
  const { right, rows } = talliesOf(confusion);
  return [right.reduce((a, b) => a + b, 0), rows];
}
