// Ridge regression with differential privacy, in one round: noise on the summed statistics, then a penalty to match the noise.
// After Wang, "Revisiting Differentially Private Linear Regression", 2018 (sufficient statistics perturbation).
import { z } from 'zod';
import { log } from '../../elementary.ts';
import { outputOf, typeOf } from '../output.ts';
import { createDither } from '../privacy/dither.ts';
import { eigenSystem } from '../privacy/eigen.ts';
import { FINE_PER_LEVEL, planRelease, type Release, toLevels } from '../privacy/release.ts';
import { dpTermsOf } from '../privacy/terms.ts';
import type { Sketch } from '../sketch.ts';
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
  wanted,
} from './strategy.ts';

export const dpRidgeSettings = z.strictObject({
  name: z.literal('dp-ridge'),
  /** An entry of a dealer's statistics is cut off beyond this; a customer adds up to 1, or momentWeight. */
  sumRange: z.number().min(1).max(10_000),
  /** How many times more exactly Xᵀy is released than XᵀX: the two share one noise. */
  momentWeight: z.number().min(0.1).max(10),
  /** In units of noise·sqrt(columns): at 2 it is about the norm of the noise in XᵀX. */
  penalty: z.number().min(0.1).max(100),
});
type DpRidgeSettings = z.output<typeof dpRidgeSettings>;

/**
 * With x in clip norms and y in [0, 1], a customer adds v = (upper triangle of x·xᵀ, momentWeight·y·x), of squared length
 * (|x|⁴ + Σ xᵢ⁴)/2 + momentWeight²·y²·|x|² — for |x| = 1 and many small features, and y = 1, about the square of this. Who has
 * more is weighed down to it.
 */
const mostOf = ({ momentWeight }: DpRidgeSettings): number => Math.sqrt(0.5 + momentWeight * momentWeight);

export const dpRidge = (settings: DpRidgeSettings): Strategy => ({
  faults: dpRidgeFaults,
  parts: (shape) => partsOf(settings, shape),
  release: (shape) => releaseOf(settings, shape),
  contribute: async (work) => contribute(settings, work),
  // the model that a one-round task starts from is the same for everybody: nothing to measure
  counts: () => new Uint32Array(),
  step: (round) => ({ weights: solve(settings, round), state: NO_STATE }),
});

