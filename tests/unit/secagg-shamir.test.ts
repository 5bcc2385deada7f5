// Sharing: any t shares give the secret, fewer give nothing, and liars are named when the arithmetic can.
import { describe, expect, test } from 'vitest';
import { RING_DEGREE } from '../../protocol/secagg/block.ts';
import { findOutliers } from '../../protocol/secagg/liars.ts';
import { sampleCbd } from '../../protocol/secagg/sampling.ts';
import {
  ANSWER_BYTES,
  addShares,
  decodeAnswer,
  decodeShare,
  encodeShare,
  type IndexedShare,
  reconstruct,
  SHARE_BYTES,
  SHARE_LENGTH,
  shareSecret,
} from '../../protocol/secagg/shamir.ts';
import { codeOf, streamOf } from './secagg-fixtures.ts';

function secretOf(label: string): Int32Array {
  const [bytes, secret] = [new Uint8Array(10 * RING_DEGREE), new Int32Array(RING_DEGREE)];
  streamOf(label)(bytes);
  sampleCbd(bytes, secret);
  return secret;
}

const share = (secret: Int32Array, n: number, t: number, label = 'coins'): IndexedShare[] =>
  shareSecret(secret, n, t, streamOf(label)).map((vector, i) => ({ index: i + 1, share: vector }));

function subsets<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, i) => subsets(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]));
}

const SCHEMES = [
  [5, 4],
  [5, 3],
  [5, 5],
  [3, 2],
  [32, 17],
] as const;

test.each([...SCHEMES, [1, 1] as const])('%i key-holders: any %i reconstruct exactly, in any order', (n, t) => {
  const secret = secretOf(`secret ${n} ${t}`);
  const shares = share(secret, n, t);
  // every subset; of the 32, a hundred
  const choices =
    n < 10 ? subsets(shares, t) : Array.from({ length: 100 }, (_, r) => rotated(shares, 7 * r).slice(0, t));
  for (const choice of choices) expect(reconstruct([...choice].reverse())).toEqual(secret);
});

test.each(SCHEMES)('%i key-holders, %i needed: one fewer have nothing to do with the secret', (n, t) => {
  const secret = secretOf(`secret ${n} ${t}`);
  const guess = reconstruct(share(secret, n, t).slice(0, t - 1));
  // chance hits: 4096/65521; the guess spreads over the whole field
  expect(guess.filter((x, i) => x === secret[i]).length).toBeLessThanOrEqual(4);
  expect(guess.filter((x) => Math.abs(x) > 16_000).length).toBeGreaterThan(1_700);
});

const rotated = <T>(items: readonly T[], by: number): T[] => {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
};

test('the edges of the centred range survive, and sums of shares are shares of the sum', () => {
  const [a, b] = [new Int32Array(RING_DEGREE), new Int32Array(RING_DEGREE)];
  a.set([32_760, -32_760, 0, 20_000, -20_000]);
  b.set([0, 0, -1, 12_760, -12_760]);
  const [left, right] = [share(a, 4, 3, 'a'), share(b, 4, 3, 'b')];
  for (const [i, { share: vector }] of left.entries()) addShares(vector, right[i]?.share ?? new Uint16Array());
  expect([...reconstruct(left.slice(1)).subarray(0, 5)]).toEqual([32_760, -32_760, -1, 32_760, -32_760]);
});

test('impossible thresholds are refused', async () => {
  const secret = new Int32Array(RING_DEGREE);
  for (const [n, t] of [
    [5, 6],
    [5, 0],
    [33, 3],
    [0, 0],
    [2.5, 2],
    [3, 1.5],
  ] as const) {
    expect(await codeOf(() => shareSecret(secret, n, t, streamOf('x')))).toBe('VALUE_OUT_OF_RANGE');
  }
});

test('share coefficients are redrawn, never reduced, when they fall outside the field', () => {
  let calls = 0;
  const stream = streamOf('after');
  const shares = shareSecret(new Int32Array(RING_DEGREE), 2, 2, (bytes) => {
    calls += 1;
    if (calls === 1) bytes.fill(255);
    else stream(bytes);
  });
  expect(calls).toBeGreaterThan(1);
  const redrawn = shareSecret(new Int32Array(RING_DEGREE), 2, 2, streamOf('after'));
  expect(shares).toEqual(redrawn);
});

