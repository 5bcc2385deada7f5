// Whose answers a sum of keys rests on: at the last liar that can be told, and at the first that cannot.
import { describe, expect, test } from 'vitest';
import { whoAgrees } from '../../auditor/agreement.ts';
import { RING_DEGREE } from '../../protocol/secagg/block.ts';
import { SHARE_PRIME } from '../../protocol/secagg/field.ts';
import { type IndexedShare, reconstruct, shareSecret } from '../../protocol/secagg/shamir.ts';
import { streamOf } from './secagg-fixtures.ts';

const secret = Int32Array.from({ length: RING_DEGREE }, (_, i) => (i % 81) - 40);

/** What key-holders answer over a set of one: enough for the arithmetic, which does not know how many were summed. */
const answersOf = (holders: number, threshold: number, of = secret, label = 'shares'): IndexedShare[] =>
  shareSecret(of, holders, threshold, streamOf(label)).map((share, i) => ({
    index: i + 1,
    share: share.slice(0, RING_DEGREE),
  }));

/** Each off by another amount, at the last coefficient: only a look at all of them sees it. */
const lying = (answers: readonly IndexedShare[], ...liars: readonly number[]) =>
  lyingAt(RING_DEGREE - 1, answers, liars);

const lyingAt = (coefficient: number, answers: readonly IndexedShare[], liars: readonly number[]): IndexedShare[] =>
  answers.map(({ index, share }) => {
    const changed = share.slice();
    if (liars.includes(index)) changed[coefficient] = ((share[coefficient] ?? 0) + index ** 3 + 1) % SHARE_PRIME;
    return { index, share: changed };
  });

const outvoted = (answers: readonly IndexedShare[], threshold: number) => whoAgrees(answers, threshold, secret)?.off;

describe('answers behind a sum of keys', () => {
  test.each([
    [1, 1],
    [3, 3],
    [5, 4],
    [32, 16],
  ])('%i honest ones with a threshold of %i: nobody is outvoted', (holders, threshold) => {
    expect(outvoted(answersOf(holders, threshold), threshold)).toEqual([]);
  });

  test.each([
    { holders: 6, threshold: 4, liars: [2], how: 'as many liars as decoding names' },
    { holders: 5, threshold: 4, liars: [5], how: 'a liar that decoding cannot name' },
    { holders: 5, threshold: 2, liars: [1, 2, 4], how: 'all but the threshold' },
    { holders: 2, threshold: 1, liars: [1], how: 'one of two with a threshold of one' },
  ])('$how of $holders, threshold $threshold', ({ holders, threshold, liars }) => {
    expect(outvoted(lying(answersOf(holders, threshold), ...liars), threshold)).toEqual(liars);
  });

  test('one honest answer fewer than the threshold makes nothing', () => {
    expect(whoAgrees(lying(answersOf(5, 3), 1, 2, 3), 3, secret)).toBeUndefined();
    expect(whoAgrees(lying(answersOf(3, 3), 3), 3, secret)).toBeUndefined();
  });

  test('a coalition that outvotes the honest ones does not count when the sum was opened by these', () => {
    const other = answersOf(
      5,
      2,
      secret.map((s) => s + 1),
      'another polynomial',
    );
    const answers = answersOf(5, 2).map((answer, i) => (i < 3 ? (other[i] ?? answer) : answer));
    expect(outvoted(answers, 2)).toEqual([1, 2, 3]);
    expect(whoAgrees(answers, 2, reconstruct(other.slice(0, 2)))?.off).toEqual([4, 5]);
  });

  test('when there are too many ways to try, nothing is decided', () => {
    // 7 of 14: the last seven are honest, and are tried after 2,000 others
    const answers = lyingAt(0, answersOf(14, 7), [1, 2, 3, 4, 5, 6, 7]);
    expect(whoAgrees(answers, 7, secret)).toBeUndefined();
    expect(whoAgrees(answers.toReversed(), 7, secret)?.off).toEqual([7, 6, 5, 4, 3, 2, 1]);
  });
});
