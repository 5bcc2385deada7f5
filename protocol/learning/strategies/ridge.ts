// Ridge regression in one round: the dealers' sufficient statistics add up to those of all records in one place, so the
// solution is the centralised one, up to quantising. Nobody trains, nothing drifts, and the split over dealers is irrelevant.
import { z } from 'zod';
import { log } from '../../elementary.ts';
import { ConcordatError } from '../../errors.ts';
import { outputOf, typeOf } from '../output.ts';
import type { Sketch } from '../sketch.ts';
import { solveSymmetric, triangleIndex, triangleLength } from './cholesky.ts';
import {
  type Labels,
  NO_STATE,
  type Shape,
  type Strategy,
  type TaskFault,
  type Terms,
  type VectorPart,
  wanted,
} from './strategy.ts';

export const ridgeSettings = z.strictObject({
  name: z.literal('ridge'),
  /** No feature is further from 0; a dealer with one that is does not take part. */
  featureBound: z.number().positive().max(1e6),
  /** Bits of one entry of the statistics; over 1,024 dealers' sums are still exact in a float64. */
  entryBits: z.int().min(20).max(42),
});
type RidgeSettings = z.output<typeof ridgeSettings>;

/** Xᵀ W X (upper triangle, row after row) and Xᵀ W y; the last column of X is the constant 1. */
export interface SufficientStatistics {
  readonly gram: Float64Array;
  readonly moments: Float64Array;
}

export const ridge = (settings: RidgeSettings): Strategy => ({
  faults: ridgeFaults,
  parts: (shape) => ridgeParts(settings, shape),
  async contribute({ shape, features, labels }) {
    const { gram, moments } = statisticsOf(features, labels, shape, settings.featureBound);
    // a dealer counts for weightBound records at most, as everywhere
    const { weightBound } = shape.terms.update;
    const factor = labels.length > weightBound ? weightBound / labels.length : 1;
    return { parts: [gram, moments].map((part) => part.map((x) => factor * x)), dealerState: NO_STATE };
  },
  step({ shape, sums: [gram, moments] }) {
    const statistics = { gram: gram ?? new Float64Array(), moments: moments ?? new Float64Array() };
    const solution = solveRidge(statistics, shape.terms.model.l2);
    const isNumber = outputOf(shape.terms.model).type === 'regression';
    // a number is x·w itself; its target is scaled to [0, 1], as every trainer has it
    return { weights: isNumber ? Float32Array.from(solution) : toScores(solution, statistics), state: NO_STATE };
  },
});

function ridgeFaults({ model }: Sketch<Terms>): TaskFault[] {
  if (model && typeOf(model) === 'classes') {
    // the strategy has to change: what this one asks of a model then no longer counts
    return [{ path: 'strategy.name', advice: 'ridge has one output: for classes, name fedavg or another that trains' }];
  }
  return [
    ...wanted(model?.layers?.length, 1, 'model.layers', 'ridge is linear: name the score layer alone'),
    ...wanted(model?.loss, 'squared', 'model.loss', 'ridge minimises the squared loss: name that'),
    ...(model?.l2 === 0 ? [{ path: 'model.l2', advice: 'one-hot columns need a penalty: give l2 over 0' }] : []),
  ];
}

/** Steps are powers of two: sums of features that are whole numbers, or fractions on that grid, are exact. */
function ridgeParts({ featureBound, entryBits }: RidgeSettings, { terms, features }: Shape): VectorPart[] {
  const heaviest = Math.max(1, terms.model.positiveWeight);
  const bound = terms.update.weightBound * heaviest * Math.max(1, featureBound * featureBound);
  let range = 1;
  while (range <= bound) range *= 2;
  const entry = { step: range / 2 ** (entryBits - 1), bits: entryBits, signed: true };
  const columns = features + 1;
  return [
    { name: 'gram', length: triangleLength(columns), ...entry },
    { name: 'moments', length: columns, ...entry },
  ];
}

/** @throws ConcordatError VALUE_OUT_OF_RANGE naming the column, never the value */
export function statisticsOf(
  features: Float32Array,
  labels: Labels,
  shape: Shape,
  featureBound: number,
): SufficientStatistics {
  const columns = shape.features + 1;
  const gram = new Float64Array(triangleLength(columns));
  const moments = new Float64Array(columns);
  const row = new Float64Array(columns).fill(1);
  for (let r = 0; r < labels.length; r++) {
    const label = labels[r] ?? 0;
    row.set(features.subarray(r * shape.features, (r + 1) * shape.features));
    const beyond = row.findIndex((x) => !(Math.abs(x) <= Math.max(1, featureBound)));
    if (beyond !== -1) {
      throw new ConcordatError('VALUE_OUT_OF_RANGE', `column ${beyond} is beyond featureBound ${featureBound}`);
    }
    addRow(row, label === 1 ? shape.terms.model.positiveWeight : 1, label, gram, moments);
  }
  return { gram, moments };
}

function addRow(row: Float64Array, weight: number, label: number, gram: Float64Array, moments: Float64Array): void {
  const columns = row.length;
  for (let i = 0; i < columns; i++) {
    const x = weight * (row[i] ?? 0);
    if (x === 0) continue; // most columns are one-hot
    const start = triangleIndex(i, i, columns) - i;
    for (let j = i; j < columns; j++) gram[start + j] = (gram[start + j] ?? 0) + x * (row[j] ?? 0);
    if (label !== 0) moments[i] = (moments[i] ?? 0) + x * label;
  }
}

/**
 * argmin ½·mean(weight·(x·w − y)²) + (l2/2)·|w|², the constant's weight not penalised.
 * @throws ConcordatError TRAINING_DIVERGED when the statistics are no statistics
 */
export function solveRidge({ gram, moments }: SufficientStatistics, l2: number): Float64Array {
  const columns = moments.length;
  const penalised = gram.slice();
  const total = gram[gram.length - 1] ?? 0; // 1·1 over all records: their weight
  for (let i = 0; i < columns - 1; i++) {
    const at = triangleIndex(i, i, columns);
    penalised[at] = (penalised[at] ?? 0) + l2 * total;
  }
  const solution = solveSymmetric(penalised, moments);
  if (solution === undefined) {
    throw new ConcordatError('TRAINING_DIVERGED', 'the summed statistics are not positive definite: raise model.l2');
  }
  return solution;
}

/**
 * The model's score is a sigmoid; this is the line through it at the base rate p: logit(p) + (x·w − p)/(p(1−p)). The ranking
 * is that of x·w, and scores near p are its probabilities.
 */
function toScores(solution: Float64Array, { gram, moments }: SufficientStatistics): Float32Array {
  // half a record of each label, so that p is inside (0, 1)
  const p = ((moments.at(-1) ?? 0) + 0.5) / ((gram.at(-1) ?? 0) + 1);
  const slope = 1 / (p * (1 - p));
  const weights = Float32Array.from(solution, (w) => slope * w);
  weights[weights.length - 1] = log(p / (1 - p)) + slope * ((solution.at(-1) ?? 0) - p);
  return weights;
}
