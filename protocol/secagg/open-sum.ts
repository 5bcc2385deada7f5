// A sum opened with its key S: the values, and the residual noise as the proof that S and sum are right. The key-holders' answers
// make S; once it is published, anybody can open again what it opens.
import { fromHex, type Hex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { RESIDUES_PER_BLOCK } from './block.ts';
import { createNoiseMeter, type NoiseReport } from './noise.ts';
import type { RingOpener } from './opener.ts';
import { blocksFor, type PackingProfile, requireFits, unpackSums } from './packing.ts';

export interface SumToOpen {
  /** The round's seed. */
  readonly seed: Hex;
  readonly packing: PackingProfile;
  /** The sum over the finalised set: residues [block][prime][coefficient], each below its prime. */
  readonly aggregate: Uint32Array;
  /** Size of the set. */
  readonly dealers: number;
  /** Parameters and counts, without padding. */
  readonly valueCount: number;
}

export interface OpenedValues {
  /** Per value, the sum over the dealers (still offset-binary). */
  readonly values: Uint32Array;
  readonly noise: NoiseReport;
}

/** @throws ConcordatError PAYLOAD_MALFORMED, VALUE_OUT_OF_RANGE: the sum has another size, or is of too many dealers */
export function requireOpenable({ aggregate, packing, valueCount, dealers }: SumToOpen): void {
  if (aggregate.length !== blocksFor(valueCount, packing) * RESIDUES_PER_BLOCK) {
    throw new ConcordatError('PAYLOAD_MALFORMED', `${aggregate.length} residues for ${valueCount} values`);
  }
  requireFits(dealers, packing);
}

/**
 * @throws ConcordatError OPENING_NOISY what is left is not noise: the key, a payload or a share was false
 * @throws ConcordatError VALUE_OUT_OF_RANGE a slot holds more than the dealers may have put there
 */
export function openWithKey(opener: RingOpener, sum: SumToOpen, secretSum: Int32Array): OpenedValues {
  const { slots, noise } = openBlocks(opener, sum, secretSum, sum.aggregate);
  if (!noise.clean) {
    const { maxAbs, maxAbsAllowed, sumSquares, samples, expectedVariance } = noise;
    const detail = `variance ${(sumSquares / samples).toFixed(1)}, expected ${expectedVariance}; largest ${maxAbs}, allowed below ${maxAbsAllowed}`;
    throw new ConcordatError('OPENING_NOISY', detail, { maxAbs, maxAbsAllowed, expectedVariance });
  }
  return { values: unpackSums(slots, sum.valueCount, sum.dealers, sum.packing), noise };
}

/** One block tells: a wrong S leaves every coefficient of every block uniform. */
export function opensCleanly(opener: RingOpener, sum: SumToOpen, secretSum: Int32Array): boolean {
  return openBlocks(opener, sum, secretSum, sum.aggregate.subarray(0, RESIDUES_PER_BLOCK)).noise.clean;
}

function openBlocks(opener: RingOpener, sum: SumToOpen, secretSum: Int32Array, residues: Uint32Array) {
  const { packing } = sum;
  const meter = createNoiseMeter(sum.dealers);
  const slots = new Uint32Array((residues.length / RESIDUES_PER_BLOCK) * packing.valuesPerBlock);
  const seed = fromHex(sum.seed);
  opener.open({ seed, secretSum, packing, aggregate: residues, values: slots, onNoise: meter.add });
  return { slots, noise: meter.report() };
}
