// What FedAdam and FedYogi share (Reddi et al. 2021, algorithm 2): m ← β₁m + (1−β₁)Δ; w ← w + η·m/(√v + τ).
// They differ in v alone. As in the paper there is no bias correction, and v starts at τ².
import { z } from 'zod';
import { LOCAL_SGD, type LocalSgd, meanOf, serverRate, withServerStep } from './local-sgd.ts';
import type { Strategy } from './strategy.ts';

const decayRate = z.number().min(0).lt(1);

export const ADAPTIVE = {
  ...LOCAL_SGD,
  serverLearningRate: serverRate,
  beta1: decayRate,
  beta2: decayRate,
  /** How far a step adapts: small steps are divided by τ, not by their own size. */
  tau: z.number().positive().max(10),
};

interface Adaptive extends LocalSgd {
  readonly serverLearningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly tau: number;
}

/** @param secondMoment the next v, from v and Δ² */
export const adaptive = (settings: Adaptive, secondMoment: (v: number, squared: number) => number): Strategy => {
  const { serverLearningRate, beta1, tau } = settings;
  return withServerStep(settings, (round) => {
    const delta = meanOf(round, 0);
    const [m, v] = [round.state.m, round.state.v];
    const nextM = delta.map((d, i) => beta1 * (m?.[i] ?? 0) + (1 - beta1) * d);
    const nextV = delta.map((d, i) => secondMoment(v?.[i] ?? tau * tau, d * d));
    const weights = round.base.map(
      (weight, i) => weight + (serverLearningRate * (nextM[i] ?? 0)) / (Math.sqrt(nextV[i] ?? 0) + tau),
    );
    return { weights, state: { m: nextM, v: nextV } };
  });
};
