// The test of dealt shares: honest ones always pass, false ones never do, and what is published says nothing of the secret.
import { describe, expect, test } from 'vitest';
import { nodeShake128 } from '../../kit/shake.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { RING_DEGREE } from '../../protocol/secagg/block.ts';
import { inverseShare, mulShare, SHARE_PRIME, subShare } from '../../protocol/secagg/field.ts';
import {
  decodeTestValue,
  judgeSharings,
  sharingHolds,
  type TestPoint,
  testCombination,
  testValue,
} from '../../protocol/secagg/linear-test.ts';
import type { Xof } from '../../protocol/secagg/public-a.ts';
import { SHARE_LENGTH, type ShareVector, shareSecret } from '../../protocol/secagg/shamir.ts';
import { plainCombination, plainInterpolation, plainOnOnePolynomial, plainTestValue } from '../vectors/secagg-plain.ts';
import { addressOf, CHAIN_ID, codeOf, LEDGER, SEED, streamOf } from './secagg-fixtures.ts';

const context = {
  chainId: CHAIN_ID,
  ledger: LEDGER,
  round: 7,
  attempt: 2,
  dealer: addressOf('dealer'),
  payloadHash: SEED,
};
const ROOT: Hex = `0x${'5a'.repeat(32)}`;
const combination = testCombination(context, ROOT);
const ROWS = [0, 1, 2, 3] as const;
const rowOf = (j: number): Uint16Array => combination[j] ?? new Uint16Array();

const secretOf = (label: string): Int32Array => {
  const bytes = new Uint8Array(RING_DEGREE);
  streamOf(label)(bytes);
  return Int32Array.from(bytes, (byte) => (byte % 81) - 40);
};
const deal = (n: number, t: number, label = 'coins'): ShareVector[] =>
  shareSecret(secretOf('secret'), n, t, streamOf(label));
const pointsOf = (shares: readonly ShareVector[]): TestPoint[] =>
  shares.map((share, i) => ({ index: i + 1, value: testValue(share, combination) }));
/** share[at] += by, of one key-holder. */
function spoil(shares: readonly ShareVector[], index: number, at: number, by = 1): ShareVector[] {
  return shares.map((share, i) =>
    i + 1 === index ? share.map((x, c) => (c === at ? (x + by) % SHARE_PRIME : x)) : share,
  );
}

/** Whether one row alone lies on a polynomial, by the plain reference. */
const rowHolds = (points: readonly TestPoint[], row: number, t: number): boolean =>
  plainOnOnePolynomial(
    points.map(({ index, value }) => [index, decodeTestValue(value ?? new Uint8Array())[row] ?? 0]),
    t,
  );

describe('shares of one secret', () => {
  test.each([
    [3, 1],
    [3, 2],
    [5, 3],
    [5, 4],
    [32, 17],
  ])('of %i key-holders, %i needed, always pass, whoever answers', (n, t) => {
    for (const coins of ['a', 'b', 'c']) {
      const points = pointsOf(deal(n, t, coins));
      expect(sharingHolds(points, t)).toBe(true);
      expect(sharingHolds(points.slice(-t - 1).reverse(), t)).toBe(true);
    }
  });

  test('the values are those of the plain reference, also at the largest residues', () => {
    expect(plainCombination(context, ROOT)).toEqual(combination);
    const share = deal(1, 1)[0] ?? new Uint16Array();
    expect(testValue(share, combination)).toEqual(plainTestValue(share, combination));
    const [most, row] = [new Uint16Array(SHARE_LENGTH), new Uint16Array(RING_DEGREE)].map((x) => x.fill(65_520));
    const rows = ROWS.map(() => row ?? new Uint16Array());
    expect(testValue(most ?? new Uint16Array(), rows)).toEqual(plainTestValue(most ?? new Uint16Array(), rows));
    // (-1)(-1)·4096 - 1
    expect(decodeTestValue(testValue(most ?? new Uint16Array(), rows))).toEqual([4_095, 4_095, 4_095, 4_095]);
  });
});

