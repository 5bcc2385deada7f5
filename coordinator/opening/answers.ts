// Which key-holders' answers to believe: Reed-Solomon first, and where that cannot decide, the noise of a trial opening.
import { ConcordatError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/params.ts';
import { findOutliers, firstSubset } from '../../protocol/secagg/liars.ts';
import { decodeAnswer, type IndexedShare } from '../../protocol/secagg/shamir.ts';

export interface KeyHolderAnswer {
  /** The key-holder's index, from 1, as registered. */
  readonly index: number;
  /** 4096 × uint16le, as received. */
  readonly bytes: Uint8Array;
}

export interface Agreement {
  /** At least t answers on one polynomial. */
  readonly agreeing: readonly IndexedShare[];
  readonly suspects: readonly number[];
}

/**
 * @param opens whether exactly t answers open the sum cleanly
 * @throws ConcordatError SHARES_INSUFFICIENT, SHARES_INCONSISTENT
 */
export function collectAnswers(
  answers: readonly KeyHolderAnswer[],
  threshold: number,
  opens: (subset: readonly IndexedShare[]) => boolean,
): Agreement {
  const { wellFormed, malformed } = parseAnswers(answers);
  if (wellFormed.length < threshold) {
    throw new ConcordatError('SHARES_INSUFFICIENT', `${wellFormed.length} answers, ${threshold} needed`, {
      answers: wellFormed.length,
      threshold,
      suspects: malformed.map(String),
    });
  }
  const { agreeing, outliers } = findOutliers(wellFormed, threshold);
  if (agreeing !== undefined) {
    // with outliers, only a trial tells honest answers from a coalition that outvoted them
    const trusted = outliers.length === 0 || opens(agreeing.slice(0, threshold));
    if (trusted) return { agreeing, suspects: sorted([...malformed, ...outliers]) };
  }
  const subset = firstSubset(wellFormed, threshold, opens);
  if (subset === undefined) {
    throw new ConcordatError('SHARES_INCONSISTENT', `no ${threshold} of ${wellFormed.length} answers open the sum`, {
      answered: wellFormed.map(({ index }) => String(index)),
      suspects: sorted([...malformed, ...outliers]).map(String),
      threshold,
    });
  }
  const onIt = wellFormed.filter(
    (answer) => subset.includes(answer) || findOutliers([...subset, answer], threshold).agreeing !== undefined,
  );
  const suspects = wellFormed.filter((answer) => !onIt.includes(answer)).map(({ index }) => index);
  return { agreeing: onIt, suspects: sorted([...malformed, ...suspects]) };
}

/** Answers that are no residues of a sum are left out and named; the same key-holder twice is a fault of the caller. */
function parseAnswers(answers: readonly KeyHolderAnswer[]) {
  const wellFormed: IndexedShare[] = [];
  const malformed: number[] = [];
  const seen = new Set<number>();
  for (const { index, bytes } of answers) {
    if (!Number.isInteger(index) || index < 1 || index > LIMITS.maxKeyHolders || seen.has(index)) {
      throw new ConcordatError('MESSAGE_MALFORMED', `key-holder index ${index} is impossible or appears twice`);
    }
    seen.add(index);
    try {
      wellFormed.push({ index, share: decodeAnswer(bytes) });
    } catch (error) {
      if (!(error instanceof ConcordatError)) throw error;
      malformed.push(index);
    }
  }
  return { wellFormed, malformed };
}

const sorted = (indices: readonly number[]): readonly number[] => [...indices].sort((a, b) => a - b);
