// What the vectors of every round share: the ring's roots, a_k, the encoding of residues, and the test of dealt shares.
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { streamOf } from '../unit/secagg-fixtures.ts';
import { fromNtt, referenceBits, smallestRoot } from '../unit/secagg-reference.ts';
import { digest } from './digest.ts';
import { bytesOf, FIELD, hex, plainA, plainCbd, plainOnOnePolynomial, plainTestValue } from './secagg-plain.ts';
import type { BuiltRound } from './secagg-round-build.ts';
import { VECTOR_ROUNDS } from './secagg-rounds.ts';

const polynomial = (residues: Uint32Array, j: number): Uint32Array =>
  residues.subarray(j * RING_DEGREE, (j + 1) * RING_DEGREE);

function anyResidues(label: string): Uint32Array {
  const words = new Uint32Array(RESIDUES_PER_BLOCK);
  streamOf(label)(new Uint8Array(words.buffer));
  return words.map((word, i) => word % (PRIMES[Math.floor(i / RING_DEGREE)] ?? 1));
}

const MOST = 2 ** 30 - 1;
/** Sixteen residues, fifteen words: every border between two residues once. */
const GROUPS: Readonly<Record<string, readonly number[]>> = {
  'one bit, the lowest': [1, ...new Array<number>(15).fill(0)],
  'one bit, the highest': [...new Array<number>(15).fill(0), 2 ** 29],
  'all bits': new Array<number>(16).fill(MOST),
  'every second residue': Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 0 : MOST)),
  counting: Array.from({ length: 16 }, (_, i) => i + 1),
  'the largest residues': Array.from({ length: 16 }, (_, i) => (PRIMES[i % 3] ?? 1) - 1),
};

function cbdSample() {
  const bytes = new Uint8Array(10 * RING_DEGREE);
  streamOf('vector cbd')(bytes);
  return {
    firstBytes: hex(bytes.subarray(0, 30)),
    randomBytes: digest(new Uint16Array(bytes.buffer)),
    samples: digest(plainCbd(bytes)),
  };
}

export function buildCommon() {
  const seed = VECTOR_ROUNDS[0]?.seed ?? '0x';
  const residues = anyResidues('vector residues');
  return {
    v: 'concordat/1/vectors/secagg',
    source: {
      roots: 'tests/unit/secagg-reference.ts: the smallest primitive 8192nd root, by trying all',
      publicA: 'tests/vectors/secagg-plain.ts: SHAKE128 of @noble/hashes, one number at a time',
      coefficients: 'tests/unit/secagg-reference.ts: inverse transform by definition, BigInt',
      cbd: 'tests/vectors/secagg-plain.ts: ones counted in binary text',
      bits: 'tests/unit/secagg-reference.ts: the bits of one BigInt',
    },
    primes: PRIMES,
    roots: PRIMES.map((p) => Number(smallestRoot(p))),
    seed,
    publicA: [0, 1, 0xffff_ffff].map((block) => {
      const a = plainA(bytesOf(seed), block);
      return {
        block,
        ntt: PRIMES.map((_, j) => digest(polynomial(a, j))),
        coefficients: PRIMES.map((p, j) => digest(fromNtt(polynomial(a, j), p))),
      };
    }),
    cbd: cbdSample(),
    bits: {
      groups: Object.entries(GROUPS).map(([name, group]) => ({
        name,
        residues: group,
        words: [...referenceBits(Uint32Array.from(group))],
      })),
      block: { label: 'vector residues', residues: digest(residues), words: digest(referenceBits(residues)) },
    },
  };
}

/** Sharings of the 3x26 round's first dealer, true and false: the values that key-holders publish, and what they prove. */
export function buildSharings({ updates, round }: BuiltRound) {
  const [update] = updates;
  if (update === undefined) throw new Error('a round without updates');
  const { threshold } = round;
  const other = updates[1]?.shares ?? [];
  const spoil = (index: number, changes: readonly (readonly [number, number])[]) =>
    update.shares.map((share, i) => {
      if (i + 1 !== index) return share;
      const spoilt = share.slice();
      for (const [at, by] of changes) spoilt[at] = Number((BigInt(spoilt[at] ?? 0) + BigInt(by)) % FIELD);
      return spoilt;
    });
  const cases: (readonly [string, readonly Uint16Array[], readonly number[]])[] = [
    ['honest, all answer', update.shares, [1, 2, 3, 4]],
    ['honest, in another order', update.shares, [4, 2, 1, 3]],
    ['honest, as many as the threshold', update.shares, [2, 3, 4]],
    ['one residue of one share changed by one', spoil(2, [[0, 1]]), [1, 2, 3, 4]],
    ['the last residue of one share changed', spoil(4, [[RING_DEGREE - 1, 65_520]]), [1, 2, 3, 4]],
    ['one mask changed', spoil(3, [[RING_DEGREE + 2, 5]]), [1, 2, 3, 4]],
    ['changed, but no more than the threshold answer', spoil(2, [[0, 1]]), [1, 2, 3]],
    [
      'one share of another sharing',
      update.shares.map((share, i) => (i === 1 ? (other[1] ?? share) : share)),
      [1, 2, 3, 4],
    ],
    ['one share does not open', update.shares.map((share, i) => (i === 2 ? new Uint16Array() : share)), [1, 2, 3, 4]],
  ];
  return {
    v: 'concordat/1/vectors/secagg-sharings',
    source: 'tests/vectors/secagg-plain.ts: BigInt inner products and interpolation',
    of: { vectors: 'secagg-3x26.json', dealer: update.frozen.dealer, threshold },
    cases: cases.map(([name, shares, answering]) => {
      const values = answering.map((index) => {
        const share = shares[index - 1] ?? new Uint16Array();
        return { index, value: share.length === 0 ? null : hex(plainTestValue(share, update.combination)) };
      });
      const rows = [0, 1, 2, 3].map((j) => {
        const points = values.flatMap(({ index, value }): (readonly [number, number])[] => {
          const bytes = bytesOf(value ?? '0x');
          return value === null ? [] : [[index, (bytes[2 * j] ?? 0) + 256 * (bytes[2 * j + 1] ?? 0)]];
        });
        return points.length === values.length && plainOnOnePolynomial(points, threshold);
      });
      return { name, values, rows, holds: rows.every(Boolean) };
    }),
  };
}