describe('a false share', () => {
  test.each([0, 1, 2_048, RING_DEGREE - 1])('off by one at coefficient %i alone is seen', (at) => {
    for (const index of [1, 3, 5]) {
      expect(sharingHolds(pointsOf(spoil(deal(5, 3), index, at)), 3)).toBe(false);
    }
  });

  test('with one false mask is seen, in that row', () => {
    for (const row of ROWS) {
      const points = pointsOf(spoil(deal(5, 3), 2, RING_DEGREE + row));
      expect(sharingHolds(points, 3)).toBe(false);
      expect(ROWS.filter((j) => !rowHolds(points, j, 3))).toEqual([row]);
    }
  });

  test('whose two errors cancel in one row is seen in the others', () => {
    for (const row of ROWS) {
      // ρ_10·d + ρ_20 = 0
      const d = mulShare(subShare(0, rowOf(row)[20] ?? 0), inverseShare(rowOf(row)[10] ?? 1));
      const points = pointsOf(spoil(spoil(deal(5, 3), 4, 10, d), 4, 20, 1));
      expect(ROWS.filter((j) => rowHolds(points, j, 3))).toEqual([row]);
      expect(sharingHolds(points, 3)).toBe(false);
    }
  });

  test('two of them, made to cancel in one row between two key-holders, are seen in the others', () => {
    // a line through (3, 0) has values in the ratio 2:1 at 1 and 2: row 0 lies on another line then
    const d = mulShare(mulShare(2, rowOf(0)[20] ?? 0), inverseShare(rowOf(0)[10] ?? 1));
    const points = pointsOf(spoil(spoil(deal(3, 2), 1, 10, d), 2, 20, 1));
    expect(ROWS.filter((j) => rowHolds(points, j, 2))).toEqual([0]);
    expect(sharingHolds(points, 2)).toBe(false);
  });

  test('of a higher degree than the threshold allows is seen', () => {
    expect(sharingHolds(pointsOf(deal(5, 4)), 3)).toBe(false);
    expect(sharingHolds(pointsOf(deal(5, 3)), 4)).toBe(true);
  });

  test('that does not open counts as false, however few answered', () => {
    const points = pointsOf(deal(5, 3));
    const unreadable = points.map((point) => (point.index === 5 ? { index: 5, value: undefined } : point));
    expect(sharingHolds(unreadable, 3)).toBe(false);
    expect(sharingHolds(unreadable.slice(-1), 3)).toBe(false);
  });

  test('goes unseen among threshold points: there is nothing to compare', () => {
    const points = pointsOf(spoil(deal(5, 3), 1, 0));
    expect(sharingHolds(points.slice(0, 3), 3)).toBe(true);
    expect(sharingHolds(points.slice(0, 4), 3)).toBe(false);
    expect(sharingHolds([], 3)).toBe(true);
  });
});

describe('what is published', () => {
  /** Σ ρ·s, what a value would say without its mask. */
  const unmasked = (secret: Int32Array, j: number): number =>
    Number(
      secret.reduce((sum, s, c) => (sum + BigInt(s) * BigInt(rowOf(j)[c] ?? 0)) % BigInt(SHARE_PRIME), 0n) +
        BigInt(SHARE_PRIME),
    ) % SHARE_PRIME;

  test('together is mask + ρ·s: without masks it would be a relation of the secret', () => {
    const shares = deal(5, 3).map((share) => share.map((x, c) => (c < RING_DEGREE ? x : 0)));
    const points = pointsOf(shares);
    for (const j of ROWS) {
      const row = points.map(
        ({ index, value }) => [index, decodeTestValue(value ?? new Uint8Array())[j] ?? 0] as const,
      );
      expect(Number(plainInterpolation(row.slice(0, 3), 0))).toBe(unmasked(secretOf('secret'), j));
    }
  });

  test('fits any other secret as well: the same values, from shares with other masks', () => {
    const [one, other] = [secretOf('secret'), secretOf('another secret')];
    const shares = deal(5, 3);
    const shift = ROWS.map((j) => subShare(unmasked(one, j), unmasked(other, j)));
    const others = shares.map((share) =>
      share.map((x, c) => {
        const by = c < RING_DEGREE ? (other[c] ?? 0) - (one[c] ?? 0) : (shift[c - RING_DEGREE] ?? 0);
        return (x + by + SHARE_PRIME) % SHARE_PRIME;
      }),
    );
    expect(others).not.toEqual(shares);
    expect(pointsOf(others)).toEqual(pointsOf(shares));
  });

  test.each(['zero', 'small', 'large'])('is uniform over the masks, whatever the secret: %s', (kind) => {
    const secrets: Readonly<Record<string, Int32Array>> = {
      zero: new Int32Array(RING_DEGREE),
      small: secretOf('secret'),
      large: new Int32Array(RING_DEGREE).fill(-65_520),
    };
    const secret = secrets[kind] ?? new Int32Array();
    const [BINS, SHARINGS] = [61, 4_000];
    const counts = new Float64Array(BINS);
    const random = streamOf(`masks over ${kind}`);
    for (let i = 0; i < SHARINGS; i++) {
      // threshold 1: the share is the secret itself, so that only the masks are left to hide it
      const share = shareSecret(secret, 1, 1, random)[0] ?? new Uint16Array();
      for (const z of decodeTestValue(testValue(share, combination))) {
        const bin = Math.floor((z * BINS) / SHARE_PRIME);
        counts[bin] = (counts[bin] ?? 0) + 1;
      }
    }
    const inBin = (bin: number): number =>
      Math.ceil(((bin + 1) * SHARE_PRIME) / BINS) - Math.ceil((bin * SHARE_PRIME) / BINS);
    const chiSquare = counts.reduce((sum, count, bin) => {
      const expected = (4 * SHARINGS * inBin(bin)) / SHARE_PRIME;
      return sum + (count - expected) ** 2 / expected;
    }, 0);
    // 60 degrees of freedom: a uniform value exceeds 121 once in 200,000 times, and falls below 22 as rarely
    expect(chiSquare).toBeLessThan(121);
    expect(chiSquare).toBeGreaterThan(22);
  });
});

