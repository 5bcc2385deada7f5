// Fingerprints of payloads: they add up exactly when the sum is the sum of these payloads, and of no others.
import { describe, expect, test } from 'vitest';
import { nodeShake128 } from '../../kit/shake.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { addResidues } from '../../protocol/secagg/coefficients.ts';
import {
  createFingerprinter,
  FINGERPRINT_BYTES,
  fingerprintChallenge,
  fingerprintsAddUp,
} from '../../protocol/secagg/fingerprint.ts';
import type { Xof } from '../../protocol/secagg/public-a.ts';
import { plainChallenge, plainFingerprint, plainWeights } from '../vectors/secagg-plain.ts';
import { addressOf, CHAIN_ID, codeOf, LEDGER, SEED, streamOf } from './secagg-fixtures.ts';

const hash = (digit: string): Hex => `0x${digit.repeat(64)}`;
const context = {
  chainId: CHAIN_ID,
  ledger: LEDGER,
  round: 7,
  setHash: SEED,
  payloadHashes: [hash('1'), hash('2'), hash('3')],
  aggregateHash: hash('a'),
  blocks: 2,
};
const challenge = fingerprintChallenge(context);

const primeAt = (i: number): number => PRIMES[Math.floor(i / RING_DEGREE) % PRIMES.length] ?? 1;
function anyResidues(label: string, blocks = 2): Uint32Array {
  const words = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
  streamOf(label)(new Uint8Array(words.buffer));
  return words.map((word, i) => word % primeAt(i));
}
const blockAt = (residues: Uint32Array, index: number): Uint32Array =>
  residues.subarray(index * RESIDUES_PER_BLOCK, (index + 1) * RESIDUES_PER_BLOCK);
function fingerprintOf(residues: Uint32Array, under = challenge, xof: Xof = nodeShake128): Uint8Array {
  const fingerprinter = createFingerprinter(under, xof);
  for (let k = 0; k < residues.length / RESIDUES_PER_BLOCK; k++) fingerprinter.addBlock(k, blockAt(residues, k));
  return fingerprinter.finish();
}
function sumOf(...parts: readonly Uint32Array[]): Uint32Array {
  const sum = new Uint32Array(parts[0]?.length ?? 0);
  for (const part of parts) addResidues(sum, part);
  return sum;
}

const payloads = ['one', 'two', 'three'].map((label) => anyResidues(label));
const whole = sumOf(...payloads);
const prints = payloads.map((residues) => fingerprintOf(residues));
const addsUp = (sum: Uint32Array, parts: readonly Uint8Array[] = prints): boolean =>
  fingerprintsAddUp(parts, fingerprintOf(sum));

