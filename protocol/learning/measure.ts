// How the base model does, as numbers that dealers add up: what each type of task counts, and how a sum of counts is read.
import { type Confusion, confusionOf } from './confusion.ts';
import { histogramOf, histogramTotal, type ScoreHistogram } from './metrics.ts';
import { outputOf, type TaskType } from './output.ts';
import { type ErrorMoments, errorMomentsOf, errorsOf, MOMENT_STEP } from './residuals.ts';
import type { Sketch } from './sketch.ts';
import type { Labels, TaskFault, Terms, VectorPart } from './strategies/strategy.ts';

/** What a sum of counts says. Empty where nothing was counted. */
export type Measured =
  | { readonly type: 'binary'; readonly histogram: ScoreHistogram }
  | { readonly type: 'classes'; readonly confusion: Confusion }
  /** No moments where noise hides the counts: sums of squares would need noise of their own. */
  | { readonly type: 'regression'; readonly errors: Uint32Array; readonly moments?: ErrorMoments };

export interface Measure {
  /** Whole numbers; a row is counted in one of them. */
  readonly counters: number;
  /** Sums beside the counts. */
  readonly moments: number;
  countsOf(scores: ArrayLike<number>, labels: Labels): Uint32Array;
  momentsOf(scores: ArrayLike<number>, labels: Labels): Float64Array;
  /** Of sums over the dealers. */
  read(counts: Uint32Array, moments?: Float64Array): Measured;
}

/** How many records were counted. */
export function rowsOf(measured: Measured): number {
  if (measured.type === 'binary') return histogramTotal(measured.histogram);
  const counts = measured.type === 'classes' ? measured.confusion.counts : measured.errors;
  return counts.reduce((sum, n) => sum + n, 0);
}

type MeasureTerms = Pick<Terms, 'model' | 'evaluation'>;

export function measureOf({ model, evaluation }: MeasureTerms): Measure {
  const { type, units } = outputOf(model);
  const bins = evaluation.histogramBins;
  if (type === 'classes') return confusionMeasure(units);
  return type === 'binary' ? scoreMeasure(bins) : errorMeasure(bins);
}

/** Label 0, then label 1. */
const scoreMeasure = (bins: number): Measure => ({
  counters: 2 * bins,
  moments: 0,
  countsOf(scores, labels) {
    const { negatives, positives } = histogramOf(scores, labels, bins);
    return Uint32Array.of(...negatives, ...positives);
  },
  momentsOf: () => new Float64Array(),
  read(counts) {
    const half = counts.length / 2;
    return { type: 'binary', histogram: { negatives: counts.slice(0, half), positives: counts.slice(half) } };
  },
});

const confusionMeasure = (classes: number): Measure => ({
  counters: classes * classes,
  moments: 0,
  countsOf: (scores, labels) => confusionOf(scores, labels, classes).counts,
  momentsOf: () => new Float64Array(),
  read: (counts) => ({ type: 'classes', confusion: { classes, counts } }),
});

const errorMeasure = (bins: number): Measure => ({
  counters: bins,
  moments: 3,
  countsOf: (scores, labels) => errorsOf(scores, labels, bins),
  momentsOf(scores, labels) {
    const { squaredErrors, labels: sum, squaredLabels } = errorMomentsOf(scores, labels);
    return Float64Array.of(squaredErrors, sum, squaredLabels);
  },
  read(errors, moments) {
    if (moments === undefined || moments.length === 0) return { type: 'regression', errors };
    const [squaredErrors = 0, labels = 0, squaredLabels = 0] = moments;
    return { type: 'regression', errors, moments: { squaredErrors, labels, squaredLabels } };
  },
});

/** A dealer's sum of at most 2^16 numbers in [0, 1], each a multiple of the step: sums are exact, whoever adds them up how. */
export const momentsPart = (length: number): VectorPart => ({
  name: 'moments',
  length,
  step: MOMENT_STEP,
  bits: 40,
  signed: false,
});

/** What of a task's evaluation does not fit its type; undefined while nobody knows that. */
export function measureFaults(evaluation: Sketch<Terms['evaluation']>, type: TaskType | undefined): TaskFault[] {
  const { histogramBins, decisionThreshold, tolerance } = evaluation;
  const needs = (wanting: TaskType) => (type === undefined ? undefined : type === wanting);
  return [
    ...edgeFaults('decisionThreshold', decisionThreshold, needs('binary'), 'a label of 0 or 1', histogramBins),
    ...edgeFaults('tolerance', tolerance, needs('regression'), 'a number', histogramBins),
  ];
}

function edgeFaults(
  field: string,
  value: number | undefined,
  needed: boolean | undefined,
  label: string,
  bins: number | undefined,
): TaskFault[] {
  const path = `evaluation.${field}`;
  if (value === undefined) return needed ? [{ path, advice: `is needed for ${label}: give k/histogramBins` }] : [];
  if (needed === false) return [{ path, advice: `is for ${label} alone: leave it out` }];
  if (bins === undefined) return [];
  const edge = value * bins;
  if (Math.abs(edge - Math.round(edge)) <= 1e-9) return [];
  return [{ path, advice: 'must lie on the edge of a bin, so that accuracy is exact: choose k/histogramBins' }];
}
