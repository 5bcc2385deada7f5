// How a noisy sum is put on whole numbers: the grid, what one customer can move on it, each dealer's share of the noise.
import { log } from '../../elementary.ts';
import { ConcordatError } from '../../errors.ts';
import { SECAGG } from '../../params.ts';
import { rareEventChance, SHARES_DISTANCE } from './accountant.ts';
import { closenessOfShares } from './rdp.ts';
import type { DpTerms } from './terms.ts';

/** Customers are added up on a grid this much finer than the levels that are sent, exactly. */
export const FINE_PER_LEVEL = 2 ** 16;

/** What a strategy sends, in clip norms: a customer moves `rounded` coordinates by a vector of norm 1 at most. */
export interface ReleaseShape {
  /** Coordinates that are rounded to levels. */
  readonly rounded: number;
  /** Counts: a customer is in one of them at most. */
  readonly counted: number;
  /** What a count moves, in clip norms; whole levels. */
  readonly countShare: number;
  /** A dealer's coordinate is cut off beyond this many clip norms at the earliest. */
  readonly sumRange: number;
  readonly valueBits: number;
  /** Of the task: over all of them the rare events are spread. */
  readonly rounds: number;
}

export interface Release {
  readonly levelsPerClip: number;
  readonly levelsPerCount: number;
  /** Largest L2 distance, in levels, between sums with and without a customer. */
  readonly sensitivity: number;
  /** Of each dealer's noise, in squared levels; whole, so that the sampler is exact. */
  readonly shareVariance: number;
  /** A dealer's sum is cut off here, before the noise. */
  readonly mostLevel: number;
}

/** Of computed norms: float64 arithmetic over a customer's own gradient, generously. */
const NORM_SLACK = 1 + 1e-9;

/**
 * A customer's vector, rounded at random to whole levels, is no longer than this but for a chance of `beta`: Kairouz, Liu,
 * Steinke, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure Aggregation", 2021. And
 * never longer than norm + sqrt(coordinates). Sums with and without the customer, rounded with the same dither, differ by
 * exactly such a rounding of the customer's vector; the same dither is allowed because it is independent of the data.
 */
export function roundedNorm(norm: number, coordinates: number, beta: number): number {
  const root = Math.sqrt(coordinates);
  const likely = norm * norm + coordinates / 4 + Math.sqrt(2 * log(1 / beta)) * (norm + root / 2);
  return Math.min(norm + root, Math.sqrt(likely));
}

/**
 * The finest grid whose sums still fit the values.
 * @throws ConcordatError TASK_INVALID when there is none worth having
 */
export function planRelease(terms: DpTerms, shape: ReleaseShape): Release {
  const finest = 2 ** (shape.valueBits - 1) - 1;
  let [fits, tooFine] = [0, finest + 1];
  while (tooFine - fits > 1) {
    const middle = Math.floor((fits + tooFine) / 2);
    if (onGrid(terms, shape, middle).mostLevel >= shape.sumRange * middle) fits = middle;
    else tooFine = middle;
  }
  const release = onGrid(terms, shape, fits);
  const distance = closenessOfShares(terms.honestDealers, release.shareVariance) * (shape.rounded + shape.counted);
  if (fits === 0 || !(distance <= SHARES_DISTANCE) || (shape.countShare > 0 && release.levelsPerCount === 0)) {
    const detail = `${shape.valueBits} bits are too few for sums of ${shape.sumRange} clip norms with this much noise`;
    const path = 'update.valueBits';
    throw new ConcordatError('TASK_INVALID', `${path}: ${detail}: give more, or less sumRange`, { path });
  }
  return release;
}

function onGrid(terms: DpTerms, shape: ReleaseShape, levelsPerClip: number): Release {
  const beta = rareEventChance(terms.delta, shape.rounds) / 2;
  const norm = levelsPerClip * NORM_SLACK + Math.sqrt(shape.rounded) / (2 * FINE_PER_LEVEL);
  const levelsPerCount = Math.floor(shape.countShare * levelsPerClip);
  const longest = roundedNorm(norm, shape.rounded, beta);
  const sensitivity = Math.sqrt(longest * longest + levelsPerCount * levelsPerCount);
  const noise = terms.noiseMultiplier * sensitivity;
  const shareVariance = Math.ceil((noise * noise) / terms.honestDealers);
  const values = (shape.rounded + shape.counted) * SECAGG.maxDealers;
  // P(|x| >= m) <= 2·exp(-m^2/(2 s^2)): the discrete Gaussian is sub-Gaussian (Canonne, Kamath, Steinke 2020)
  const margin = Math.ceil(Math.sqrt(2 * shareVariance * log((2 * values) / beta)));
  const mostLevel = 2 ** (shape.valueBits - 1) - 1 - margin;
  return { levelsPerClip, levelsPerCount, sensitivity, shareVariance, mostLevel };
}

/** Fine units to levels, by a dither of 16 random bits, then cut off. Neither lets a customer move more than stated. */
export function toLevels(fine: Float64Array, dither: Uint16Array, { mostLevel }: Release): Float64Array {
  return fine.map((units, i) => cutOff(Math.floor((units + (dither[i] ?? 0)) / FINE_PER_LEVEL), mostLevel));
}

export const cutOff = (level: number, most: number): number => Math.max(-most, Math.min(most, level));
