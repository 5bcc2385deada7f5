// Opening a sum: answers of the key-holders to S, S to the values, and the residual noise as the proof that it is right.

import { fromHex, type Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { createNoiseMeter, type NoiseReport } from '../../protocol/secagg/noise.ts';
import type { RingOpener } from '../../protocol/secagg/opener.ts';
import { blocksFor, type PackingProfile, requireFits, unpackSums } from '../../protocol/secagg/packing.ts';
import { type IndexedShare, reconstruct } from '../../protocol/secagg/shamir.ts';
import { type Agreement, collectAnswers, type KeyHolderAnswer } from './answers.ts';

export interface OpenRequest {
  /** The round's seed. */
  readonly seed: Hex;
  readonly packing: PackingProfile;
  /** The sum over the finalised set: residues [block][prime][coefficient], each below its prime. */
  readonly aggregate: Uint32Array;
  /** Size of the set. */
  readonly dealers: number;
  /** Parameters and counts, without padding. */
  readonly valueCount: number;
  readonly threshold: number;
  readonly answers: readonly KeyHolderAnswer[];
}

export interface OpenedSum {
  /** S: published, so that anyone can open the aggregate again. */
  readonly secretSum: Int32Array;
  /** Per value, the sum over the dealers (still offset-binary). */
  readonly values: Uint32Array;
  readonly noise: NoiseReport;
  /** Indices whose answers make S. */
  readonly usedKeyHolders: readonly number[];
  /** Indices whose answers are off the polynomial: the key-holder lied, or a dealer gave it a false share. */
  readonly suspects: readonly number[];
}

/**
 * @throws ConcordatError SHARES_INSUFFICIENT fewer well-formed answers than the threshold (yet)
 * @throws ConcordatError SHARES_INCONSISTENT the answers contradict each other and no t of them open the sum
 * @throws ConcordatError OPENING_NOISY the answers agree, but what is left is not noise: a payload or a share was false
 * @throws ConcordatError VALUE_OUT_OF_RANGE a slot holds more than the dealers may have put there
 */
export function openSum(opener: RingOpener, request: OpenRequest): OpenedSum {
  checkShape(request);
  const agreement = collectAnswers(request.answers, request.threshold, (subset) => {
    // one block tells: a wrong S leaves every coefficient of every block uniform
    const first = request.aggregate.subarray(0, RESIDUES_PER_BLOCK);
    return openBlocks(opener, request, reconstruct(subset), first).noise.clean;
  });
  return openWith(opener, request, agreement);
}

function openWith(opener: RingOpener, request: OpenRequest, agreement: Agreement): OpenedSum {
  const used: readonly IndexedShare[] = agreement.agreeing.slice(0, request.threshold);
  const secretSum = reconstruct(used);
  const { slots, noise } = openBlocks(opener, request, secretSum, request.aggregate);
  const { suspects } = agreement;
  if (!noise.clean) {
    const { maxAbs, maxAbsAllowed, sumSquares, samples, expectedVariance } = noise;
    const detail = `variance ${(sumSquares / samples).toFixed(1)}, expected ${expectedVariance}; largest ${maxAbs}, allowed below ${maxAbsAllowed}`;
    throw new ConcordatError('OPENING_NOISY', detail, { maxAbs, maxAbsAllowed, expectedVariance });
  }
  const values = unpackSums(slots, request.valueCount, request.dealers, request.packing);
  return { secretSum, values, noise, usedKeyHolders: used.map(({ index }) => index), suspects };
}

function openBlocks(opener: RingOpener, request: OpenRequest, secretSum: Int32Array, residues: Uint32Array) {
  const { packing } = request;
  const meter = createNoiseMeter(request.dealers);
  const slots = new Uint32Array((residues.length / RESIDUES_PER_BLOCK) * packing.valuesPerBlock);
  const seed = fromHex(request.seed);
  opener.open({ seed, secretSum, packing, aggregate: residues, values: slots, onNoise: meter.add });
  return { slots, noise: meter.report() };
}

function checkShape({ aggregate, packing, valueCount, dealers }: OpenRequest): void {
  if (aggregate.length !== blocksFor(valueCount, packing) * RESIDUES_PER_BLOCK) {
    throw new ConcordatError('PAYLOAD_MALFORMED', `${aggregate.length} residues for ${valueCount} values`);
  }
  requireFits(dealers, packing);
}
