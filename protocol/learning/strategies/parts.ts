// The usual parts of a dealer's vector.
import type { Shape, VectorPart } from './strategy.ts';

/** Levels on each side of zero. */
const levelsOf = (bits: number): number => 2 ** (bits - 1) - 1;

/** A signed part whose values lie within ±bound. */
export const signedPart = (name: string, length: number, bound: number, bits: number): VectorPart => ({
  name,
  length,
  step: bound / levelsOf(bits),
  bits,
  signed: true,
});

/** A vector over the model's weights, clipped to an L2 norm. */
export const weightsPart = (name: string, { terms, parameters }: Shape, clipNorm: number): VectorPart =>
  signedPart(name, parameters, clipNorm, terms.update.valueBits);

/** The values that a part can say, as it will say them. */
export const onGrid = (values: Float64Array, { step }: VectorPart): Float64Array =>
  values.map((x) => Math.floor(x / step + 0.5) * step);

/** Records are counted in 16 bits whatever the width of a value. */
const COUNT_BITS = 16;
export const countsPart = (name: string, length: number): VectorPart => ({
  name,
  length,
  step: 1,
  bits: COUNT_BITS,
  signed: false,
});
