// exp, expm1, log and log1p against correctly rounded values, in units in the last place.
import { describe, expect, test } from 'vitest';
import { exp, expm1, log, log1p } from '../../protocol/elementary.ts';
import file from '../../protocol/vectors/elementary.json' with { type: 'json' };

const view = new DataView(new ArrayBuffer(8));

/** Doubles of one sign are in the order of their bits. */
function placeOf(x: number): bigint {
  view.setFloat64(0, x);
  const bits = view.getBigInt64(0);
  return bits < 0n ? -(bits & 0x7fff_ffff_ffff_ffffn) : bits;
}

function numberOf(bits: string): number {
  view.setBigUint64(0, BigInt(`0x${bits}`));
  return view.getFloat64(0);
}

const ENDS = [0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -2, 800];
const [most, least] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

describe.each([
  ['exp', exp, file.exp, 1n, [1, 1, most, 0, Number.NaN, undefined, most]],
  ['expm1', expm1, file.expm1, 3n, [0, -0, most, -1, Number.NaN, undefined, most]],
  ['log', log, file.log, 1n, [least, least, most, Number.NaN, Number.NaN, Number.NaN, undefined]],
  ['log1p', log1p, file.log1p, 1n, [0, -0, most, Number.NaN, Number.NaN, Number.NaN, undefined]],
] as const)('%s', (_, f, vectors, mostUlps, ends) => {
  test(`is within ${mostUlps} of ${vectors.length} correctly rounded values`, () => {
    const far = vectors.flatMap(([x = '', y = '']) => {
      const off = placeOf(f(numberOf(x))) - placeOf(numberOf(y));
      return off < -mostUlps || off > mostUlps ? [{ x: numberOf(x), got: f(numberOf(x)), want: numberOf(y) }] : [];
    });
    expect(far).toEqual([]);
  });

  test('is at the ends what IEEE 754 recommends', () => {
    expect(ends.map((want, i) => want === undefined || Object.is(f(ENDS[i] ?? 0), want))).not.toContain(false);
  });
});

test('powers of two, which are written with **, are exact', () => {
  view.setUint32(4, 0);
  for (let n = -1_022; n <= 1_023; n++) {
    view.setUint32(0, (n + 1_023) << 20);
    expect(2 ** n).toBe(view.getFloat64(0));
  }
});
