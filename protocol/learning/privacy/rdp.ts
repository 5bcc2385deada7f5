// Renyi differential privacy of one noisy sum over a Poisson sample of customers; noise multiplier = sigma / sensitivity.
import { exp, log, log1p } from '../../elementary.ts';
import { logAdd, logErfc, logSubtract } from './log-space.ts';

/** A sum over customers, each sampled with probability samplingRate, plus Gaussian noise. */
export interface SampledGaussian {
  readonly samplingRate: number;
  readonly noiseMultiplier: number;
}

/** log E[(1 - q + q·p1/p0)^order] over p0, at a whole order: the binomial theorem and E[(p1/p0)^k] = exp((k^2-k)/(2 z^2)). */
function logMomentAtWhole({ samplingRate: q, noiseMultiplier: z }: SampledGaussian, order: number): number {
  let logChoose = 0;
  let sum = Number.NEGATIVE_INFINITY;
  for (let k = 0; k <= order; k++) {
    sum = logAdd(sum, logChoose + k * log(q) + (order - k) * log1p(-q) + (k * k - k) / (2 * z * z));
    logChoose += log(order - k) - log(k + 1);
  }
  return Math.max(0, sum);
}

const NEGLIGIBLE_LOG = -40;
const MOST_TERMS = 10_000;

/**
 * The same at a broken order: Mironov, Talwar, Zhang, "Renyi Differential Privacy of the Sampled Gaussian Mechanism", 2019:
 * two series, cut where the two terms of the mixture are equal.
 */
function logMomentAtBroken({ samplingRate: q, noiseMultiplier: z }: SampledGaussian, order: number): number {
  const cut = z * z * log(1 / q - 1) + 0.5;
  const [logQ, logRest, logHalf] = [log(q), log1p(-q), log(0.5)];
  let [below, above] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let logChoose = 0;
  let positive = true;
  for (let k = 0; k < MOST_TERMS; k++) {
    const rest = order - k;
    const low = logHalf + logErfc((k - cut) / (Math.SQRT2 * z)) + (k * k - k) / (2 * z * z);
    const high = logHalf + logErfc((cut - rest) / (Math.SQRT2 * z)) + (rest * rest - rest) / (2 * z * z);
    const [lowTerm, highTerm] = [
      logChoose + k * logQ + rest * logRest + low,
      logChoose + rest * logQ + k * logRest + high,
    ];
    below = positive ? logAdd(below, lowTerm) : logSubtract(below, lowTerm);
    above = positive ? logAdd(above, highTerm) : logSubtract(above, highTerm);
    if (Math.max(lowTerm, highTerm) < NEGLIGIBLE_LOG && k > order) break;
    const factor = rest / (k + 1);
    if (factor < 0) positive = !positive;
    logChoose += log(Math.abs(factor));
  }
  return Math.max(0, logAdd(below, above));
}

/** For continuous noise, at any order above 1. Neighbours: one customer more or less. */
export function sampledGaussianRdp(mechanism: SampledGaussian, order: number): number {
  const { samplingRate, noiseMultiplier } = mechanism;
  if (samplingRate === 0) return 0;
  if (noiseMultiplier === 0) return Number.POSITIVE_INFINITY;
  if (samplingRate === 1) return order / (2 * noiseMultiplier * noiseMultiplier);
  const whole = Number.isInteger(order);
  return (whole ? logMomentAtWhole : logMomentAtBroken)(mechanism, order) / (order - 1);
}

/**
 * For discrete Gaussian noise and a sum that one customer moves by an integer vector. At a whole order the two agree exactly:
 * the k-th moment of a shifted discrete Gaussian is exp((k^2-k)·shift^2/(2 sigma^2)), because a sum over all integers does not
 * change under an integer shift (Canonne, Kamath, Steinke 2020). Between whole orders the log moment is convex in
 * the order, so the chord is an upper bound. The worse of the two directions is the one computed, as for continuous noise: the
 * reflection x -> shift - x swaps the two distributions (Mironov et al. 2019).
 */
export function sampledDiscreteGaussianRdp(mechanism: SampledGaussian, order: number): number {
  if (mechanism.samplingRate === 1 || Number.isInteger(order)) return sampledGaussianRdp(mechanism, order);
  const below = Math.floor(order);
  const share = order - below;
  const logMoment = (at: number) => (at <= 1 ? 0 : sampledGaussianRdp(mechanism, at) * (at - 1));
  return ((1 - share) * logMoment(below) + share * logMoment(below + 1)) / (order - 1);
}

/**
 * The sum of `shares` discrete Gaussians of the same variance is almost the discrete Gaussian of the summed variance: each
 * probability is off by a factor of at most e^tau per coordinate. Kairouz, Liu, Steinke, "The Distributed Discrete Gaussian
 * Mechanism", 2021: tau = 10·sum over k of exp(-2 pi^2 shareVariance·k/(k+1)).
 */
export function closenessOfShares(shares: number, shareVariance: number): number {
  let sum = 0;
  for (let k = 1; k < shares; k++) sum += exp((-2 * Math.PI * Math.PI * shareVariance * k) / (k + 1));
  return 10 * sum;
}

/** What a mechanism loses whose probabilities are within e^±distance of another's: on both sides of the divergence. */
export const closenessRdp = (distance: number, order: number): number =>
  distance === 0 ? 0 : (distance * (2 * order - 1)) / (order - 1);
