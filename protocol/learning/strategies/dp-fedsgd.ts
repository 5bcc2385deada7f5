// DP-FedSGD: a round is one step of centralised DP-SGD (Abadi et al. 2016) without a trusted curator. Each dealer adds up clipped
// gradients of a Poisson sample of its customers; the secure sum and the dealers' noise shares do the rest.
import { z } from 'zod';
import { measureOf } from '../measure.ts';
import { createDither } from '../privacy/dither.ts';
import { consistentCounts } from '../privacy/noisy-counts.ts';
import { cutOff, FINE_PER_LEVEL, planRelease, type Release, toLevels } from '../privacy/release.ts';
import { poissonSample } from '../privacy/sampling.ts';
import { type DpTerms, dpTermsOf } from '../privacy/terms.ts';
import type { Sketch } from '../sketch.ts';
import { descentFaults } from './local-sgd.ts';
import {
  type Contribution,
  type Labels,
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

export const dpFedSgdSettings = z.strictObject({
  name: z.literal('dp-fedsgd'),
  /** Of the server's step along the noisy mean gradient. */
  learningRate: z.number().positive().max(1_000),
  /** Of the step before; 0 = none. */
  momentum: z.number().min(0).max(0.999),
  /** Share of the average so far in the published model, which is a running average of the iterates; 0 = the iterate itself. */
  averageDecay: z.number().min(0).max(0.999),
  /** A coordinate of a dealer's sum is cut off beyond this many clip norms. */
  sumRange: z.number().min(1).max(10_000),
  /** What a customer's evaluation count moves, over the clip norm; 0 = the model is not evaluated, and attests no accuracy. */
  evaluationShare: z.number().min(0).max(1),
});
export type DpFedSgdSettings = z.output<typeof dpFedSgdSettings>;

export const dpFedSgd = (settings: DpFedSgdSettings): Strategy => ({
  // gradients are taken at the iterate, which is not the model then
  ...(settings.averageDecay > 0 && { dealersReadState: true as const }),
  faults: dpFedSgdFaults,
  parts: (shape) => partsOf(settings, shape),
  release: (shape) => releaseOf(settings, shape),
  contribute: async (work) => contribute(settings, work),
  counts: ([, counts], shape) => readCounts(settings, counts, shape),
  step: (round) => step(settings, round),
});

const dpFedSgdFaults = (terms: Sketch<Terms>): TaskFault[] => [
  ...descentFaults('dp-fedsgd', terms),
  ...wanted(terms.privacy?.mode, 'dp', 'privacy.mode', 'dp-fedsgd needs a budget: give mode: dp'),
];

/** A customer is counted in one of them. */
const countersOf = ({ evaluationShare }: DpFedSgdSettings, terms: Terms): number =>
  evaluationShare === 0 ? 0 : measureOf(terms).counters;

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

function pick(labels: Labels, rows: Uint32Array): Labels {
  const picked = new Float32Array(rows.length);
  rows.forEach((row, i) => {
    picked[i] = labels[row] ?? 0;
  });
  return picked;
}

/** Levels per unit of gradient, on the fine grid. */
const unitsPerGradient = ({ levelsPerClip }: Release, { clipNorm }: DpTerms): number =>
  (levelsPerClip * FINE_PER_LEVEL) / clipNorm;

function contribute(settings: DpFedSgdSettings, work: LocalWork): Contribution {
  const { shape, base, serverState, fillRandom, trainer } = work;
  const terms = dpTermsOf(shape.terms.privacy);
  const release = releaseOf(settings, shape);
  const sample = sampleOf(work, poissonSample(work.labels.length, terms.samplingRate, fillRandom));
  const { sum, scores } = trainer.clippedSum({
    weights: serverState.iterate ? Float32Array.from(serverState.iterate) : base,
    ...sample,
    clipNorm: terms.clipNorm,
    unitsPerGradient: unitsPerGradient(release, terms),
  });
  const gradient = toLevels(sum, createDither(sum.length, fillRandom), release);
  // what is measured is the published model
  const published = serverState.iterate ? trainer.score(base, sample.features) : scores;
  const counts = settings.evaluationShare === 0 ? [] : measureOf(shape.terms).countsOf(published, sample.labels);
  const levels = Float64Array.from(counts, (count) => cutOff(count * release.levelsPerCount, release.mostLevel));
  return { parts: [gradient, levels], dealerState: NO_STATE };
}

function sampleOf({ shape, features, labels }: LocalWork, rows: Uint32Array) {
  const sampled = new Float32Array(rows.length * shape.features);
  rows.forEach((row, i) => {
    sampled.set(features.subarray(row * shape.features, (row + 1) * shape.features), i * shape.features);
  });
  return { features: sampled, labels: pick(labels, rows) };
}

/** Of the customers sampled, noise and all. Without counts there is nothing to measure, and a floor is breached. */
function readCounts(settings: DpFedSgdSettings, levels: Float64Array | undefined, shape: Shape): Uint32Array {
  const { levelsPerCount } = releaseOf(settings, shape);
  return consistentCounts((levels ?? new Float64Array()).map((level) => level / levelsPerCount));
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
  // the published model is a running average (Polyak and Juditsky 1992; with noise: De et al. 2022), the iterate is carried
  const from = state.iterate ?? Float64Array.from(base);
  const velocity = from.map((weight, i) => {
    const gradient = (sums[0]?.[i] ?? 0) * perLevel + (penalised[i] ? model.l2 * weight : 0);
    return settings.momentum * (state.velocity?.[i] ?? 0) + gradient;
  });
  const iterate = from.map((weight, i) => weight - settings.learningRate * (velocity[i] ?? 0));
  const decay = settings.averageDecay;
  return {
    weights: base.map((average, i) => decay * average + (1 - decay) * (iterate[i] ?? 0)),
    state: {
      ...(settings.momentum > 0 && { velocity }),
      ...(decay > 0 && { iterate }),
    },
  };
}

/** 1 for a kernel's weight, 0 for a bias, in layout order. */
function kernelMask({ terms, features, parameters }: Shape): Uint8Array {
  const mask = new Uint8Array(parameters).fill(1);
  let [at, inputs] = [0, features];
  for (const { units } of terms.model.layers ?? []) {
    at += inputs * units;
    mask.fill(0, at, at + units);
    [at, inputs] = [at + units, units];
  }
  return mask;
}