test.each([
  ['a share', decodeShare, SHARE_LENGTH],
  ['an answer', decodeAnswer, RING_DEGREE],
] as const)(
  'the bytes of %s round-trip, and refuse a residue of 65521 or another length',
  async (_name, decode, length) => {
    const vector = (share(secretOf('bytes'), 1, 1)[0]?.share ?? new Uint16Array()).slice(0, length);
    vector[99] = 65_520;
    const bytes = encodeShare(vector);
    expect(bytes.length).toBe(2 * length);
    expect(decode(bytes)).toEqual(vector);
    // unaligned, as it comes out of a message
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(decode(shifted.subarray(1))).toEqual(vector);
    bytes.set([0xf1, 0xff], 2 * 99);
    expect(() => decode(bytes)).toThrow(/residue 99/);
    expect(await codeOf(() => decode(bytes))).toBe('MESSAGE_MALFORMED');
    expect(await codeOf(() => decode(encodeShare(vector).subarray(2)))).toBe('MESSAGE_MALFORMED');
    expect(await codeOf(() => decode(new Uint8Array(2 * length + 2)))).toBe('MESSAGE_MALFORMED');
  },
);

test('a share is no answer and an answer no share: the masks never leave in a sum', async () => {
  expect([SHARE_BYTES, ANSWER_BYTES]).toEqual([8_200, 8_192]);
  expect(await codeOf(() => decodeAnswer(new Uint8Array(SHARE_BYTES)))).toBe('MESSAGE_MALFORMED');
  expect(await codeOf(() => decodeShare(new Uint8Array(ANSWER_BYTES)))).toBe('MESSAGE_MALFORMED');
  const sum = new Uint16Array(SHARE_LENGTH).fill(9);
  addShares(sum, share(secretOf('s'), 1, 1)[0]?.share ?? new Uint16Array());
  expect([...sum.subarray(RING_DEGREE)]).toEqual([9, 9, 9, 9]);
});

test('masks are fresh, shared by the same polynomials as the secret, and not the secret\u2019s', () => {
  const maskOf = (label: string): readonly number[] => {
    const shares = share(secretOf('one secret'), 5, 3, label).map(({ index, share: vector }) => ({
      index,
      share: vector.subarray(RING_DEGREE),
    }));
    // reconstruct reads N residues; the four masks are the first of these
    const [first, second] = [shares.slice(0, 3), shares.slice(2)].map((some) => [...reconstruct(some).subarray(0, 4)]);
    expect(first).toEqual(second);
    return first ?? [];
  };
  const [one, other] = [maskOf('coins'), maskOf('other coins')];
  expect(one).not.toEqual(other);
  expect(new Set([...one, ...other]).size).toBe(8);
});

describe('liars', () => {
  const spoil = (answers: readonly IndexedShare[], index: number, coefficients: readonly number[]): IndexedShare[] =>
    answers.map((answer) => {
      if (answer.index !== index) return answer;
      const vector = answer.share.slice();
      for (const c of coefficients) vector[c] = ((vector[c] ?? 0) + 1) % 65_521;
      return { index, share: vector };
    });
  const names = (answers: readonly IndexedShare[], t: number): readonly number[] | 'undecided' => {
    const { agreeing, outliers } = findOutliers(answers, t);
    return agreeing === undefined ? 'undecided' : outliers;
  };

  test('honest answers have none', () => {
    expect(names(share(secretOf('s'), 7, 3), 3)).toEqual([]);
    expect(names(share(secretOf('s'), 3, 3), 3)).toEqual([]);
  });

  test('each single liar of 5 with t=3 is named, wherever and however little it lied', () => {
    const answers = share(secretOf('s'), 5, 3);
    for (const index of [1, 2, 3, 4, 5]) {
      expect(names(spoil(answers, index, [0]), 3)).toEqual([index]);
      expect(names(spoil(answers, index, [4095]), 3)).toEqual([index]);
    }
  });

  test('two liars of 7 with t=3, lying at different places, are both named', () => {
    const answers = spoil(spoil(share(secretOf('s'), 7, 3), 2, [5, 6]), 6, [6, 4000]);
    expect(names(answers, 3)).toEqual([2, 6]);
  });

  test('seven liars of 32 with t=17', () => {
    const liars = [1, 5, 9, 17, 20, 31, 32];
    const answers = liars.reduce((all, index) => spoil(all, index, [100, 200 + index]), share(secretOf('s'), 32, 17));
    expect(names(answers, 17)).toEqual(liars);
  });

  test('too many to decide, or one answer more than needed: nobody is accused', () => {
    expect(names(spoil(share(secretOf('s'), 5, 4), 3, [7]), 4)).toBe('undecided');
    const two = spoil(spoil(share(secretOf('s'), 5, 3), 2, [5]), 3, [5, 5]);
    expect(names(two, 3)).toBe('undecided');
  });

  test('liars beyond the bound can pass for the majority, which is why an opening confirms it', () => {
    // +1 at 2 and 3 is one step from a codeword that also moves 5: an honest key-holder stands out
    const coalition = spoil(spoil(share(secretOf('s'), 5, 3), 2, [5]), 3, [5]);
    expect(names(coalition, 3)).toEqual([5]);
  });
});
