// A dealer's vector on its way to the secure sum, and the sum on its way back. Each stage is a type: none can be skipped.
import { ConcordatError } from '../errors.ts';
import type { Measure, Measured } from './measure.ts';
import type { VectorPart } from './strategies/strategy.ts';

declare const stage: unique symbol;
type Stage<Name extends string> = { readonly [stage]: Name };

/** What training changed: local weights minus base weights, in the order of the layout. */
export type LocalUpdate = Stage<'local'> & { readonly delta: Float64Array };
/** The same, with L2 norm at most clipNorm. */
export type ClippedUpdate = Stage<'clipped'> & { readonly delta: Float64Array; readonly clipNorm: number };
/** Whole levels, one array per part, the evaluation counts last: what noise is added to. */
export type IntegerUpdate = Stage<'integers'> & { readonly levels: readonly Float64Array[] };
/** The same with this dealer's share of the noise in it, or with none by the task's own leave. */
export type NoisyUpdate = Stage<'noisy'> & { readonly levels: readonly Float64Array[] };
/** Values of `valueBits` bits for the secure sum. */
export type QuantisedUpdate = Stage<'quantised'> & { readonly values: Uint16Array };

/** What a dealer counts of the base model, one array per part of the vector's evaluation. */
export type Counted = readonly [counts: ArrayLike<number>, moments: ArrayLike<number>];

/** What a dealer sends and a sum is read by: `protocol/learning/vector.ts` makes it from a task. */
export interface Vector {
  /** The strategy's. */
  readonly parts: readonly VectorPart[];
  /** How the base model does: what `measure` counts, and its sums beside. */
  readonly evaluation: readonly [counts: VectorPart, moments: VectorPart];
  readonly measure: Measure;
  readonly valueBits: number;
  /** Values altogether. */
  readonly length: number;
  /** Of a strategy that sends its own counts: `evaluation` is then empty. */
  readonly ownCounts?: (sums: readonly Float64Array[]) => Uint32Array;
}

const outOfRange = (detail: string) => new ConcordatError('VALUE_OUT_OF_RANGE', detail);

/** @throws ConcordatError TRAINING_DIVERGED when a weight is not finite */
export function localUpdate(base: Float32Array, trained: Float32Array): LocalUpdate {
  if (base.length !== trained.length) throw new ConcordatError('MODEL_MISMATCH', 'the trained model has another size');
  const delta = Float64Array.from(trained, (weight, i) => weight - (base[i] ?? 0));
  if (!delta.every(Number.isFinite)) throw new ConcordatError('TRAINING_DIVERGED', 'a weight is not finite');
  return { delta } as LocalUpdate;
}

export const l2Norm = (vector: Float64Array): number => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));

/** Scales the whole vector down to clipNorm when it is longer; a shorter one passes unchanged, bit for bit. */
export function clipVector(vector: Float64Array, clipNorm: number): Float64Array {
  const norm = l2Norm(vector);
  return norm > clipNorm ? vector.map((x) => x * (clipNorm / norm)) : vector;
}

export const clip = (update: LocalUpdate, clipNorm: number): ClippedUpdate =>
  ({ delta: clipVector(update.delta, clipNorm), clipNorm }) as ClippedUpdate;

/** A dealer counts by its records up to the bound: min(records, weightBound)/weightBound, in (0, 1]. */
export const weightFraction = (records: number, weightBound: number): number =>
  Math.min(records, weightBound) / weightBound;

/** Σ of the weight fractions of the dealers in a set. Summed as integers first, so the order does not matter. */
export const totalWeightFraction = (records: readonly number[], weightBound: number): number =>
  records.reduce((sum, n) => sum + Math.min(n, weightBound), 0) / weightBound;

/** @throws ConcordatError VALUE_OUT_OF_RANGE unless the fraction is in (0, 1] */
export function weighted(vector: Float64Array, fraction: number): Float64Array {
  if (!(fraction > 0 && fraction <= 1)) throw outOfRange(`a weight fraction of ${fraction} is not in (0, 1]`);
  return vector.map((x) => fraction * x);
}

/** Values that a level is sent as: digits of valueBits bits, least significant first. */
export const digitsOf = ({ bits }: Pick<VectorPart, 'bits'>, valueBits: number): number => Math.ceil(bits / valueBits);

const largestLevel = ({ bits, signed }: VectorPart): number => (signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1);
const smallestLevel = (part: VectorPart): number => (part.signed ? -largestLevel(part) : 0);
/** Where zero lies on the wire. */
const offsetOf = ({ bits, signed }: VectorPart): number => (signed ? 2 ** (bits - 1) : 0);
const partsOf = (vector: Vector): readonly VectorPart[] => [...vector.parts, ...vector.evaluation];

