// DP-FedSGD: a round is one step of centralised DP-SGD (Abadi et al. 2016) without a trusted curator. Each dealer adds up clipped
// gradients of a Poisson sample of its customers; the secure sum and the dealers' noise shares do the rest.
import { z } from 'zod';
import { histogramOf, type ScoreHistogram } from '../metrics.ts';
import { createDither } from '../privacy/dither.ts';
import { consistentCounts } from '../privacy/noisy-counts.ts';
import { cutOff, FINE_PER_LEVEL, planRelease, type Release, toLevels } from '../privacy/release.ts';
import { poissonSample } from '../privacy/sampling.ts';
import { type DpTerms, dpTermsOf } from '../privacy/terms.ts';
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

export const dpFedSgdSettings = z.strictObject({
  name: z.literal('dp-fedsgd'),
  /** Of the server's step along the noisy mean gradient. */
  learningRate: z.number().positive().max(1_000),
  /** Of the step before; 0 = none. */
  momentum: z.number().min(0).max(0.999),
  /** A coordinate of a dealer's sum is cut off beyond this many clip norms. */
  sumRange: z.number().min(1).max(10_000),
  /** What a customer's evaluation count moves, over the clip norm; 0 = the model is not evaluated, and attests no accuracy. */
  evaluationShare: z.number().min(0).max(1),
});
export type DpFedSgdSettings = z.output<typeof dpFedSgdSettings>;

export const dpFedSgd = (settings: DpFedSgdSettings): Strategy => ({
  fault: dpFedSgdFault,
  parts: (shape) => partsOf(settings, shape),
  release: (shape) => releaseOf(settings, shape),
  contribute: async (work) => contribute(settings, work),
  histogram: ([, counts], shape) => readCounts(settings, counts, shape),
  step: (round) => step(settings, round),
});

function dpFedSgdFault({ model, privacy }: Terms): TaskFault | undefined {
  if (model.loss !== 'sigmoid-cross-entropy') {
    return { path: 'model.loss', advice: 'dp-fedsgd descends on sigmoid-cross-entropy: name that loss' };
  }
  if (privacy.mode !== 'dp') return { path: 'privacy.mode', advice: 'dp-fedsgd needs a budget: give mode: dp' };
  return undefined;
}

/** Label 0, then label 1. */
const countersOf = ({ evaluationShare }: DpFedSgdSettings, { evaluation }: Terms): number =>
  evaluationShare === 0 ? 0 : 2 * evaluation.histogramBins;

/** Values are levels themselves: the noise is whole levels too. */
function partsOf(settings: DpFedSgdSettings, shape: Shape): VectorPart[] {
  const { terms, parameters } = shape;
  releaseOf(settings, shape); // refused here, where every party starts
  const level = { step: 1, bits: terms.update.valueBits, signed: true };
  return [
    { name: 'gradient', length: parameters, ...level },
    { name: 'evaluation', length: countersOf(settings, terms), ...level },
  ];
}

function releaseOf(settings: DpFedSgdSettings, { terms, parameters }: Shape): Release {
  return planRelease(dpTermsOf(terms.privacy), {
    rounded: parameters,
    counted: countersOf(settings, terms),
    countShare: settings.evaluationShare,
    sumRange: settings.sumRange,
    valueBits: terms.update.valueBits,
    rounds: terms.rounds,
  });
}

/** Levels per unit of gradient, on the fine grid. */
const unitsPerGradient = ({ levelsPerClip }: Release, { clipNorm }: DpTerms): number =>
  (levelsPerClip * FINE_PER_LEVEL) / clipNorm;

function contribute(settings: DpFedSgdSettings, work: LocalWork): Contribution {
  const { shape, base, fillRandom, trainer } = work;
  const terms = dpTermsOf(shape.terms.privacy);
  const release = releaseOf(settings, shape);
  const sample = sampleOf(work, poissonSample(work.labels.length, terms.samplingRate, fillRandom));
  const { sum, scores } = trainer.clippedSum({
    weights: base,
    ...sample,
    clipNorm: terms.clipNorm,
    unitsPerGradient: unitsPerGradient(release, terms),
  });
  const gradient = toLevels(sum, createDither(sum.length, fillRandom), release);
  const counts = countLevels(scores, sample.labels, countersOf(settings, shape.terms), release);
  return { parts: [gradient, counts], dealerState: NO_STATE };
}

function sampleOf({ shape, features, labels }: LocalWork, rows: Uint32Array) {
  const sampled = new Float32Array(rows.length * shape.features);
  rows.forEach((row, i) => {
    sampled.set(features.subarray(row * shape.features, (row + 1) * shape.features), i * shape.features);
  });
  return { features: sampled, labels: Uint8Array.from(rows, (row) => labels[row] ?? 0) };
}

function countLevels(scores: Float32Array, labels: Uint8Array, counters: number, release: Release): Float64Array {
  const levels = new Float64Array(counters);
  if (counters === 0) return levels;
  const { negatives, positives } = histogramOf(scores, labels, counters / 2);
  [...negatives, ...positives].forEach((count, i) => {
    levels[i] = cutOff(count * release.levelsPerCount, release.mostLevel);
  });
  return levels;
}

/** Of the customers sampled, noise and all. Without counts there is nothing to measure, and a floor is breached. */
function readCounts(settings: DpFedSgdSettings, levels: Float64Array | undefined, shape: Shape): ScoreHistogram {
  const bins = countersOf(settings, shape.terms) / 2;
  const { levelsPerCount } = releaseOf(settings, shape);
  const counts = consistentCounts((levels ?? new Float64Array()).map((level) => level / levelsPerCount));
  return { negatives: counts.subarray(0, bins), positives: counts.subarray(bins) };
}

/** The mean is over the customers expected in the sample: how many were in it is nobody's to know. */
function step(settings: DpFedSgdSettings, round: ServerRound): ServerStep {
  const { shape, base, state, sums, totalWeightFraction } = round;
  const { model, update, privacy } = shape.terms;
  const terms = dpTermsOf(privacy);
  const { levelsPerClip } = releaseOf(settings, shape);
  const expected = terms.samplingRate * totalWeightFraction * update.weightBound;
  const perLevel = terms.clipNorm / levelsPerClip / expected;
  const penalised = kernelMask(shape);
  const velocity = Float64Array.from(base, (weight, i) => {
    const gradient = (sums[0]?.[i] ?? 0) * perLevel + (penalised[i] ? model.l2 * weight : 0);
    return settings.momentum * (state.velocity?.[i] ?? 0) + gradient;
  });
  const weights = base.map((weight, i) => weight - settings.learningRate * (velocity[i] ?? 0));
  return { weights, state: settings.momentum === 0 ? NO_STATE : { velocity } };
}

/** 1 for a kernel's weight, 0 for a bias, in layout order. */
function kernelMask({ terms, features, parameters }: Shape): Uint8Array {
  const mask = new Uint8Array(parameters).fill(1);
  let [at, inputs] = [0, features];
  for (const { units } of terms.model.layers) {
    at += inputs * units;
    mask.fill(0, at, at + units);
    [at, inputs] = [at + units, units];
  }
  return mask;
}