describe('the sum of the payloads', () => {
  test('has the sum of their fingerprints, in any order', () => {
    expect(addsUp(whole)).toBe(true);
    expect(addsUp(whole, [...prints].reverse())).toBe(true);
    expect(fingerprintsAddUp([], fingerprintOf(new Uint32Array(RESIDUES_PER_BLOCK)))).toBe(true);
  });

  test.each(
    [0, 1].flatMap((block) =>
      [0, 1, 2].flatMap((prime) =>
        [0, 2_047, RING_DEGREE - 1].map((coefficient) => [block, prime, coefficient] as const),
      ),
    ),
  )('is told from one with another residue in block %i, prime %i, coefficient %i', (block, prime, coefficient) => {
    const at = block * RESIDUES_PER_BLOCK + prime * RING_DEGREE + coefficient;
    for (const by of [1, primeAt(at) - 1]) {
      const wrong = whole.slice();
      wrong[at] = ((wrong[at] ?? 0) + by) % primeAt(at);
      expect(addsUp(wrong)).toBe(false);
    }
  });

  test('is told from a sum with a payload dropped, added, doubled or replaced', () => {
    const [one, two, three] = payloads;
    if (one === undefined || two === undefined || three === undefined) throw new Error('three payloads');
    expect(addsUp(sumOf(one, two))).toBe(false);
    expect(addsUp(sumOf(one, two, three, anyResidues('four')))).toBe(false);
    expect(addsUp(sumOf(one, two, three, three))).toBe(false);
    expect(addsUp(sumOf(one, two, two))).toBe(false);
    expect(addsUp(whole, prints.slice(1))).toBe(false);
    expect(addsUp(whole, [...prints, ...prints.slice(0, 1)])).toBe(false);
  });

  test('is told from a sum with two blocks, or two primes, or two coefficients exchanged', () => {
    const blocks = new Uint32Array([...blockAt(whole, 1), ...blockAt(whole, 0)]);
    expect(addsUp(blocks)).toBe(false);
    const oneBlock = sumOf(
      new Uint32Array([...blockAt(payloads[0] ?? whole, 1), ...blockAt(payloads[0] ?? whole, 0)]),
      ...payloads.slice(1),
    );
    expect(addsUp(oneBlock)).toBe(false);
    const small = anyResidues('small').map((residue) => residue % 1_000);
    const exchanged = small.slice();
    exchanged.set(small.subarray(RING_DEGREE, 2 * RING_DEGREE), 0);
    exchanged.set(small.subarray(0, RING_DEGREE), RING_DEGREE);
    expect(addsUp(exchanged, [fingerprintOf(small)])).toBe(false);
    const coefficients = small.slice();
    [coefficients[5], coefficients[6]] = [small[6] ?? 0, small[5] ?? 0];
    expect(addsUp(coefficients, [fingerprintOf(small)])).toBe(false);
  });

  test('could be cheated with a known challenge, which is why the challenge follows from the sum', () => {
    // five coefficients of one prime, and four equations that they must not change
    const rows = plainWeights(challenge).filter((_, cell) => cell % PRIMES.length === 0);
    const delta = kernelVector(
      rows.map((w) => [...w.subarray(0, 5)].map(BigInt)),
      BigInt(PRIMES[0]),
    );
    const cheat = whole.slice();
    delta.forEach((by, i) => {
      cheat[i] = Number((BigInt(cheat[i] ?? 0) + by) % BigInt(PRIMES[0]));
    });
    expect(cheat).not.toEqual(whole);
    expect(addsUp(cheat)).toBe(true);
    const own = fingerprintChallenge({ ...context, aggregateHash: hash('b') });
    expect(
      fingerprintsAddUp(
        payloads.map((residues) => fingerprintOf(residues, own)),
        fingerprintOf(cheat, own),
      ),
    ).toBe(false);
  });
});

/** A non-zero x with Ax = 0 mod p, for one column more than rows. */
function kernelVector(matrix: readonly (readonly bigint[])[], p: bigint): bigint[] {
  const inverse = (a: bigint): bigint => {
    let result = 1n;
    for (let b = a, e = p - 2n; e > 0n; e >>= 1n, b = (b * b) % p) if (e & 1n) result = (result * b) % p;
    return result;
  };
  const rows = matrix.map((row) => [...row]);
  rows.forEach((row, r) => {
    const scale = inverse(row[r] ?? 0n);
    rows[r] = row.map((x) => (x * scale) % p);
    rows.forEach((other, o) => {
      const factor = other[r] ?? 0n;
      if (o !== r) rows[o] = other.map((x, c) => (((x - factor * (rows[r]?.[c] ?? 0n)) % p) + p) % p);
    });
  });
  return [...rows.map((row) => p - (row.at(-1) ?? 0n)), 1n];
}

describe('the challenge', () => {
  test('is another one for every round, set, payload, order and sum', () => {
    const others: Partial<typeof context>[] = [
      { chainId: 1 },
      { ledger: addressOf('another ledger') },
      { round: 8 },
      { setHash: hash('4') },
      { aggregateHash: hash('b') },
      { blocks: 3 },
      { payloadHashes: [...context.payloadHashes].reverse() },
      { payloadHashes: context.payloadHashes.slice(1) },
      // the same hashes, another border between the sum's and the payloads'
      { aggregateHash: hash('1'), payloadHashes: [hash('a'), hash('2'), hash('3')] },
    ];
    const seen = others.map((change) => fingerprintChallenge({ ...context, ...change }).join());
    expect(new Set([...seen, challenge.join()]).size).toBe(others.length + 1);
    expect(fingerprintChallenge({ ...context, aggregateHash: `0x${'A'.repeat(64)}` })).toEqual(challenge);
    expect(plainChallenge(context)).toEqual(challenge);
  });
});

