// The two engines side by side: the same job, word for word the same answer. Random jobs, and the edges of every range.
import { beforeAll, describe, expect, test } from 'vitest';
import { expandInto } from '../../engines/ring/expand.ts';
import { type Kernel, ringKernel } from '../../engines/ring/kernel.ts';
import { nodeShake128 } from '../../kit/shake.ts';
import { fromHex, sha256, utf8ToBytes } from '../../protocol/bytes.ts';
import { SECAGG } from '../../protocol/params.ts';
import { type FillRandom, PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import type { OpenJob, RingOpener } from '../../protocol/secagg/opener.ts';
import type { Packing } from '../../protocol/secagg/packing.ts';
import { expandA, type Xof } from '../../protocol/secagg/public-a.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { CBD_BYTES, CBD_POLYNOMIAL_BYTES, sampleCbd } from '../../protocol/secagg/sampling.ts';
import { ENGINES, KERNEL, randomWords, SEED, streamOf } from './secagg-fixtures.ts';
import { referenceMessage } from './secagg-reference.ts';
import { expectSame } from './secagg-same.ts';

const WIDE: Packing = { slots: 3, slotBits: 26 };
/** The most slots: it fills the kernel's buffers to their ends. */
const NARROW: Packing = { slots: 5, slotBits: 15 };

let engines: readonly { readonly ring: Ring; readonly opener: RingOpener }[];
let kernel: Kernel;
beforeAll(async () => {
  engines = await Promise.all(
    ENGINES.map(async (e) => ({ ring: await e.createRing(), opener: await e.createOpener() })),
  );
  kernel = await ringKernel(KERNEL);
});

interface Job {
  readonly seed: Uint8Array;
  readonly secret: Int32Array;
  readonly packing: Packing;
  readonly values: Uint16Array;
  /** Makes the errors; called once per engine. */
  readonly random: () => FillRandom;
  readonly firstBlock: number;
}

function sealed(job: Job): Uint32Array {
  const { random, ...rest } = job;
  const [reference = new Uint32Array(), ...others] = engines.map(({ ring }) => {
    const out = new Uint32Array((job.values.length / job.packing.slots) * PRIMES.length);
    ring.seal({ ...rest, fillRandom: random(), out });
    return out;
  });
  expect(others.length).toBe(1);
  for (const other of others) expectSame(other, reference);
  return reference;
}

type Opening = Omit<OpenJob, 'values' | 'onNoise'>;

function opened(job: Opening) {
  const [reference, ...others] = engines.map(({ opener }) => {
    const values = new Uint32Array((job.aggregate.length / PRIMES.length) * job.packing.slots);
    const errors: Int32Array[] = [];
    opener.open({ ...job, values, onNoise: (error) => errors.push(error.slice()) });
    return { values, errors };
  });
  const { values, errors } = reference ?? { values: new Uint32Array(), errors: [] };
  for (const other of others) {
    expectSame(other.values, values);
    expect(other.errors).toHaveLength(errors.length);
    for (const [i, error] of errors.entries()) expectSame(other.errors[i] ?? new Int32Array(), error);
  }
  return { values, errors };
}

/** CBD(40) from a labelled stream. */
function smallOf(label: string): Int32Array {
  const [bytes, out] = [new Uint8Array(CBD_POLYNOMIAL_BYTES), new Int32Array(RING_DEGREE)];
  streamOf(label)(bytes);
  sampleCbd(bytes, out);
  return out;
}

/** Residues below their primes, all of them possible. */
function residuesOf(label: string, blocks: number): Uint32Array {
  const words = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
  streamOf(label)(new Uint8Array(words.buffer));
  return words.map((word, i) => word % (PRIMES[Math.floor(i / RING_DEGREE) % 3] ?? 1));
}

describe('random jobs', () => {
  const jobs = SECAGG.packings.flatMap((packing) =>
    Array.from({ length: 12 }, (_, i) => ({ label: `job ${i} of ${packing.name}`, packing })),
  );
  test.each(jobs)('$label: sealed alike, and opened alike by either', ({ label, packing }) => {
    const [pick = 0, ...place] = sha256(utf8ToBytes(label));
    const job: Job = {
      seed: sha256(utf8ToBytes(`seed of ${label}`)),
      secret: smallOf(`secret of ${label}`),
      packing,
      values: randomWords(`values of ${label}`, (1 + (pick % 3)) * packing.slots * RING_DEGREE).map(
        (word) => word % 2 ** packing.slotBits,
      ),
      random: () => streamOf(`errors of ${label}`),
      firstBlock: new DataView(Uint8Array.from(place).buffer).getUint32(0) >>> (pick % 32),
    };
    const out = sealed(job);
    const { values, errors } = opened({ ...job, secretSum: job.secret, aggregate: out });
    expectSame(values, Uint32Array.from(job.values));
    const random = job.random();
    for (const error of errors) {
      const [bytes, expected] = [new Uint8Array(CBD_POLYNOMIAL_BYTES), new Int32Array(RING_DEGREE)];
      random(bytes);
      sampleCbd(bytes, expected);
      expectSame(error, expected);
    }
  });
});

describe('the edges', () => {
  const seed = fromHex(SEED);
  /** Every sample the same: +40, 0 or −40. */
  const errors: Readonly<Record<string, (at: number) => number>> = {
    'errors +40': (at) => (at % CBD_BYTES < 5 ? 0xff : 0),
    'errors 0': () => 0,
    'errors \u221240': (at) => (at % CBD_BYTES < 5 ? 0 : 0xff),
    'errors +40 and \u221240 in turn': (at) => (at % CBD_BYTES < 5 === at % (2 * CBD_BYTES) < CBD_BYTES ? 0xff : 0),
  };
  const secrets: Readonly<Record<string, (i: number) => number>> = {
    'secret 0': () => 0,
    'secret +40': () => 40,
    'secret \u221240': () => -40,
    'secret \u00b140 in turn': (i) => (i % 2 === 0 ? 40 : -40),
    'secret X^4095': (i) => (i === RING_DEGREE - 1 ? 1 : 0),
  };
  const cases = Object.entries(errors).flatMap(([error, byteAt]) =>
    Object.entries(secrets).flatMap(([secret, at]) =>
      SECAGG.packings.flatMap((packing) =>
        // in 5x15 the largest word is a bit too wide for its slot: the engines still agree, on the carry
        [0, 65_535].map((value) => {
          const name = `${packing.name}, values ${value}, ${secret}, ${error}`;
          return { name, packing, value, at, byteAt };
        }),
      ),
    ),
  );

  test.each(cases)('$name', ({ packing, value, at, byteAt }) => {
    const secret = Int32Array.from({ length: RING_DEGREE }, (_, i) => at(i));
    const values = new Uint16Array(packing.slots * RING_DEGREE).fill(value);
    const random = (): FillRandom => (bytes) => {
      bytes.set(bytes.map((_, i) => byteAt(i)));
    };
    const firstBlock = 2 ** 32 - 1;
    const aggregate = sealed({ seed, secret, packing, values, random, firstBlock });
    const { values: slots } = opened({ seed, secretSum: secret, aggregate, packing, firstBlock });
    expect(referenceMessage(slots, 0, packing)).toBe(referenceMessage(values, 0, packing));
    if (value < 2 ** packing.slotBits) expectSame(slots, Uint32Array.from(values));
  });

  const aggregates = {
    zeros: new Uint32Array(RESIDUES_PER_BLOCK),
    'every residue p \u2212 1': new Uint32Array(RESIDUES_PER_BLOCK).map(
      (_, i) => (PRIMES[Math.floor(i / RING_DEGREE)] ?? 0) - 1,
    ),
    'the middle of every prime': new Uint32Array(RESIDUES_PER_BLOCK).map(
      // (q − 1)/2, the last number that centring leaves alone, and (q + 1)/2, the first that it moves
      (_, i) => ((PRIMES[Math.floor(i / RING_DEGREE)] ?? 0) - 1) / 2 + (i % 2),
    ),
    'one prime only': residuesOf('one prime', 1).map((word, i) => (i < RING_DEGREE ? word : 0)),
    'random residues': residuesOf('aggregate', 1),
  };
  test.each(Object.entries(aggregates))('opening %s under any S', (_name, aggregate) => {
    for (const packing of SECAGG.packings) {
      for (const size of [0, 1, 32_760, -32_760]) {
        opened({ seed, secretSum: new Int32Array(RING_DEGREE).fill(size), aggregate, packing, firstBlock: 7 });
        opened({ seed, secretSum: new Int32Array(RING_DEGREE).fill(size, 0, 1), aggregate, packing, firstBlock: 0 });
      }
    }
  });
});

describe('a_k', () => {
  const seed = fromHex(SEED);
  /** Real output in which every nth word is refused under every prime. */
  const stingy =
    (nth: number): Xof =>
    (input, length) => {
      const bytes = Uint8Array.from(nodeShake128(input, length));
      for (let at = 0; at + 4 <= length; at += 4 * nth) bytes.fill(0xff, at, at + 4);
      return bytes;
    };
  // within the words to spare; just beyond them; far beyond, where the reference reads on and on
  test.each([4128, 1000, 140, 128, 100, 5, 2])('one word in %i refused', (nth) => {
    for (const block of [0, 1, 2 ** 31]) {
      expandInto(kernel, seed, block, stingy(nth));
      expectSame(kernel.public, expandA(seed, block, stingy(nth)));
    }
  });

  test('a seed of another length, a secret of another length are a caller\u2019s mistake', () => {
    const [ring, opener] = [engines[1]?.ring, engines[1]?.opener];
    const out = new Uint32Array(RESIDUES_PER_BLOCK);
    const job = {
      seed,
      secret: smallOf('s'),
      packing: WIDE,
      values: new Uint16Array(WIDE.slots * RING_DEGREE),
      fillRandom: streamOf('e'),
      out,
    };
    expect(() => ring?.seal({ ...job, seed: seed.subarray(1) })).toThrow(RangeError);
    expect(() => ring?.seal({ ...job, secret: job.secret.subarray(1) })).toThrow(RangeError);
    const open = {
      seed,
      secretSum: new Int32Array(1),
      aggregate: out,
      packing: WIDE,
      values: out.slice(),
      onNoise: () => undefined,
    };
    expect(() => opener?.open(open)).toThrow(RangeError);
  });
});

describe('nothing secret stays in the kernel', () => {
  const secretPart = () => new Uint8Array(kernel.small.buffer, kernel.small.byteOffset);
  const job = () => ({
    seed: fromHex(SEED),
    secret: smallOf('secret'),
    packing: NARROW,
    values: randomWords('values', NARROW.slots * RING_DEGREE),
    out: new Uint32Array(RESIDUES_PER_BLOCK),
  });
  const clean = () => secretPart().every((byte) => byte === 0);

  test('after sealing and after opening', () => {
    const { out, ...rest } = job();
    let during = true;
    const fillRandom: FillRandom = (bytes) => {
      during = clean();
      streamOf('e')(bytes);
    };
    engines[1]?.ring.seal({ ...rest, fillRandom, out });
    expect(during).toBe(false);
    expect(clean()).toBe(true);
    let noise = false;
    const onNoise = (error: Int32Array) => {
      noise = error.some((x) => x !== 0);
    };
    const { seed, packing, secret: secretSum } = rest;
    const values = new Uint32Array(rest.values.length);
    engines[1]?.opener.open({ seed, secretSum, aggregate: out, packing, values, onNoise });
    expect(noise).toBe(true);
    expect(clean()).toBe(true);
  });

  test('after a failure half-way', () => {
    const failing: FillRandom = () => {
      throw new Error('no randomness');
    };
    expect(() => engines[1]?.ring.seal({ ...job(), fillRandom: failing })).toThrow('no randomness');
    expect(clean()).toBe(true);
    const { seed, secret: secretSum, packing, values, out: aggregate } = job();
    const onNoise = () => {
      throw new Error('the listener failed');
    };
    const open = { seed, secretSum, aggregate, packing, values: new Uint32Array(values.length), onNoise };
    expect(() => engines[1]?.opener.open(open)).toThrow('the listener failed');
    expect(clean()).toBe(true);
  });
});
