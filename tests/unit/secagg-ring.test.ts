// The ring engines against the plain reference, and the exactness of sums. One suite, all engines.
import { randomFillSync } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { fromHex } from '../../protocol/bytes.ts';
import { SECAGG } from '../../protocol/params.ts';
import { type FillRandom, PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { addResidues } from '../../protocol/secagg/coefficients.ts';
import { createNoiseMeter } from '../../protocol/secagg/noise.ts';
import type { RingOpener } from '../../protocol/secagg/opener.ts';
import { type Packing, packingProfile, unpackSums } from '../../protocol/secagg/packing.ts';
import { expandA } from '../../protocol/secagg/public-a.ts';
import { PACKED_WORDS_PER_BLOCK, packResidues } from '../../protocol/secagg/residue-bits.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { CBD_POLYNOMIAL_BYTES, sampleCbd } from '../../protocol/secagg/sampling.ts';
import { ENGINES, randomWords, SEED, streamOf } from './secagg-fixtures.ts';
import { fromNtt, referenceSeal, referenceSplit, slotOf } from './secagg-reference.ts';
import { expectSame } from './secagg-same.ts';

const seed = fromHex(SEED);
const WIDE: Packing = { slots: 3, slotBits: 26 };
const valuesPerBlock = ({ slots }: Packing): number => slots * RING_DEGREE;
const fill: FillRandom = (bytes) => {
  randomFillSync(bytes);
};

function sample(random: FillRandom): Int32Array {
  const [bytes, out] = [new Uint8Array(CBD_POLYNOMIAL_BYTES), new Int32Array(RING_DEGREE)];
  random(bytes);
  sampleCbd(bytes, out);
  return out;
}

test('the reference reads the NTT order as SEAL defines it', () => {
  const a = expandA(seed, 0);
  PRIMES.forEach((p, j) => {
    const slots = a.subarray(j * RING_DEGREE, (j + 1) * RING_DEGREE);
    const coefficients = fromNtt(slots, p);
    for (const k of [0, 1, 2, 2048, 4095]) expect(slotOf(coefficients, p, k)).toBe(slots[k]);
  });
});

describe.each(ENGINES)('engine $name', ({ createRing, createOpener }) => {
  let ring: Ring;
  let opener: RingOpener;
  beforeAll(async () => {
    [ring, opener] = [await createRing(), await createOpener()];
  });

  function open(secretSum: Int32Array, aggregate: Uint32Array, dealers: number, packing = WIDE, firstBlock = 0) {
    const blocks = aggregate.length / RESIDUES_PER_BLOCK;
    const [values, meter] = [new Uint32Array(blocks * valuesPerBlock(packing)), createNoiseMeter(dealers)];
    opener.open({ seed, secretSum, aggregate, packing, values, onNoise: meter.add, firstBlock });
    return { values, noise: meter.report() };
  }

  /** Seals as each of so many dealers, adds what they sealed as payloads do, and opens the sum. */
  function sumOf(dealers: number, packing: Packing, blocks: number, valuesOf: (dealer: number) => Uint16Array) {
    const size = blocks * RESIDUES_PER_BLOCK;
    const [acc, total, out] = [new Uint32Array(size), new Int32Array(RING_DEGREE), new Uint32Array(size)];
    const packed = new Uint32Array(blocks * PACKED_WORDS_PER_BLOCK);
    for (let dealer = 0; dealer < dealers; dealer++) {
      const secret = sample(fill);
      ring.seal({ seed, secret, packing, values: valuesOf(dealer), fillRandom: fill, out });
      packResidues(out, packed);
      ring.addPacked(acc, packed);
      for (let i = 0; i < RING_DEGREE; i++) total[i] = (total[i] ?? 0) + (secret[i] ?? 0);
    }
    return open(total, acc, dealers, packing);
  }

  describe.each(SECAGG.packings)('packing $name', (packing) => {
    test('seals block 5 exactly as the plain reference does, full slots and fuller ones', () => {
      // 16 bits each: with five slots of 15 bits every value runs into the next slot, and the sum is still exact
      const values = randomWords('values', valuesPerBlock(packing));
      const secret = sample(streamOf('s'));
      const out = new Uint32Array(RESIDUES_PER_BLOCK);
      ring.seal({ seed, secret, packing, values, fillRandom: streamOf('e'), firstBlock: 5, out });
      expectSame(out, referenceSeal(expandA(seed, 5), secret, sample(streamOf('e')), values, packing));
    });

    test('opens block 5 exactly as the plain reference splits it', () => {
      const [aggregate, errors] = [new Uint32Array(RESIDUES_PER_BLOCK), [] as Int32Array[]];
      streamOf('aggregate')(new Uint8Array(aggregate.buffer));
      for (const [i, word] of aggregate.entries()) aggregate[i] = word % (PRIMES[Math.floor(i / RING_DEGREE)] ?? 1);
      const [values, secretSum] = [new Uint32Array(valuesPerBlock(packing)), new Int32Array(RING_DEGREE)];
      const onNoise = (error: Int32Array) => errors.push(error.slice());
      opener.open({ seed, secretSum, aggregate, packing, values, onNoise, firstBlock: 5 });
      const { slots } = packing;
      for (let i = 0; i < RING_DEGREE; i++) {
        const cut = { slots: [...values.subarray(slots * i, slots * (i + 1))], error: errors[0]?.[i] };
        expect(cut).toEqual(referenceSplit(aggregate, i, packing));
      }
    });

    test('an odd number of blocks, sealed whole or in parts, gives the same words', () => {
      const perBlock = valuesPerBlock(packing);
      const values = randomWords('five blocks', 5 * perBlock).map((word) => word % 2 ** packing.slotBits);
      const secret = sample(streamOf('s'));
      const whole = new Uint32Array(5 * RESIDUES_PER_BLOCK);
      const [parts, random] = [whole.slice(), streamOf('e')];
      ring.seal({ seed, secret, packing, values, fillRandom: streamOf('e'), out: whole });
      for (const [from, to] of [
        [0, 2],
        [2, 3],
        [3, 5],
      ] as const) {
        const part = values.subarray(from * perBlock, to * perBlock);
        const out = parts.subarray(from * RESIDUES_PER_BLOCK, to * RESIDUES_PER_BLOCK);
        ring.seal({ seed, secret, packing, values: part, fillRandom: random, firstBlock: from, out });
      }
      expectSame(parts, whole);
      const { values: opened, noise } = open(secret, whole, 1, packing);
      expectSame(opened, Uint32Array.from(values));
      expect(noise.clean).toBe(true);
      const tail = open(secret, whole.subarray(3 * RESIDUES_PER_BLOCK), 1, packing, 3);
      expectSame(tail.values, opened.subarray(3 * perBlock));
    });
  });

  // the fullest that a slot can be: the most dealers that the profile allows, all with the largest value
  test.each([
    ['3x26', 16, 1024],
    ['4x19', 16, 8],
    ['4x19', 13, 64],
    ['5x15', 13, 4],
    ['5x15', 9, 64],
  ] as const)(
    '%s of %i bits: %i dealers fill every slot to the brim without a carry',
    (name, valueBits, dealers) => {
      const packing = packingProfile(name, valueBits);
      expect(packing.maxDealers).toBe(dealers);
      const most = 2 ** valueBits - 1;
      const values = new Uint16Array(packing.valuesPerBlock).fill(most);
      const { values: sums, noise } = sumOf(dealers, packing, 1, () => values);
      expectSame(sums, new Uint32Array(values.length).fill(dealers * most));
      expectSame(unpackSums(sums, sums.length, dealers, packing), sums);
      expect(noise.clean).toBe(true);
      expect(noise.maxAbs).toBeLessThan(noise.maxAbsAllowed);
    },
    60_000,
  );

  test.each([
    ['3x26', 16, 64],
    ['4x19', 13, 64],
    ['5x15', 9, 64],
  ] as const)(
    '%s: %i-bit values of %i dealers, three blocks: the sum is exact and the noise is clean',
    (name, bits, dealers) => {
      const packing = packingProfile(name, bits);
      const [values, truth] = [
        new Uint16Array(3 * packing.valuesPerBlock),
        new Uint32Array(3 * packing.valuesPerBlock),
      ];
      const { values: sums, noise } = sumOf(dealers, packing, 3, () => {
        randomFillSync(values);
        for (let i = 0; i < values.length; i++) {
          values[i] = (values[i] ?? 0) % 2 ** bits;
          truth[i] = (truth[i] ?? 0) + (values[i] ?? 0);
        }
        return values;
      });
      expectSame(sums, truth);
      expect(noise).toMatchObject({ clean: true, samples: 3 * RING_DEGREE });
    },
    60_000,
  );

  // a value of 16 bits where fewer were agreed, on top of a sum that is full
  test.each([
    ['4x19', 15, 16],
    ['4x19', 13, 64],
    ['5x15', 13, 4],
  ] as const)(
    '%s: one dealer above %i bits among %i runs out of its slot and is seen',
    (name, valueBits, dealers) => {
      const packing = packingProfile(name, valueBits);
      const [most, last] = [2 ** valueBits - 1, packing.valuesPerBlock - 1];
      const full = new Uint16Array(packing.valuesPerBlock).fill(most);
      for (const place of [0, last]) {
        const over = full.slice();
        over[place] = 65_535;
        const { values: sums, noise } = sumOf(dealers, packing, 1, (dealer) => (dealer === 0 ? over : full));
        const sum = (dealers - 1) * most + 65_535;
        expect(sum).toBeGreaterThan(2 ** packing.slotBits);
        // out of a slot in the middle goes into the next one; what leaves the last stays in it, and out of the noise
        if (place === last) expect(sums[last]).toBe(sum);
        else
          expect([...sums.subarray(0, 2)]).toEqual([
            sum % 2 ** packing.slotBits,
            dealers * most + (sum >> packing.slotBits),
          ]);
        expect(noise.clean).toBe(true);
        const slot = place === last ? last : (sums[0] ?? 0) > dealers * most ? 0 : 1;
        expect(() => unpackSums(sums, sums.length, dealers, packing)).toThrow(`slot ${slot} `);
      }
    },
    60_000,
  );

  describe('adding a payload', () => {
    const residuesOf = (label: string, blocks: number): Uint32Array => {
      const words = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
      streamOf(label)(new Uint8Array(words.buffer));
      return words.map((word, i) => word % (PRIMES[Math.floor(i / RING_DEGREE) % 3] ?? 1));
    };
    const packed = (residues: Uint32Array): Uint32Array => {
      const words = new Uint32Array((residues.length / RESIDUES_PER_BLOCK) * PACKED_WORDS_PER_BLOCK);
      packResidues(residues, words);
      return words;
    };
    const most = new Uint32Array(RESIDUES_PER_BLOCK).map((_, i) => (PRIMES[Math.floor(i / RING_DEGREE)] ?? 0) - 1);
    const one = new Uint32Array(RESIDUES_PER_BLOCK).fill(1);

    test.each([
      ['p \u2212 1 and p \u2212 1', most, most],
      ['p \u2212 1 and 0', most, new Uint32Array(RESIDUES_PER_BLOCK)],
      ['p \u2212 1 and 1: the first sum that wraps', most, one],
      ['p \u2212 2 and 1: the last that does not', most.map((x) => x - 1), one],
      ['three random blocks', residuesOf('left', 3), residuesOf('right', 3)],
    ])('%s: as unpacking and adding', (_name, left, right) => {
      const [expected, acc] = [left.slice(), left.slice()];
      addResidues(expected, right);
      ring.addPacked(acc, packed(right));
      expectSame(acc, expected);
      // and the other way round: no side is treated otherwise
      const other = right.slice();
      ring.addPacked(other, packed(left));
      expectSame(other, expected);
    });

    test('every residue lands in its own place', () => {
      for (const at of [0, 1, 2, 3, 4, 5, 6, 7, 15, 16, RING_DEGREE - 1, RING_DEGREE, RESIDUES_PER_BLOCK - 1]) {
        const single = new Uint32Array(RESIDUES_PER_BLOCK);
        single[at] = 0x2aaa_aaab;
        const acc = new Uint32Array(RESIDUES_PER_BLOCK);
        ring.addPacked(acc, packed(single));
        expectSame(acc, single);
      }
    });

    test('views into larger arrays: nothing beside them is read or written', () => {
      const [left, right] = [residuesOf('left', 1), residuesOf('right', 1)];
      const words = packed(right);
      const inside = new Uint32Array(words.length + 7).fill(0xffffffff);
      inside.set(words, 3);
      const acc = new Uint32Array(left.length + 9).fill(0xdead);
      acc.set(left, 5);
      ring.addPacked(acc.subarray(5, 5 + left.length), inside.subarray(3, 3 + words.length));
      addResidues(left, right);
      expectSame(acc.subarray(5, 5 + left.length), left);
      expect([...acc.subarray(0, 5), ...acc.subarray(-4)]).toEqual(new Array(9).fill(0xdead));
    });

    test('sizes that do not belong together are a caller\u2019s mistake, and nothing is added', () => {
      const acc = new Uint32Array(2 * RESIDUES_PER_BLOCK);
      for (const words of [0, PACKED_WORDS_PER_BLOCK, 2 * PACKED_WORDS_PER_BLOCK - 15, 2 * RESIDUES_PER_BLOCK]) {
        expect(() => ring.addPacked(acc, new Uint32Array(words).fill(1))).toThrow(RangeError);
      }
      expect(() => ring.addPacked(new Uint32Array(16), new Uint32Array(15))).toThrow(RangeError);
      expect(acc.every((x) => x === 0)).toBe(true);
    });
  });

  test('a secret of zeros, or one constant, is no special case', () => {
    for (const constant of [0, 1, -40]) {
      const secret = new Int32Array(RING_DEGREE);
      secret[0] = constant;
      const [values, out] = [randomWords('v', valuesPerBlock(WIDE)), new Uint32Array(RESIDUES_PER_BLOCK)];
      ring.seal({ seed, secret, packing: WIDE, values, fillRandom: fill, out });
      expect(open(secret, out, 1)).toMatchObject({ values: Uint32Array.from(values), noise: { clean: true } });
    }
  });

  test('one wrong coefficient of S, by one, leaves uniform noise', () => {
    const [secret, values, out] = [
      sample(fill),
      randomWords('v', valuesPerBlock(WIDE)),
      new Uint32Array(RESIDUES_PER_BLOCK),
    ];
    ring.seal({ seed, secret, packing: WIDE, values, fillRandom: fill, out });
    secret[4095] = (secret[4095] ?? 0) + 1;
    const { noise } = open(secret, out, 1);
    expect(noise.clean).toBe(false);
    expect(noise.maxAbs).toBeGreaterThan(2_000);
  });

  test('buffers that are not the same whole blocks, or of no packing there is, are a caller\u2019s mistake', () => {
    const job = { seed, secret: sample(fill), fillRandom: fill };
    const narrow: Packing = { slots: 5, slotBits: 15 };
    const block = new Uint32Array(RESIDUES_PER_BLOCK);
    const refused: readonly [number, Uint32Array, Packing][] = [
      [5, new Uint32Array(5), WIDE],
      [0, new Uint32Array(0), WIDE],
      [valuesPerBlock(WIDE), new Uint32Array(2 * RESIDUES_PER_BLOCK), WIDE],
      [valuesPerBlock(narrow), block, WIDE],
      [valuesPerBlock(WIDE), block, narrow],
      [6 * RING_DEGREE, block, { slots: 6, slotBits: 13 }],
      [valuesPerBlock(WIDE), block, { slots: 3, slotBits: 27 }],
    ];
    for (const [count, residues, packing] of refused) {
      const sealing = { ...job, packing, values: new Uint16Array(count), out: residues };
      expect(() => ring.seal(sealing)).toThrow(RangeError);
      const opening = { seed, secretSum: job.secret, aggregate: residues, packing, onNoise: () => undefined };
      expect(() => opener.open({ ...opening, values: new Uint32Array(count) })).toThrow(RangeError);
    }
  });

  test('memory does not grow with the blocks sealed', () => {
    const [values, out] = [new Uint16Array(valuesPerBlock(WIDE) * 10), new Uint32Array(RESIDUES_PER_BLOCK * 10)];
    const run = (): void => ring.seal({ seed, secret: sample(fill), packing: WIDE, values, fillRandom: fill, out });
    for (let i = 0; i < 20; i++) run();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 100; i++) run();
    // one leaked ciphertext per pair of blocks would be 98 MB; what is seen is the collector's slack
    expect(process.memoryUsage().rss - before).toBeLessThan(60_000_000);
  }, 60_000);
});