describe('the arithmetic', () => {
  test('is that of the plain reference, with OpenSSL and with the pure SHAKE128', () => {
    for (const residues of [whole, new Uint32Array(RESIDUES_PER_BLOCK).map((_, i) => primeAt(i) - 1)]) {
      const expected = plainFingerprint(challenge, residues);
      expect(fingerprintOf(residues)).toEqual(expected);
      expect(fingerprintOf(residues, challenge, undefined)).toEqual(expected);
    }
  });

  test('takes blocks in any order, up to the last number there is', () => {
    const backwards = createFingerprinter(challenge);
    for (const k of [1, 0]) backwards.addBlock(k, blockAt(whole, k));
    expect(backwards.finish()).toEqual(fingerprintOf(whole));
    const far = createFingerprinter(challenge);
    far.addBlock(2 ** 32 - 1, blockAt(whole, 0));
    expect(far.finish()).not.toEqual(fingerprintOf(blockAt(whole, 0)));
    expect(() => far.addBlock(2 ** 32, blockAt(whole, 0))).toThrow(RangeError);
    expect(() => far.addBlock(0, whole)).toThrow(RangeError);
  });

  test('an empty payload has a fingerprint of zeros', () => {
    expect(createFingerprinter(challenge).finish()).toEqual(new Uint8Array(FINGERPRINT_BYTES));
  });

  test('words at or above the prime are skipped, also when the stream has to be extended', () => {
    const halfUseless: Xof = (_input, length) => {
      const bytes = new Uint8Array(length);
      const view = new DataView(bytes.buffer);
      for (let w = 0; w < length / 4; w++) view.setUint32(4 * w, w % 2 === 0 ? 0xffff_ffff : 1, true);
      return bytes;
    };
    // u = w = 1: the fingerprint is the sum of the residues
    const ones = new Uint32Array(RESIDUES_PER_BLOCK).fill(1);
    const words = new Uint32Array(fingerprintOf(ones, challenge, halfUseless).buffer);
    expect([...words]).toEqual(new Array(12).fill(RING_DEGREE));
  });
});

describe('bytes that are no fingerprint', () => {
  const cell = (at: number, value: number): Uint8Array => {
    const bytes = new Uint8Array(FINGERPRINT_BYTES);
    new DataView(bytes.buffer).setUint32(4 * at, value, true);
    return bytes;
  };
  test.each<readonly [string, Uint8Array]>([
    ['too short', new Uint8Array(47)],
    ['too long', new Uint8Array(52)],
    ['empty', new Uint8Array(0)],
    ...Array.from({ length: 12 }, (_, at) => [`cell ${at} at its prime`, cell(at, PRIMES[at % 3] ?? 0)] as const),
    ['a cell of all ones', cell(11, 2 ** 32 - 1)],
  ])('%s', async (_name, bytes) => {
    const zero = new Uint8Array(FINGERPRINT_BYTES);
    expect(await codeOf(() => fingerprintsAddUp([bytes], zero))).toBe('MESSAGE_MALFORMED');
    expect(await codeOf(() => fingerprintsAddUp([zero], bytes))).toBe('MESSAGE_MALFORMED');
    expect(await codeOf(() => fingerprintsAddUp([], bytes))).toBe('MESSAGE_MALFORMED');
  });

  test('the largest residues are one, and add up across the prime', () => {
    const most = new Uint8Array(FINGERPRINT_BYTES);
    const view = new DataView(most.buffer);
    for (let at = 0; at < 12; at++) view.setUint32(4 * at, (PRIMES[at % 3] ?? 0) - 1, true);
    const ones = new Uint8Array(new Uint32Array(12).fill(1).buffer);
    expect(fingerprintsAddUp([most, ones], new Uint8Array(FINGERPRINT_BYTES))).toBe(true);
    expect(fingerprintsAddUp([most, most, ones, ones], new Uint8Array(FINGERPRINT_BYTES))).toBe(true);
    // unaligned, as it comes out of a message
    const shifted = new Uint8Array(FINGERPRINT_BYTES + 1);
    shifted.set(most, 1);
    expect(fingerprintsAddUp([shifted.subarray(1)], most)).toBe(true);
  });
});
