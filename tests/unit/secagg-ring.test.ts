// The ring engines against the plain reference, and the exactness of sums. One suite, all engines.
import { randomFillSync } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RingOpener } from '../../engines/ring/open.ts';
import type { Ring } from '../../engines/ring/ring.ts';
import { fromHex } from '../../protocol/bytes.ts';
import {
  type FillRandom,
  PRIMES,
  RESIDUES_PER_BLOCK,
  RING_DEGREE,
  VALUES_PER_BLOCK,
} from '../../protocol/secagg/block.ts';
import { createNoiseMeter } from '../../protocol/secagg/noise.ts';
import { expandA } from '../../protocol/secagg/public-a.ts';
import { CBD_POLYNOMIAL_BYTES, sampleCbd } from '../../protocol/secagg/sampling.ts';
import { ENGINES, randomWords, SEED, streamOf } from './secagg-fixtures.ts';
import { fromNtt, referenceSeal, slotOf } from './secagg-reference.ts';

const seed = fromHex(SEED);
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

  function open(secretSum: Int32Array, aggregate: Uint32Array, dealers: number, firstBlock = 0) {
    const [values, meter] = [new Uint32Array(aggregate.length), createNoiseMeter(dealers)];
    opener.open({ seed, secretSum, aggregate, values, onNoise: meter.add, firstBlock });
    return { values, noise: meter.report() };
  }

  test('seals block 5 exactly as the plain reference does', () => {
    const values = randomWords('values', VALUES_PER_BLOCK);
    const secret = sample(streamOf('s'));
    const out = new Uint32Array(RESIDUES_PER_BLOCK);
    ring.seal({ seed, secret, values, fillRandom: streamOf('e'), firstBlock: 5, out });
    expect(out).toEqual(referenceSeal(expandA(seed, 5), secret, sample(streamOf('e')), values));
  });

  test('an odd number of blocks, sealed whole or in parts, gives the same words', () => {
    const values = randomWords('five blocks', 5 * VALUES_PER_BLOCK);
    const secret = sample(streamOf('s'));
    const [whole, parts, random] = [new Uint32Array(values.length), new Uint32Array(values.length), streamOf('e')];
    ring.seal({ seed, secret, values, fillRandom: streamOf('e'), out: whole });
    for (const [from, to] of [
      [0, 2],
      [2, 3],
      [3, 5],
    ] as const) {
      const [a, b] = [from * VALUES_PER_BLOCK, to * VALUES_PER_BLOCK];
      ring.seal({
        seed,
        secret,
        values: values.subarray(a, b),
        fillRandom: random,
        firstBlock: from,
        out: parts.subarray(a, b),
      });
    }
    expect(parts).toEqual(whole);
    const { values: opened, noise } = open(secret, whole, 1);
    expect(opened).toEqual(Uint32Array.from(values));
    expect(noise.clean).toBe(true);
    const tail = 3 * RESIDUES_PER_BLOCK;
    expect(open(secret, whole.subarray(tail), 1, 3).values).toEqual(opened.subarray(tail));
  });

  test('64 dealers, three blocks: the sum is exact and the noise is clean', () => {
    const size = 3 * VALUES_PER_BLOCK;
    const [acc, total, truth] = [new Uint32Array(size), new Int32Array(RING_DEGREE), new Uint32Array(size)];
    for (let dealer = 0; dealer < 64; dealer++) {
      const [values, secret, out] = [new Uint16Array(size), sample(fill), new Uint32Array(size)];
      randomFillSync(values);
      ring.seal({ seed, secret, values, fillRandom: fill, out });
      ring.addInto(acc, out);
      for (let i = 0; i < size; i++) truth[i] = (truth[i] ?? 0) + (values[i] ?? 0);
      for (let i = 0; i < RING_DEGREE; i++) total[i] = (total[i] ?? 0) + (secret[i] ?? 0);
    }
    const { values, noise } = open(total, acc, 64);
    expect(values).toEqual(truth);
    expect(noise).toMatchObject({ clean: true, samples: 3 * RING_DEGREE });
  }, 60_000);

  test('1,024 dealers of the largest value fill every slot to the brim without a carry', () => {
    const values = new Uint16Array(VALUES_PER_BLOCK).fill(65_535);
    const [acc, total] = [new Uint32Array(RESIDUES_PER_BLOCK), new Int32Array(RING_DEGREE)];
    const out = new Uint32Array(RESIDUES_PER_BLOCK);
    for (let dealer = 0; dealer < 1024; dealer++) {
      const secret = sample(fill);
      ring.seal({ seed, secret, values, fillRandom: fill, out });
      ring.addInto(acc, out);
      for (let i = 0; i < RING_DEGREE; i++) total[i] = (total[i] ?? 0) + (secret[i] ?? 0);
    }
    const { values: sums, noise } = open(total, acc, 1024);
    expect(sums).toEqual(new Uint32Array(VALUES_PER_BLOCK).fill(1024 * 65_535));
    expect(noise.clean).toBe(true);
    expect(noise.maxAbs).toBeLessThan(noise.maxAbsAllowed);
  }, 60_000);

  test('a secret of zeros, or one constant, is no special case', () => {
    for (const constant of [0, 1, -40]) {
      const secret = new Int32Array(RING_DEGREE);
      secret[0] = constant;
      const [values, out] = [randomWords('v', VALUES_PER_BLOCK), new Uint32Array(RESIDUES_PER_BLOCK)];
      ring.seal({ seed, secret, values, fillRandom: fill, out });
      expect(open(secret, out, 1)).toMatchObject({ values: Uint32Array.from(values), noise: { clean: true } });
    }
  });

  test('one wrong coefficient of S, by one, leaves uniform noise', () => {
    const [secret, values, out] = [
      sample(fill),
      randomWords('v', VALUES_PER_BLOCK),
      new Uint32Array(RESIDUES_PER_BLOCK),
    ];
    ring.seal({ seed, secret, values, fillRandom: fill, out });
    secret[4095] = (secret[4095] ?? 0) + 1;
    const { noise } = open(secret, out, 1);
    expect(noise.clean).toBe(false);
    expect(noise.maxAbs).toBeGreaterThan(2_000);
  });

  test('buffers that are not the same whole blocks are a caller\u2019s mistake', () => {
    const job = { seed, secret: sample(fill), fillRandom: fill };
    expect(() => ring.seal({ ...job, values: new Uint16Array(5), out: new Uint32Array(5) })).toThrow(RangeError);
    expect(() => ring.seal({ ...job, values: new Uint16Array(0), out: new Uint32Array(0) })).toThrow(RangeError);
    const [values, out] = [new Uint16Array(VALUES_PER_BLOCK), new Uint32Array(2 * RESIDUES_PER_BLOCK)];
    expect(() => ring.seal({ ...job, values, out })).toThrow(RangeError);
  });

  test('memory does not grow with the blocks sealed', () => {
    const [values, out] = [new Uint16Array(VALUES_PER_BLOCK * 10), new Uint32Array(RESIDUES_PER_BLOCK * 10)];
    const run = (): void => ring.seal({ seed, secret: sample(fill), values, fillRandom: fill, out });
    for (let i = 0; i < 20; i++) run();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 100; i++) run();
    // one leaked ciphertext per pair of blocks would be 98 MB; what is seen is the collector's slack
    expect(process.memoryUsage().rss - before).toBeLessThan(60_000_000);
  }, 60_000);
});
