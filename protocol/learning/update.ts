// A dealer's update on its way to the secure sum, and the sum on its way back. Each stage is a type: none can be skipped.
import { ConcordatError } from '../errors.ts';
import { SECAGG } from '../params.ts';
import type { ScoreHistogram } from './metrics.ts';

declare const stage: unique symbol;
type Stage<Name extends string> = { readonly [stage]: Name };

/** What training changed: local weights minus base weights, in the order of the layout. */
export type LocalUpdate = Stage<'local'> & { readonly delta: Float64Array };
/** The same, with L2 norm at most clipNorm. */
export type ClippedUpdate = Stage<'clipped'> & { readonly delta: Float64Array; readonly clipNorm: number };
/** Unsigned 16-bit values for the secure sum: weighted delta, then evaluation counts. */
export type QuantisedUpdate = Stage<'quantised'> & { readonly values: Uint16Array };

const LEVELS = 2 ** (SECAGG.valueBits - 1) - 1;
const OFFSET = 2 ** (SECAGG.valueBits - 1);
const MAX_VALUE = 2 ** SECAGG.valueBits - 1;

const outOfRange = (detail: string) => new ConcordatError('VALUE_OUT_OF_RANGE', detail);

/** @throws ConcordatError TRAINING_DIVERGED when a weight is not finite */
export function localUpdate(base: Float32Array, trained: Float32Array): LocalUpdate {
  if (base.length !== trained.length) throw new ConcordatError('MODEL_MISMATCH', 'the trained model has another size');
  const delta = Float64Array.from(trained, (weight, i) => weight - (base[i] ?? 0));
  if (!delta.every(Number.isFinite)) throw new ConcordatError('TRAINING_DIVERGED', 'a weight is not finite');
  return { delta } as LocalUpdate;
}

export const l2Norm = (vector: Float64Array): number => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));

/** Scales the whole update down to clipNorm when it is longer; a shorter one passes unchanged, bit for bit. */
export function clip(update: LocalUpdate, clipNorm: number): ClippedUpdate {
  const norm = l2Norm(update.delta);
  const delta = norm > clipNorm ? update.delta.map((x) => x * (clipNorm / norm)) : update.delta;
  return { delta, clipNorm } as ClippedUpdate;
}

/** A dealer counts by its records up to the bound: min(records, weightBound)/weightBound, in (0, 1]. */
export const weightFraction = (records: number, weightBound: number): number =>
  Math.min(records, weightBound) / weightBound;

/** Σ of the weight fractions of the dealers in a set. Summed as integers first, so the order does not matter. */
export const totalWeightFraction = (records: readonly number[], weightBound: number): number =>
  records.reduce((sum, n) => sum + Math.min(n, weightBound), 0) / weightBound;

/** Width of one level. The range ±clipNorm never binds after clipping. */
const stepOf = (clipNorm: number): number => clipNorm / LEVELS;

/** Values of one dealer's vector: a delta per parameter, then the counts of two histograms. */
export const vectorLength = (parameters: number, bins: number): number => parameters + 2 * bins;

/**
 * round(x/step) + 32768, half up, of weightFraction·delta; then the counts as they are. Rounding is deterministic, so that a
 * round replays bit for bit.
 * @throws ConcordatError VALUE_OUT_OF_RANGE when a count does not fit, or there is no record
 */
export function quantise(update: ClippedUpdate, weight: number, histogram: ScoreHistogram): QuantisedUpdate {
  if (!(weight > 0 && weight <= 1)) throw outOfRange(`a weight fraction of ${weight} is not in (0, 1]`);
  const counts = [...histogram.negatives, ...histogram.positives];
  const parameters = update.delta.length;
  const values = new Uint16Array(parameters + counts.length);
  const step = stepOf(update.clipNorm);
  update.delta.forEach((x, i) => {
    // The clamp is for the last bit: a clipped coordinate can round to a hair over clipNorm.
    const level = Math.max(-LEVELS, Math.min(LEVELS, Math.floor((weight * x) / step + 0.5)));
    values[i] = level + OFFSET;
  });
  counts.forEach((count, i) => {
    if (count > MAX_VALUE) throw outOfRange(`an evaluation count of ${count} does not fit ${SECAGG.valueBits} bits`);
    values[parameters + i] = count;
  });
  return { values } as QuantisedUpdate;
}

export interface AggregateShape {
  readonly parameters: number;
  readonly bins: number;
  readonly clipNorm: number;
  /** How many dealers are in the sum. */
  readonly dealers: number;
  /** Of the same dealers, from the weights on chain: see `totalWeightFraction`. */
  readonly totalWeightFraction: number;
}

export interface DecodedAggregate {
  /** The dealers' mean update, weighted by records. */
  readonly delta: Float64Array;
  /** Scores of the base model over all their records. */
  readonly histogram: ScoreHistogram;
}

/**
 * Reads the opened sum: delta = (sum − 32768·dealers)·step / totalWeightFraction, and the summed histograms.
 * @throws ConcordatError VALUE_OUT_OF_RANGE when the sum cannot be one of so many dealers
 */
export function decodeAggregate(sums: ArrayLike<number>, shape: AggregateShape): DecodedAggregate {
  const { parameters, bins, dealers } = shape;
  const length = vectorLength(parameters, bins);
  if (sums.length !== length) throw outOfRange(`the sum has ${sums.length} values, not ${length}`);
  if (!(dealers >= 1 && shape.totalWeightFraction > 0)) throw outOfRange('the sum is over no dealer');
  const at = (i: number): number => {
    const sum = sums[i] ?? -1;
    if (!Number.isInteger(sum) || sum < 0 || sum > dealers * MAX_VALUE) {
      throw outOfRange(`value ${i} of the sum is not a sum of ${dealers} values of ${SECAGG.valueBits} bits`);
    }
    return sum;
  };
  const step = stepOf(shape.clipNorm);
  const delta = new Float64Array(parameters);
  for (let i = 0; i < parameters; i++) delta[i] = ((at(i) - OFFSET * dealers) * step) / shape.totalWeightFraction;
  const counts = (from: number) => Uint32Array.from({ length: bins }, (_, i) => at(from + i));
  return { delta, histogram: { negatives: counts(parameters), positives: counts(parameters + bins) } };
}
