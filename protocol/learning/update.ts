// A dealer's update on its way to the secure sum, and the sum on its way back. Each stage is a type: none can be skipped.
import { ConcordatError } from '../errors.ts';
import type { ScoreHistogram } from './metrics.ts';

declare const stage: unique symbol;
type Stage<Name extends string> = { readonly [stage]: Name };

/** What training changed: local weights minus base weights, in the order of the layout. */
export type LocalUpdate = Stage<'local'> & { readonly delta: Float64Array };
/** The same, with L2 norm at most clipNorm. */
export type ClippedUpdate = Stage<'clipped'> & { readonly delta: Float64Array; readonly clipNorm: number };
/** Values of `valueBits` bits for the secure sum: weighted delta, then evaluation counts. */
export type QuantisedUpdate = Stage<'quantised'> & { readonly values: Uint16Array };

/** Of a signed quantity in `valueBits` bits: levels on each side of zero, and where zero lies. */
const levelsOf = (valueBits: number): number => 2 ** (valueBits - 1) - 1;
const offsetOf = (valueBits: number): number => 2 ** (valueBits - 1);

/** An evaluation count has up to 16 bits; with narrower values it takes several, least significant digits first. */
const COUNT_BITS = 16;
export const digitsPerCount = (valueBits: number): number => Math.ceil(COUNT_BITS / valueBits);

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
const stepOf = (clipNorm: number, valueBits: number): number => clipNorm / levelsOf(valueBits);

/** Values of one dealer's vector: a delta per parameter, then the counts of two histograms. */
export const vectorLength = (parameters: number, bins: number, valueBits: number): number =>
  parameters + 2 * bins * digitsPerCount(valueBits);

/**
 * round(x/step) + 2^(valueBits−1), half up, of weightFraction·delta; then the counts, digit by digit. Rounding is
 * deterministic, so that a round replays bit for bit.
 * @throws ConcordatError VALUE_OUT_OF_RANGE when a count does not fit, or there is no record
 */
export function quantise(
  update: ClippedUpdate,
  weight: number,
  histogram: ScoreHistogram,
  valueBits: number,
): QuantisedUpdate {
  if (!(weight > 0 && weight <= 1)) throw outOfRange(`a weight fraction of ${weight} is not in (0, 1]`);
  const counts = [...histogram.negatives, ...histogram.positives];
  const parameters = update.delta.length;
  const digits = digitsPerCount(valueBits);
  const values = new Uint16Array(parameters + counts.length * digits);
  const [step, levels, offset] = [stepOf(update.clipNorm, valueBits), levelsOf(valueBits), offsetOf(valueBits)];
  update.delta.forEach((x, i) => {
    // The clamp is for the last bit: a clipped coordinate can round to a hair over clipNorm.
    const level = Math.max(-levels, Math.min(levels, Math.floor((weight * x) / step + 0.5)));
    values[i] = level + offset;
  });
  counts.forEach((count, i) => {
    if (count >= 2 ** COUNT_BITS) throw outOfRange(`an evaluation count of ${count} does not fit ${COUNT_BITS} bits`);
    for (let d = 0; d < digits; d++) {
      values[parameters + i * digits + d] = Math.floor(count / 2 ** (d * valueBits)) % 2 ** valueBits;
    }
  });
  return { values } as QuantisedUpdate;
}

export interface AggregateShape {
  readonly parameters: number;
  readonly bins: number;
  readonly clipNorm: number;
  readonly valueBits: number;
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
 * Reads the opened sum: delta = (sum − offset·dealers)·step / totalWeightFraction, and the summed histograms.
 * @throws ConcordatError VALUE_OUT_OF_RANGE when the sum cannot be one of so many dealers
 */
export function decodeAggregate(sums: ArrayLike<number>, shape: AggregateShape): DecodedAggregate {
  const { parameters, bins, dealers, valueBits } = shape;
  const length = vectorLength(parameters, bins, valueBits);
  const most = dealers * (2 ** valueBits - 1);
  if (sums.length !== length) throw outOfRange(`the sum has ${sums.length} values, not ${length}`);
  if (!(dealers >= 1 && shape.totalWeightFraction > 0)) throw outOfRange('the sum is over no dealer');
  const at = (i: number): number => {
    const sum = sums[i] ?? -1;
    if (!Number.isInteger(sum) || sum < 0 || sum > most) {
      throw outOfRange(`value ${i} of the sum is not a sum of ${dealers} values of ${valueBits} bits`);
    }
    return sum;
  };
  const [step, offset, digits] = [stepOf(shape.clipNorm, valueBits), offsetOf(valueBits), digitsPerCount(valueBits)];
  const delta = new Float64Array(parameters);
  for (let i = 0; i < parameters; i++) delta[i] = ((at(i) - offset * dealers) * step) / shape.totalWeightFraction;
  const count = (i: number): number => {
    let sum = 0;
    for (let d = 0; d < digits; d++) sum += at(parameters + i * digits + d) * 2 ** (d * valueBits);
    return sum;
  };
  const counts = (from: number) => Uint32Array.from({ length: bins }, (_, i) => count(from + i));
  return { delta, histogram: { negatives: counts(0), positives: counts(bins) } };
}
