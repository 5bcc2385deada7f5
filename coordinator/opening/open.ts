// Opening a sum: answers of the key-holders to S, S to the values, and the residual noise as the proof that it is right.

import type { NoiseReport } from '../../protocol/secagg/noise.ts';
import { opensCleanly, openWithKey, requireOpenable, type SumToOpen } from '../../protocol/secagg/open-sum.ts';
import type { RingOpener } from '../../protocol/secagg/opener.ts';
import { reconstruct } from '../../protocol/secagg/shamir.ts';
import { collectAnswers, type KeyHolderAnswer } from './answers.ts';

export interface OpenRequest extends SumToOpen {
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
  requireOpenable(request);
  const { agreeing, suspects } = collectAnswers(request.answers, request.threshold, (subset) =>
    opensCleanly(opener, request, reconstruct(subset)),
  );
  const used = agreeing.slice(0, request.threshold);
  const secretSum = reconstruct(used);
  const opened = openWithKey(opener, request, secretSum);
  return { ...opened, secretSum, usedKeyHolders: used.map(({ index }) => index), suspects };
}
