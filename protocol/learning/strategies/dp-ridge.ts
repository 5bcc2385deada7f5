// Ridge regression with differential privacy, in one round: noise on the summed statistics, then a penalty to match the noise.
// After Wang, "Revisiting Differentially Private Linear Regression", 2018 (sufficient statistics perturbation).
import { z } from 'zod';
import type { ScoreHistogram } from '../metrics.ts';
import { createDither } from '../privacy/dither.ts';
import { eigenSystem } from '../privacy/eigen.ts';
import { FINE_PER_LEVEL, planRelease, type Release, toLevels } from '../privacy/release.ts';
import { dpTermsOf } from '../privacy/terms.ts';
import { triangleIndex, triangleLength } from './cholesky.ts';
import {
  type Contribution,
  type LocalWork,
  NO_STATE,
  type ServerRound,
  type ServerStep,
  type Shape,
  type Strategy,
  type TaskFault,
  type Terms,
  type VectorPart,
} from './strategy.ts';

export const dpRidgeSettings = z.strictObject({
  name: z.literal('dp-ridge'),
  /** An entry of a dealer's statistics is cut off beyond this; a customer adds up to 1. */
  sumRange: z.number().min(1).max(10_000),
});
type DpRidgeSettings = z.output<typeof dpRidgeSettings>;

/**
 * With x cut down to norm 1 and y in {0, 1}, a customer moves the upper triangle of XᵀX by at most 1 and Xᵀy by at most 1: two
 * releases of sensitivity 1, or one of the two together.
 */
const JOINT_NORM = Math.SQRT2;

export const dpRidge = (settings: DpRidgeSettings): Strategy => ({
  fault: dpRidgeFault,
  parts: (shape) => partsOf(settings, shape),
  release: (shape) => releaseOf(settings, shape),
  contribute: async (work) => contribute(releaseOf(settings, work.shape), work),
  // the model that a one-round task starts from is the same for everybody: nothing to measure
  histogram: (): ScoreHistogram => ({ negatives: new Uint32Array(), positives: new Uint32Array() }),
  step: (round) => ({ weights: solve(releaseOf(settings, round.shape), round), state: NO_STATE }),
});

function dpRidgeFault({ model, privacy, rounds }: Terms): TaskFault | undefined {
  if (model.layers.length !== 1)
    return { path: 'model.layers', advice: 'dp-ridge is linear: name the score layer alone' };
  if (model.loss !== 'squared') return { path: 'model.loss', advice: 'dp-ridge minimises the squared loss: name that' };
  if (model.positiveWeight !== 1) return { path: 'model.positiveWeight', advice: 'dp-ridge weighs all alike: give 1' };
  if (model.l2 !== 0) return { path: 'model.l2', advice: 'dp-ridge takes its penalty from the noise: give 0' };
  if (rounds !== 1) return { path: 'rounds', advice: 'dp-ridge is done after one: give 1' };
  if (privacy.mode !== 'dp') return { path: 'privacy.mode', advice: 'dp-ridge needs a budget: give mode: dp' };
  if (privacy.samplingRate !== 1) return { path: 'privacy.samplingRate', advice: 'dp-ridge uses everybody: give 1' };
  return undefined;
}

function partsOf(settings: DpRidgeSettings, shape: Shape): VectorPart[] {
  const { terms, features } = shape;
  releaseOf(settings, shape); // refused here, where every party starts
  const level = { step: 1, bits: terms.update.valueBits, signed: true };
  return [
    { name: 'gram', length: triangleLength(features + 1), ...level },
    { name: 'moments', length: features + 1, ...level },
  ];
}

function releaseOf({ sumRange }: DpRidgeSettings, { terms, features }: Shape): Release {
  return planRelease(dpTermsOf(terms.privacy), {
    rounded: triangleLength(features + 1) + features + 1,
    counted: 0,
    countShare: 0,
    sumRange: sumRange / JOINT_NORM,
    valueBits: terms.update.valueBits,
    rounds: terms.rounds,
  });
}