describe('the combination', () => {
  test('is another one for every upload, and the same for everybody', () => {
    const first = (rows: readonly Uint16Array[]): string => rows.map((row) => [...row.subarray(0, 4)].join()).join(';');
    const others: (readonly [Partial<typeof context>, Hex])[] = [
      [{ chainId: 1 }, ROOT],
      [{ ledger: addressOf('another ledger') }, ROOT],
      [{ round: 8 }, ROOT],
      [{ attempt: 3 }, ROOT],
      [{ dealer: addressOf('another dealer') }, ROOT],
      [{ payloadHash: ROOT }, ROOT],
      [{}, SEED],
    ];
    const seen = others.map(([change, root]) => first(testCombination({ ...context, ...change }, root)));
    expect(new Set([...seen, first(combination)]).size).toBe(others.length + 1);
    const capitals = { ...context, dealer: `0x${context.dealer.slice(2).toUpperCase()}` as const };
    expect(testCombination(capitals, ROOT)).toEqual(combination);
    expect(testCombination(context, ROOT, nodeShake128)).toEqual(combination);
    expect(new Set(combination.map((row) => row.join())).size).toBe(4);
  });

  test('skips words from 65521 on, also when the stream has to be extended', () => {
    const halfUseless: Xof = (_input, length) => {
      const bytes = new Uint8Array(length);
      const view = new DataView(bytes.buffer);
      for (let w = 0; w < length / 2; w++) view.setUint16(2 * w, w % 2 === 0 ? 65_521 + (w % 15) : w, true);
      return bytes;
    };
    for (const row of testCombination(context, ROOT, halfUseless)) {
      expect([row[0], row[1], row[RING_DEGREE - 1]]).toEqual([1, 3, 2 * RING_DEGREE - 1]);
    }
  });
});

test('a value is four residues, and a share of another length has none', async () => {
  const value = Uint8Array.of(0xf0, 0xff, 0, 0, 1, 0, 0xf0, 0xff);
  expect(decodeTestValue(value)).toEqual([65_520, 0, 1, 65_520]);
  const malformed = [
    value.subarray(1),
    new Uint8Array(9),
    new Uint8Array(0),
    Uint8Array.of(0xf1, 0xff, 0, 0, 0, 0, 0, 0),
    Uint8Array.of(0, 0, 0, 0, 0, 0, 0xff, 0xff),
  ];
  for (const bytes of malformed) {
    expect(await codeOf(() => decodeTestValue(bytes))).toBe('MESSAGE_MALFORMED');
    // one that nobody compares is read all the same
    expect(await codeOf(() => sharingHolds([{ index: 1, value: bytes }], 3))).toBe('MESSAGE_MALFORMED');
  }
  expect(() => testValue(new Uint16Array(RING_DEGREE), combination)).toThrow(RangeError);
  expect(() => testValue(new Uint16Array(SHARE_LENGTH + 1), combination)).toThrow(RangeError);
});

