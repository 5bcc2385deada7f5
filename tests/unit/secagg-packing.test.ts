// Values and slots: the overflow bound, the edges of the range, the padding.
import { expect, test } from 'vitest';
import { VALUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { blocksFor, createPackingProfile, packValues, unpackSums } from '../../protocol/secagg/packing.ts';
import { codeOf } from './secagg-fixtures.ts';

const profile = createPackingProfile();

test('1,024 dealers of 16-bit values fit a slot, one more does not', async () => {
  expect(createPackingProfile(1024, 16)).toEqual({ maxDealers: 1024, valueBits: 16 });
  for (const [dealers, bits] of [
    [1025, 16],
    [0, 16],
    [1.5, 16],
    [1, 17],
    [1, 0],
    [Number.NaN, 16],
  ] as const) {
    expect(await codeOf(() => createPackingProfile(dealers, bits))).toBe('VALUE_OUT_OF_RANGE');
  }
});

test('a payload has the fewest blocks that hold the values', async () => {
  expect([1, VALUES_PER_BLOCK, VALUES_PER_BLOCK + 1].map(blocksFor)).toEqual([1, 1, 2]);
  for (const count of [0, -1, 0.5, Number.NaN]) expect(await codeOf(() => blocksFor(count))).toBe('VALUE_OUT_OF_RANGE');
});

test('values keep their order and are padded with zeros', () => {
  const packed = packValues([0, 65_535, 7], profile);
  expect(packed).toHaveLength(VALUES_PER_BLOCK);
  expect([...packed.subarray(0, 5)]).toEqual([0, 65_535, 7, 0, 0]);
});

test('a value outside 16 bits, or no integer, is refused by index', async () => {
  for (const bad of [65_536, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => packValues([1, bad], profile)).toThrow(/value 1 is/);
    expect(await codeOf(() => packValues([1, bad], profile))).toBe('VALUE_OUT_OF_RANGE');
  }
});

test('a sum over what its dealers may hold, or in the padding, is refused by slot', async () => {
  const slots = new Uint32Array(VALUES_PER_BLOCK);
  slots[0] = 3 * 65_535;
  expect([...unpackSums(slots, 2, 3, profile)]).toEqual([3 * 65_535, 0]);
  expect(await codeOf(() => unpackSums(slots, 2, 2, profile))).toBe('VALUE_OUT_OF_RANGE');
  expect(await codeOf(() => unpackSums(slots, 2, 1025, profile))).toBe('VALUE_OUT_OF_RANGE');
  slots[2] = 1;
  expect(() => unpackSums(slots, 2, 3, profile)).toThrow(/slot 2/);
});
