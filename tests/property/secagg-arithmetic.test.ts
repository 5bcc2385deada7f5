// The arithmetic of secure aggregation on random input: packing, products, sharing, and who is named a liar.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { addResidues, embed, extract, mulMod } from '../../protocol/secagg/coefficients.ts';
import { findOutliers } from '../../protocol/secagg/liars.ts';
import {
  choosePacking,
  PACKING_NAMES,
  type PackingName,
  packingProfile,
  packValues,
  unpackSums,
} from '../../protocol/secagg/packing.ts';
import { addShares, decodeShare, encodeShare, reconstruct, shareSecret } from '../../protocol/secagg/shamir.ts';
import { streamOf } from '../unit/secagg-fixtures.ts';

const runs = (numRuns: number) => ({ numRuns, seed: 20_240_611, endOnFailure: true });

/** Whether a sum of three such values fits a slot. */
const fits = (name: PackingName, valueBits: number): boolean =>
  3 * (2 ** valueBits - 1) < 2 ** { '3x26': 26, '4x19': 19, '5x15': 15 }[name];

describe('arithmetic', () => {
  const residue = (p: number) => fc.oneof(fc.integer({ min: 0, max: p - 1 }), fc.integer({ min: p - 5, max: p - 1 }));

  test('products agree with BigInt', () => {
    for (const p of PRIMES) {
      fc.assert(
        fc.property(residue(p), residue(p), (a, b) => mulMod(a, b, p) === Number((BigInt(a) * BigInt(b)) % BigInt(p))),
        runs(3_000),
      );
    }
  });

  /** A packing, and as many dealers as fit it or fewer, each with a few values. */
  const round = fc
    .tuple(fc.constantFrom(...PACKING_NAMES), fc.integer({ min: 1, max: 16 }))
    .filter(([name, valueBits]) => fits(name, valueBits))
    .chain(([name, valueBits]) => {
      const profile = packingProfile(name, valueBits);
      const most = 2 ** valueBits - 1;
      const value = fc.oneof(fc.integer({ min: 0, max: most }), fc.constant(most));
      const dealer = fc.record({
        values: fc.array(value, { minLength: 9, maxLength: 9 }),
        errors: fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 3, maxLength: 3 }),
      });
      const dealers = fc.array(dealer, { minLength: 1, maxLength: Math.min(profile.maxDealers, 5) });
      return fc.record({ profile: fc.constant(profile), dealers });
    });

  test('embedding, adding and splitting give the sums of values and of errors, in every packing', () => {
    fc.assert(
      fc.property(round, ({ profile, dealers }) => {
        const acc = new Uint32Array(RESIDUES_PER_BLOCK);
        for (const { values, errors } of dealers) {
          const error = new Int32Array(RING_DEGREE);
          error.set(errors);
          const block = new Uint32Array(RESIDUES_PER_BLOCK);
          embed(block, error, packValues(values, profile), profile, block);
          addResidues(acc, block);
        }
        const [slots, error] = [new Uint32Array(profile.valuesPerBlock), new Int32Array(RING_DEGREE)];
        extract(acc, profile, slots, error);
        const total = (pick: (d: (typeof dealers)[number]) => number | undefined) =>
          dealers.reduce((sum, d) => sum + (pick(d) ?? 0), 0);
        expect([...unpackSums(slots, 9, dealers.length, profile)]).toEqual(
          Array.from({ length: 9 }, (_, j) => total((d) => d.values[j])),
        );
        expect([...error.subarray(0, 3)]).toEqual(Array.from({ length: 3 }, (_, j) => total((d) => d.errors[j])));
      }),
      runs(150),
    );
  });

  test('the packing chosen for any number of dealers is the densest that holds them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_024 }), fc.integer({ min: 1, max: 16 }), (dealers, valueBits) => {
        const chosen = PACKING_NAMES.indexOf(choosePacking(dealers, valueBits));
        const holding = PACKING_NAMES.filter(
          (name) => fits(name, valueBits) && packingProfile(name, valueBits).maxDealers >= dealers,
        );
        expect(chosen).toBe(PACKING_NAMES.indexOf(holding.at(-1) ?? '3x26'));
        const { maxDealers, slotBits } = packingProfile(PACKING_NAMES[chosen] ?? '3x26', valueBits);
        expect(maxDealers * (2 ** valueBits - 1)).toBeLessThan(2 ** slotBits);
      }),
      runs(500),
    );
  });
});

describe('sharing', () => {
  const scheme = fc.integer({ min: 1, max: 12 }).chain((n) =>
    fc.record({
      n: fc.constant(n),
      t: fc.integer({ min: 1, max: n }),
      coins: fc.string(),
      pick: fc.shuffledSubarray([...Array(n).keys()]),
    }),
  );

  test('any t or more of any scheme agree and reconstruct the sum of two secrets', () => {
    fc.assert(
      fc.property(scheme, ({ n, t, coins, pick }) => {
        const [a, b] = [1, 2].map((k) => Int32Array.from({ length: RING_DEGREE }, (_, i) => ((i * k * 31) % 81) - 40));
        if (a === undefined || b === undefined) return;
        const left = shareSecret(a, n, t, streamOf(coins));
        const right = shareSecret(b, n, t, streamOf(`${coins}.`));
        const sums = left.map((share, i) => {
          addShares(share, right[i] ?? new Uint16Array());
          return { index: i + 1, share: decodeShare(encodeShare(share)) };
        });
        const chosen = sums.filter((_, i) => pick.includes(i));
        if (chosen.length < t) return;
        expect(findOutliers(chosen, t)).toEqual({ agreeing: chosen, outliers: [] });
        expect(reconstruct(chosen.slice(-t))).toEqual(a.map((x, i) => x + (b[i] ?? 0)));
      }),
      runs(60),
    );
  });

  test('up to floor((m-t)/2) random liars are exactly the ones named', () => {
    const lies = fc.record({
      t: fc.integer({ min: 1, max: 8 }),
      liars: fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 5 }),
      amounts: fc.array(fc.integer({ min: 1, max: 65_520 }), { minLength: 5, maxLength: 5 }),
      places: fc.array(fc.nat({ max: RING_DEGREE - 1 }), { minLength: 5, maxLength: 5 }),
    });
    fc.assert(
      fc.property(lies, ({ t, liars, amounts, places }) => {
        const named = liars.slice(0, Math.floor((12 - t) / 2)).sort((a, b) => a - b);
        const answers = shareSecret(new Int32Array(RING_DEGREE).fill(-7), 12, t, streamOf('coins')).map((share, i) => {
          const liar = named.indexOf(i + 1);
          const place = places[liar];
          if (place !== undefined) share[place] = ((share[place] ?? 0) + (amounts[liar] ?? 0)) % 65_521;
          return { index: i + 1, share };
        });
        expect(findOutliers(answers, t).outliers).toEqual(named);
      }),
      runs(100),
    );
  });
});