/**
 * Levels of every value: round(x/step), half up. Rounding is deterministic, so that a round replays bit for bit.
 * @throws ConcordatError VALUE_OUT_OF_RANGE when a value is no number, or a count does not fit
 */
export function quantise(contribution: readonly Float64Array[], counted: Counted, vector: Vector): IntegerUpdate {
  const all = [...contribution, ...counted.map((numbers) => Float64Array.from(numbers))];
  const levels: readonly Float64Array[] = partsOf(vector).map((part, p) =>
    levelsOf(all[p] ?? new Float64Array(), part),
  );
  if (all.length !== levels.length) throw outOfRange(`${all.length} parts, not ${levels.length}`);
  return { levels } as IntegerUpdate;
}

function levelsOf(values: Float64Array, part: VectorPart): Float64Array {
  if (values.length !== part.length) throw outOfRange(`${part.name} has ${values.length} values, not ${part.length}`);
  const most = largestLevel(part);
  return values.map((x) => {
    const level = Math.floor(x / part.step + 0.5);
    if (Number.isNaN(level)) throw outOfRange(`a value of ${part.name} is not a number`);
    if (!part.signed && (level < 0 || level > most)) {
      throw outOfRange(`a count of ${part.name} does not fit ${part.bits} bits`);
    }
    return level;
  });
}

/** @param noise is given the levels of each part to add whole numbers to, in place; undefined for a task without privacy */
export function addNoise(
  { levels }: IntegerUpdate,
  vector: Vector,
  noise: ((levels: Float64Array, part: VectorPart) => void) | undefined,
): NoisyUpdate {
  if (noise === undefined) return { levels } as NoisyUpdate;
  const noisy: readonly Float64Array[] = levels.map((values) => values.slice());
  partsOf(vector).forEach((part, p) => {
    noise(noisy[p] ?? new Float64Array(), part);
  });
  return { levels: noisy } as NoisyUpdate;
}

/** Offset-binary digits. A level beyond the range is clamped: a clipped coordinate can round to a hair over its bound. */
export function encodeUpdate({ levels }: NoisyUpdate, vector: Vector): QuantisedUpdate {
  const values = new Uint16Array(vector.length);
  const base = 2 ** vector.valueBits;
  let at = 0;
  partsOf(vector).forEach((part, p) => {
    const digits = digitsOf(part, vector.valueBits);
    const [least, most, offset] = [smallestLevel(part), largestLevel(part), offsetOf(part)];
    for (const level of levels[p] ?? []) {
      let rest = Math.max(least, Math.min(most, level)) + offset;
      for (let d = 0; d < digits; d++) {
        values[at++] = rest % base;
        rest = Math.floor(rest / base);
      }
    }
  });
  return { values } as QuantisedUpdate;
}

export interface OpenedUpdate {
  /** Sums over the dealers, one per part of the strategy, in its unit. */
  readonly sums: readonly Float64Array[];
  /** How the base model does over all their records. */
  readonly measured: Measured;
}

/**
 * Reads the opened sum: of each value, (Σ digits·2^(valueBits·d) − offset·dealers)·step.
 * @throws ConcordatError VALUE_OUT_OF_RANGE when the sum cannot be one of so many dealers
 */
export function decodeSums(opened: ArrayLike<number>, vector: Vector, dealers: number): OpenedUpdate {
  if (opened.length !== vector.length) throw outOfRange(`the sum has ${opened.length} values, not ${vector.length}`);
  if (!(Number.isInteger(dealers) && dealers >= 1)) throw outOfRange('the sum is over no dealer');
  const most = dealers * (2 ** vector.valueBits - 1);
  let at = 0;
  const read = (part: VectorPart): Float64Array => {
    const digits = digitsOf(part, vector.valueBits);
    const zero = offsetOf(part) * dealers;
    const sums = new Float64Array(part.length);
    for (let i = 0; i < part.length; i++) {
      let sum = 0;
      for (let d = 0; d < digits; d++, at++) {
        const digit = opened[at] ?? -1;
        if (!Number.isInteger(digit) || digit < 0 || digit > most) {
          throw outOfRange(`value ${at} of the sum is not a sum of ${dealers} values of ${vector.valueBits} bits`);
        }
        sum += digit * 2 ** (d * vector.valueBits);
      }
      sums[i] = (sum - zero) * part.step;
    }
    return sums;
  };
  const sums = vector.parts.map(read);
  const [counted, moments] = [counts(read(vector.evaluation[0])), read(vector.evaluation[1])];
  const { measure, ownCounts } = vector;
  return { sums, measured: ownCounts ? measure.read(ownCounts(sums)) : measure.read(counted, moments) };
}

/** With noise in them they may be under 0 or no whole numbers. */
const counts = (sums: Float64Array): Uint32Array => Uint32Array.from(sums, (sum) => Math.max(0, Math.round(sum)));