describe('the verdict on a round', () => {
  const honest = pointsOf(deal(5, 3));
  const unsound = pointsOf(spoil(deal(5, 3), 2, 0));
  const dealers = ['a', 'b', 'c', 'd'].map(addressOf);
  const judgeFor = (least: number, points: readonly (readonly TestPoint[])[]) =>
    judgeSharings(new Map(points.map((some, i) => [dealers[i] ?? LEDGER, some])), 3, least);
  const judge = (...points: readonly (readonly TestPoint[])[]) => judgeFor(1, points);

  /** What of them all when nobody is left out for it. */
  const nobody = { refused: [], disregarded: [] };
  const withValue = (points: readonly TestPoint[], index: number, value: TestPoint['value']): TestPoint[] =>
    points.map((point) => (point.index === index ? { index, value } : point));

  test('leaves out the dealers whose shares fail, in whatever place', () => {
    expect(judge(honest, unsound, honest, honest)).toEqual({
      sound: [dealers[0], dealers[2], dealers[3]],
      refused: [dealers[1]],
      disregarded: [],
      undecided: false,
    });
    expect(judge(honest, honest, honest)).toEqual({ ...nobody, sound: dealers.slice(0, 3), undecided: false });
  });

  test('half of them may fail; one more, and a key-holder is the likelier liar: nobody is left out', () => {
    expect(judge(unsound, honest, honest, unsound).refused).toEqual([dealers[0], dealers[3]]);
    expect(judge(unsound, honest, unsound, unsound)).toEqual({ ...nobody, sound: dealers, undecided: true });
    expect(judge(unsound)).toMatchObject({ sound: [dealers[0]], undecided: true });
    expect(judge(unsound, honest)).toMatchObject({ refused: [dealers[0]], undecided: false });
  });

  test('a key-holder that lies about everybody convinces nobody', () => {
    const lie = honest.map((point) =>
      point.index === 4
        ? { index: 4, value: (point.value ?? new Uint8Array()).map((b, i) => (i === 0 ? b ^ 1 : b)) }
        : point,
    );
    expect(judge(lie, lie, lie)).toEqual({ ...nobody, sound: dealers.slice(0, 3), undecided: true });
    // against one dealer alone it is believed: that is the price, and the vouches are on record
    expect(judge(honest, lie, honest).refused).toEqual([dealers[1]]);
  });

  test('a key-holder for whom most shares do not open is disregarded, and no dealer pays for it', () => {
    const mute = withValue(honest, 4, undefined);
    expect(judge(mute, mute, mute)).toEqual({
      sound: dealers.slice(0, 3),
      refused: [],
      disregarded: [4],
      undecided: false,
    });
    // also where it does say something: its key is the fault, and its word counts for nothing
    const wrong = withValue(honest, 4, unsound[1]?.value);
    expect(judge(mute, mute, wrong)).toMatchObject({ refused: [], disregarded: [4] });
    // two of them at once, and out of order
    const both = withValue(withValue(honest, 5, undefined), 1, undefined).toReversed();
    expect(judge(both, both, both)).toMatchObject({ refused: [], disregarded: [1, 5], undecided: false });
  });

  test('a false share is seen all the same when a key-holder is disregarded', () => {
    const mute = (points: readonly TestPoint[]) => withValue(points, 4, undefined);
    expect(judge(mute(honest), mute(unsound), mute(honest))).toMatchObject({
      refused: [dealers[1]],
      disregarded: [4],
      undecided: false,
    });
  });

  test('half of the shares unopened is not most of them: the dealers who dealt those are left out', () => {
    const mute = withValue(honest, 4, undefined);
    expect(judge(mute, honest, honest, mute)).toMatchObject({
      refused: [dealers[0], dealers[3]],
      disregarded: [],
      undecided: false,
    });
    // half of those it spoke of, not of all: here it was asked about three
    const unasked = honest.filter(({ index }) => index !== 4);
    expect(judge(mute, unasked, honest, mute)).toMatchObject({ refused: [], disregarded: [4] });
  });

  test('so many left out that the rest is no cohort leaves out nobody', () => {
    expect(judgeFor(3, [honest, unsound, honest, honest])).toMatchObject({ refused: [dealers[1]], undecided: false });
    expect(judgeFor(4, [honest, unsound, honest, honest])).toEqual({ ...nobody, sound: dealers, undecided: true });
    expect(judgeFor(3, [unsound, honest, honest, unsound])).toEqual({ ...nobody, sound: dealers, undecided: true });
    // too few from the start: there is nothing to decide either
    expect(judgeFor(3, [honest, honest])).toEqual({ ...nobody, sound: dealers.slice(0, 2), undecided: true });
  });

  test('of nobody is nobody, and no cohort', () => {
    expect(judge()).toEqual({ ...nobody, sound: [], undecided: true });
    expect(judgeFor(0, [])).toEqual({ ...nobody, sound: [], undecided: false });
  });
});