function dpRidgeFaults({ model, privacy, rounds }: Sketch<Terms>): TaskFault[] {
  if (model && typeOf(model) === 'classes') {
    // the strategy has to change: what this one asks of a task then no longer counts
    return [{ path: 'strategy.name', advice: 'dp-ridge has one output: for classes, name dp-fedsgd' }];
  }
  const samplingRate = privacy?.mode === 'dp' ? privacy.samplingRate : undefined;
  return [
    ...wanted(model?.layers?.length, 1, 'model.layers', 'dp-ridge is linear: name the score layer alone'),
    ...wanted(model?.loss, 'squared', 'model.loss', 'dp-ridge minimises the squared loss: name that'),
    ...wanted(model?.positiveWeight, 1, 'model.positiveWeight', 'dp-ridge weighs all alike: give 1'),
    ...wanted(model?.l2, 0, 'model.l2', 'dp-ridge takes its penalty from the noise: give 0'),
    ...wanted(rounds, 1, 'rounds', 'dp-ridge is done after one: give 1'),
    ...wanted(privacy?.mode, 'dp', 'privacy.mode', 'dp-ridge needs a budget: give mode: dp'),
    ...wanted(samplingRate, 1, 'privacy.samplingRate', 'dp-ridge uses everybody: give 1'),
  ];
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

function releaseOf(settings: DpRidgeSettings, { terms, features }: Shape): Release {
  return planRelease(dpTermsOf(terms.privacy), {
    rounded: triangleLength(features + 1) + features + 1,
    counted: 0,
    countShare: 0,
    sumRange: settings.sumRange / mostOf(settings),
    valueBits: terms.update.valueBits,
    rounds: terms.rounds,
  });
}

function contribute(settings: DpRidgeSettings, { shape, features, labels, fillRandom }: LocalWork): Contribution {
  const { clipNorm } = dpTermsOf(shape.terms.privacy);
  const release = releaseOf(settings, shape);
  const columns = shape.features + 1;
  const gram = new Float64Array(triangleLength(columns));
  const moments = new Float64Array(columns);
  const unit = (release.levelsPerClip * FINE_PER_LEVEL) / mostOf(settings);
  const row = new Float64Array(columns);
  labels.forEach((label, r) => {
    row.fill(1 / clipNorm);
    for (let i = 0; i < shape.features; i++) row[i] = (features[r * shape.features + i] ?? 0) / clipNorm;
    addCustomer(row, unit * customerWeight(row, settings), label * settings.momentWeight, gram, moments);
  });
  const rounded = (fine: Float64Array) => toLevels(fine, createDither(fine.length, fillRandom), release);
  return { parts: [rounded(gram), rounded(moments)], dealerState: NO_STATE };
}

/** min(1, most/|v|), whatever the label is; nothing for what is not finite. */
function customerWeight(row: Float64Array, settings: DpRidgeSettings): number {
  let [squares, fourths] = [0, 0];
  for (const x of row) {
    const square = x * x;
    [squares, fourths] = [squares + square, fourths + square * square];
  }
  const moment = settings.momentWeight * settings.momentWeight * squares;
  const norm = Math.sqrt((squares * squares + fourths) / 2 + moment);
  return Number.isFinite(norm) ? Math.min(1, mostOf(settings) / norm) : 0;
}

/** Each product is rounded on its own to whole fine units, so that sums are exact and a customer's part is nobody else's. */
function addCustomer(row: Float64Array, unit: number, moment: number, gram: Float64Array, moments: Float64Array): void {
  if (unit === 0) return; // with what is not finite in it
  const columns = row.length;
  for (let i = 0; i < columns; i++) {
    const x = unit * (row[i] ?? 0);
    if (x === 0) continue; // most columns are one-hot
    const start = triangleIndex(i, i, columns) - i;
    for (let j = i; j < columns; j++) gram[start + j] = (gram[start + j] ?? 0) + Math.round(x * (row[j] ?? 0));
    if (moment !== 0) moments[i] = (moments[i] ?? 0) + Math.round(x * moment);
  }
}

/**
 * (A⁺ + penalty)⁻¹·b, A⁺ the noisy XᵀX without its negative eigenvalues. The norm of the noise matrix is about
 * 2·noise·sqrt(columns): below it, eigenvalues are noise. Xᵀy is noisy too, so a larger penalty may do better.
 */
function solve(settings: DpRidgeSettings, { shape, sums: [gram, moments], dealers, totalWeightFraction }: ServerRound) {
  const { clipNorm } = dpTermsOf(shape.terms.privacy);
  const release = releaseOf(settings, shape);
  const columns = shape.features + 1;
  const perLevel = mostOf(settings) / release.levelsPerClip;
  const b = (moments ?? new Float64Array()).map((level) => (level * perLevel) / settings.momentWeight);
  const rows = Array.from({ length: columns }, (_, i) =>
    Float64Array.from({ length: columns }, (_, j) => {
      const at = triangleIndex(Math.min(i, j), Math.max(i, j), columns);
      return (gram?.[at] ?? 0) * perLevel;
    }),
  );
  const noise = Math.sqrt(dealers * release.shareVariance) * perLevel;
  const penalty = settings.penalty * noise * Math.sqrt(columns);
  const solution = new Float64Array(columns);
  for (const { value, vector } of eigenSystem(rows)) {
    const along = vector.reduce((sum, v, i) => sum + v * (b[i] ?? 0), 0) / (Math.max(0, value) + penalty);
    vector.forEach((v, i) => {
      solution[i] = (solution[i] ?? 0) + along * v;
    });
  }
  if (outputOf(shape.terms.model).type === 'regression') return Float32Array.from(solution, (w) => w / clipNorm);
  const records = totalWeightFraction * shape.terms.update.weightBound;
  // 1·1 over all customers, by their weights: noisy, and never more than there are records
  const counted = Math.max(RARE * records, Math.min(records, (rows.at(-1)?.at(-1) ?? 0) * clipNorm * clipNorm));
  return toScores(solution, clipNorm, ((b.at(-1) ?? 0) * clipNorm) / counted);
}

const RARE = 0.001;

/** The score is a sigmoid; this is the line through it at the base rate p: logit(p) + (x·w − p)/(p(1−p)). */
function toScores(solution: Float64Array, clipNorm: number, share: number): ServerStep['weights'] {
  const p = Math.max(RARE, Math.min(1 - RARE, share));
  const slope = 1 / (p * (1 - p));
  const weights = Float32Array.from(solution, (w) => (slope * w) / clipNorm);
  weights[weights.length - 1] = log(p / (1 - p)) + slope * ((solution.at(-1) ?? 0) / clipNorm - p);
  return weights;
}
