// The accountant: what a task's rounds cost a customer, and how much noise a budget needs.
import { ORDERS, smallestEpsilon } from './conversion.ts';
import { closenessRdp, sampledDiscreteGaussianRdp } from './rdp.ts';
import type { DpTerms } from './terms.ts';

/** What an accountant reads of a task's privacy. */
export type NoiseTerms = Pick<DpTerms, 'delta' | 'noiseMultiplier' | 'samplingRate'>;

/** Share of delta kept for rare events: a rounding that moves a sum too far, a noise beyond its slot (release.ts). */
const RESERVED_SHARE = 0.01;

/** The chance of any such event in one round. */
export const rareEventChance = (delta: number, rounds: number): number => (delta * RESERVED_SHARE) / rounds;

/** All coordinates together: how far the summed noise shares may be from one discrete Gaussian (release.ts refuses more). */
export const SHARES_DISTANCE = 1e-12;

export interface Accountant {
  /** Epsilon per customer at the task's delta once so many sums have been opened. */
  epsilonAfter(sums: number): number;
  /** The same in thousandths, rounded up. */
  epsilonMilliAfter(sums: number): number;
}

/** `rounds`: how many the task has; more sums than that use up more of delta. */
export function createAccountant(terms: NoiseTerms, rounds: number): Accountant {
  const perSum = new Map(
    ORDERS.map((order) => [order, sampledDiscreteGaussianRdp(terms, order) + closenessRdp(SHARES_DISTANCE, order)]),
  );
  function epsilonAfter(sums: number): number {
    if (sums === 0) return 0;
    const delta = terms.delta - rareEventChance(terms.delta, rounds) * Math.max(rounds, sums);
    if (delta <= 0) return Number.POSITIVE_INFINITY;
    return smallestEpsilon((order) => sums * (perSum.get(order) ?? Number.POSITIVE_INFINITY), delta).epsilon;
  }
  return { epsilonAfter, epsilonMilliAfter: (sums) => Math.ceil(1_000 * epsilonAfter(sums)) };
}

/** Most sums that may be opened; at most `rounds`. */
export function affordableSums(accountant: Accountant, epsilon: number, rounds: number): number {
  let [fits, tooMany] = [0, rounds + 1];
  while (tooMany - fits > 1) {
    const middle = Math.floor((fits + tooMany) / 2);
    if (accountant.epsilonAfter(middle) <= epsilon) fits = middle;
    else tooMany = middle;
  }
  return fits;
}

export interface NoiseTarget {
  readonly epsilon: number;
  readonly delta: number;
  readonly samplingRate: number;
  readonly rounds: number;
}

/** Relative: what a calibrated multiplier may be above the smallest one that does. */
const TOLERANCE = 1e-4;

/** The smallest noise multiplier with which all rounds fit the budget, but for the tolerance; never below it. */
export function calibrateNoise({ epsilon, delta, samplingRate, rounds }: NoiseTarget): number {
  const fits = (noiseMultiplier: number) =>
    createAccountant({ delta, samplingRate, noiseMultiplier }, rounds).epsilonAfter(rounds) <= epsilon;
  let high = 1;
  while (!fits(high)) high *= 2;
  let low = high / 2;
  while (low > 1e-3 && fits(low)) [high, low] = [low, low / 2];
  while (high / low > 1 + TOLERANCE) {
    const middle = Math.sqrt(low * high);
    if (fits(middle)) high = middle;
    else low = middle;
  }
  return high;
}