function contribute(release: Release, { shape, features, labels, fillRandom }: LocalWork): Contribution {
  const { clipNorm } = dpTermsOf(shape.terms.privacy);
  const columns = shape.features + 1;
  const gram = new Float64Array(triangleLength(columns));
  const moments = new Float64Array(columns);
  const unit = Math.sqrt((release.levelsPerClip * FINE_PER_LEVEL) / JOINT_NORM);
  const row = new Float64Array(columns);
  labels.forEach((label, r) => {
    row.fill(1);
    row.set(features.subarray(r * shape.features, (r + 1) * shape.features));
    addCustomer(cutDown(row, clipNorm, unit), unit, label, gram, moments);
  });
  const rounded = (fine: Float64Array) => toLevels(fine, createDither(fine.length, fillRandom), release);
  return { parts: [rounded(gram), rounded(moments)], dealerState: NO_STATE };
}

/** x·min(1, clipNorm/|x|)/clipNorm, of norm 1 at most, times `unit`; nothing for what is not finite. */
function cutDown(row: Float64Array, clipNorm: number, unit: number): Float64Array {
  const norm = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
  if (!Number.isFinite(norm)) return row.fill(0);
  const factor = (unit * Math.min(1, clipNorm / norm)) / clipNorm;
  return row.map((x) => factor * x);
}

/** Each product is rounded on its own to whole fine units, so that sums are exact and a customer's part is nobody else's. */
function addCustomer(row: Float64Array, unit: number, label: number, gram: Float64Array, moments: Float64Array): void {
  const columns = row.length;
  for (let i = 0; i < columns; i++) {
    const x = row[i] ?? 0;
    if (x === 0) continue; // most columns are one-hot
    const start = triangleIndex(i, i, columns) - i;
    for (let j = i; j < columns; j++) gram[start + j] = (gram[start + j] ?? 0) + Math.round(x * (row[j] ?? 0));
    if (label === 1) moments[i] = (moments[i] ?? 0) + Math.round(x * unit);
  }
}

/**
 * (A⁺ + penalty)⁻¹·b, A⁺ the noisy XᵀX without its negative eigenvalues. The penalty is the norm of the noise matrix,
 * 2·z·sqrt(columns): below it, eigenvalues are noise.
 */
function solve(release: Release, { shape, sums: [gram, moments], dealers, totalWeightFraction }: ServerRound) {
  const { clipNorm } = dpTermsOf(shape.terms.privacy);
  const columns = shape.features + 1;
  const perLevel = JOINT_NORM / release.levelsPerClip;
  const b = (moments ?? new Float64Array()).map((level) => level * perLevel);
  const rows = Array.from({ length: columns }, (_, i) =>
    Float64Array.from({ length: columns }, (_, j) => {
      const at = triangleIndex(Math.min(i, j), Math.max(i, j), columns);
      return (gram?.[at] ?? 0) * perLevel;
    }),
  );
  const noise = Math.sqrt(dealers * release.shareVariance) * perLevel;
  const penalty = 2 * noise * Math.sqrt(columns);
  const solution = new Float64Array(columns);
  for (const { value, vector } of eigenSystem(rows)) {
    const along = vector.reduce((sum, v, i) => sum + v * (b[i] ?? 0), 0) / (Math.max(0, value) + penalty);
    vector.forEach((v, i) => {
      solution[i] = (solution[i] ?? 0) + along * v;
    });
  }
  const records = totalWeightFraction * shape.terms.update.weightBound;
  return toScores(solution, clipNorm, ((b.at(-1) ?? 0) * clipNorm) / records);
}

const RARE = 0.001;

/** The score is a sigmoid; this is the line through it at the base rate p: logit(p) + (x·w − p)/(p(1−p)). */
function toScores(solution: Float64Array, clipNorm: number, share: number): ServerStep['weights'] {
  const p = Math.max(RARE, Math.min(1 - RARE, share));
  const slope = 1 / (p * (1 - p));
  const weights = Float32Array.from(solution, (w) => (slope * w) / clipNorm);
  weights[weights.length - 1] = Math.log(p / (1 - p)) + slope * ((solution.at(-1) ?? 0) / clipNorm - p);
  return weights;
}
