// Values and slots: the overflow bound of each packing, the edges of the range, the padding.
import { describe, expect, test } from 'vitest';
import { SECAGG } from '../../protocol/params.ts';
import {
  blocksFor,
  choosePacking,
  PACKING_NAMES,
  type PackingName,
  packingProfile,
  packValues,
  requireFits,
  unpackSums,
} from '../../protocol/secagg/packing.ts';
import { codeOf } from './secagg-fixtures.ts';

test('the names are those of the parameters, widest slots first, and a name says what it is', () => {
  expect(SECAGG.packings.map(({ name, slots, slotBits }) => [name, `${slots}x${slotBits}`])).toEqual(
    PACKING_NAMES.map((name) => [name, name]),
  );
});

describe.each(SECAGG.packings)('packing $name', ({ name: given, slots, slotBits }) => {
  const name = given as PackingName;

  test('all but the last slot end below bit 64, and no slot is wider than a limb of 26 bits: the engines rely on it', () => {
    expect(slotBits * (slots - 1)).toBeLessThanOrEqual(64);
    expect(slotBits * slots).toBeLessThanOrEqual(SECAGG.plaintextBits);
    expect(SECAGG.plaintextBits - slotBits * (slots - 1)).toBeLessThanOrEqual(26);
    // the last slot begins in the third limb, and no 16-bit value in it reaches the error
    expect(slotBits * (slots - 1)).toBeGreaterThanOrEqual(52);
    expect(slotBits * (slots - 1) + SECAGG.maxValueBits).toBeLessThan(SECAGG.plaintextBits);
  });

  test('a slot holds the sum of the most dealers, and not of one more', async () => {
    for (let valueBits = 1; valueBits <= SECAGG.maxValueBits; valueBits++) {
      if (SECAGG.minCohort * (2 ** valueBits - 1) >= 2 ** slotBits) {
        expect(await codeOf(() => packingProfile(name, valueBits))).toBe('VALUE_OUT_OF_RANGE');
        continue;
      }
      const profile = packingProfile(name, valueBits);
      expect(profile).toMatchObject({ name, slots, slotBits, valueBits, valuesPerBlock: slots * 4096 });
      const { maxDealers } = profile;
      expect(maxDealers * (2 ** valueBits - 1)).toBeLessThan(2 ** slotBits);
      if (maxDealers < SECAGG.maxDealers) {
        expect((maxDealers + 1) * (2 ** valueBits - 1)).toBeGreaterThanOrEqual(2 ** slotBits);
      }
      expect(() => requireFits(maxDealers, profile)).not.toThrow();
      for (const dealers of [0, maxDealers + 1, 1.5, Number.NaN]) {
        expect(await codeOf(() => requireFits(dealers, profile))).toBe('VALUE_OUT_OF_RANGE');
      }
    }
    for (const bits of [0, 17, 1.5, Number.NaN, -1]) {
      expect(await codeOf(() => packingProfile(name, bits))).toBe('VALUE_OUT_OF_RANGE');
    }
  });

  test('a payload has the fewest blocks that hold the values', async () => {
    const profile = packingProfile(name, 8);
    const { valuesPerBlock } = profile;
    expect([1, valuesPerBlock, valuesPerBlock + 1].map((count) => blocksFor(count, profile))).toEqual([1, 1, 2]);
    for (const count of [0, -1, 0.5, Number.NaN]) {
      expect(await codeOf(() => blocksFor(count, profile))).toBe('VALUE_OUT_OF_RANGE');
    }
  });

  test('values keep their order and are padded with zeros; one beyond its bits, or no integer, is refused by index', async () => {
    const profile = packingProfile(name, 11);
    const packed = packValues([0, 2_047, 7], profile);
    expect(packed).toHaveLength(profile.valuesPerBlock);
    expect([...packed.subarray(0, 5)]).toEqual([0, 2_047, 7, 0, 0]);
    for (const bad of [2_048, 65_536, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => packValues([1, bad], profile)).toThrow(/value 1 is/);
      expect(await codeOf(() => packValues([1, bad], profile))).toBe('VALUE_OUT_OF_RANGE');
    }
  });

  test('a sum over what its dealers may hold, or in the padding, is refused by slot', async () => {
    const profile = packingProfile(name, 11);
    const sums = new Uint32Array(profile.valuesPerBlock);
    sums[0] = 3 * 2_047;
    expect([...unpackSums(sums, 2, 3, profile)]).toEqual([3 * 2_047, 0]);
    for (const dealers of [2, 1025]) {
      expect(await codeOf(() => unpackSums(sums, 2, dealers, profile))).toBe('VALUE_OUT_OF_RANGE');
    }
    sums[2] = 1;
    expect(() => unpackSums(sums, 2, 3, profile)).toThrow(/slot 2 /);
    // all that the last slot may hold of 78 bits
    sums[2] = 0;
    sums[sums.length - 1] = 2 ** (SECAGG.plaintextBits - slotBits * (slots - 1)) - 1;
    expect(() => unpackSums(sums, sums.length, 3, profile)).toThrow(`slot ${sums.length - 1} `);
  });
});

test('the densest packing that holds the sum is chosen; beyond the widest there is none', async () => {
  const chosen = (dealers: number, bits: number) => choosePacking(dealers, bits);
  expect([chosen(3, 13), chosen(4, 13), chosen(5, 13), chosen(64, 13), chosen(65, 13)]).toEqual([
    ...['5x15', '5x15', '4x19', '4x19', '3x26'],
  ]);
  expect([chosen(1, 16), chosen(8, 16), chosen(9, 16), chosen(1024, 16)]).toEqual(['4x19', '4x19', '3x26', '3x26']);
  // one dealer would fit 5x15 with 14 bits, but a cohort is three
  expect(chosen(1, 14)).toBe('4x19');
  for (const [dealers, bits] of [
    [1025, 1],
    [0, 8],
    [Number.NaN, 8],
    [3, 17],
    [3, 0],
  ] as const) {
    expect(await codeOf(() => choosePacking(dealers, bits))).toBe('VALUE_OUT_OF_RANGE');
  }
});
