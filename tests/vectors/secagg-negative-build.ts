// What must be refused, and with which error: bytes, numbers and sums, each made from the 3x26 round by the edits that it lists.
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { addressOf } from '../unit/secagg-fixtures.ts';
import { referenceBits } from '../unit/secagg-reference.ts';
import { hex, plainFingerprint } from './secagg-plain.ts';
import { type BuiltRound, plainNoise, plainResidual, plainSum } from './secagg-round-build.ts';

/** `length` first, when it is there: cut, or grown with zeros. Then each `set` of bytes. */
export interface ByteEdits {
  readonly name: string;
  readonly length?: number;
  readonly set?: readonly { readonly at: number; readonly hex: string }[];
}

const bytes = (at: number, ...values: readonly number[]) => ({ at, hex: hex(Uint8Array.from(values)) });

/** The group of 16 residues around one, with that one replaced. */
function residueEdit(residues: Uint32Array, block: number, prime: number, coefficient: number, value: number) {
  const polynomial = block * RESIDUES_PER_BLOCK + prime * RING_DEGREE;
  const from = 16 * Math.floor(coefficient / 16);
  const group = residues.slice(polynomial + from, polynomial + from + 16);
  group[coefficient - from] = value;
  const at = 8 + (polynomial / 16) * 60 + (from / 16) * 60;
  return { at, hex: hex(new Uint8Array(referenceBits(group).buffer)) };
}

function payloads(residues: Uint32Array, length: number) {
  const edits: (ByteEdits & { readonly fields?: Readonly<Record<string, number>> })[] = [
    { name: 'empty', length: 0 },
    { name: 'a header alone', length: 8 },
    { name: 'one byte short', length: length - 1 },
    { name: 'one byte long', length: length + 1 },
    { name: 'one block short', length: length - 46_080 },
    { name: 'the encoding before this one', set: [bytes(3, 0x31)] },
    { name: 'another first byte', set: [bytes(0, 0)] },
    { name: 'states one block', set: [bytes(4, 1)] },
    { name: 'states 2^24 + 2 blocks', set: [bytes(7, 1)] },
    { name: 'states its blocks big-endian', set: [bytes(4, 0, 0, 0, 2)] },
    { name: 'all ones', set: [{ at: 8, hex: hex(new Uint8Array(60).fill(255)) }] },
  ];
  const places = [
    [0, 0, 0],
    [0, 1, 4_095],
    [0, 2, 2_048],
    [1, 0, 17],
    [1, 1, 31],
    [1, 2, 4_095],
  ] as const;
  const atPrime = places.flatMap(([block, prime, coefficient]) =>
    [PRIMES[prime] ?? 0, (PRIMES[prime] ?? 0) + 1, 2 ** 30 - 1].map((value) => ({
      name: `residue ${value} in block ${block}, prime ${prime}, coefficient ${coefficient}`,
      set: [residueEdit(residues, block, prime, coefficient, value)],
      fields: { block, prime, coefficient },
    })),
  );
  return [...edits, ...atPrime].map((edit) => ({ ...edit, code: 'PAYLOAD_MALFORMED' }));
}

const words = (length: number) =>
  [
    { name: 'empty', length: 0 },
    { name: 'one residue short', length: length - 2 },
    { name: 'half a residue short', length: length - 1 },
    { name: 'one residue long', length: length + 2 },
    { name: 'the first residue is 65521', set: [bytes(0, 0xf1, 0xff)] },
    { name: 'the last residue is 65535', set: [bytes(length - 2, 0xff, 0xff)] },
  ].map((edit) => ({ ...edit, code: 'MESSAGE_MALFORMED' }));

function sealedShares(length: number, sealed: Uint8Array) {
  const flip = (at: number) => [bytes(at, (sealed[at] ?? 0) ^ 1)];
  const edits: (ByteEdits & { readonly keyHolder?: number; readonly attempt?: number })[] = [
    { name: 'empty', length: 0 },
    { name: 'the encapsulation alone', length: 1_120 },
    { name: 'without its tag', length: length - 16 },
    { name: 'one byte long', length: length + 1 },
    { name: 'a bit of the ML-KEM ciphertext', set: flip(0) },
    { name: 'the last bit of the ML-KEM ciphertext', set: flip(1_087) },
    { name: 'a bit of the X25519 key', set: flip(1_088) },
    { name: 'an X25519 key of low order', set: [{ at: 1_088, hex: hex(new Uint8Array(32)) }] },
    { name: 'a bit of the share', set: flip(1_120) },
    { name: 'a bit of the tag', set: flip(length - 1) },
    { name: 'opened by another key-holder', keyHolder: 2 },
    { name: 'opened for another attempt', attempt: 1 },
  ];
  return edits.map((edit) => ({ ...edit, code: 'SHARE_UNREADABLE' }));
}

const TEST_VALUES = ['0x', '0x00000000000000', '0x000000000000000000', '0xf1ff000000000000', '0x000000000000ffff'].map(
  (value) => ({ value, code: 'MESSAGE_MALFORMED' }),
);

function fingerprintBytes() {
  const cell = (at: number, value: number): string => {
    const out = new Uint8Array(48);
    new DataView(out.buffer).setUint32(4 * at, value, true);
    return hex(out);
  };
  return ['0x', hex(new Uint8Array(47)), hex(new Uint8Array(52))]
    .concat(Array.from({ length: 12 }, (_, at) => cell(at, PRIMES[at % 3] ?? 0)))
    .concat(cell(0, 2 ** 32 - 1))
    .map((fingerprint) => ({ fingerprint, code: 'MESSAGE_MALFORMED' }));
}

/** Sums that are not the sum of the round's payloads, fingerprinted under the true sum's challenge. */
function falseSums({ updates, aggregate, challenge, weights }: BuiltRound) {
  const residues = updates.map((update) => update.residues);
  const changed = (at: number, by: number): Uint32Array => {
    const p = PRIMES[Math.floor(at / RING_DEGREE) % 3] ?? 1;
    const sum = aggregate.slice();
    sum[at] = ((sum[at] ?? 0) + by) % p;
    return sum;
  };
  const swapped = new Uint32Array(aggregate.length);
  swapped.set(aggregate.subarray(RESIDUES_PER_BLOCK), 0);
  swapped.set(aggregate.subarray(0, RESIDUES_PER_BLOCK), RESIDUES_PER_BLOCK);
  const sums: (readonly [string, Uint32Array])[] = [
    ['the first residue is one more', changed(0, 1)],
    ['the last residue is one less', changed(aggregate.length - 1, PRIMES[2] - 1)],
    [
      'a message is one more, under all three primes',
      [0, 1, 2].reduce((sum, j) => {
        sum[j * RING_DEGREE + 5] = ((sum[j * RING_DEGREE + 5] ?? 0) + 1) % (PRIMES[j] ?? 1);
        return sum;
      }, aggregate.slice()),
    ],
    ['the two blocks exchanged', swapped],
    ['a payload left out', plainSum(residues.slice(1))],
    ['a payload added twice', plainSum([...residues, ...residues.slice(0, 1)])],
  ];
  return sums.map(([name, sum]) => ({ name, whole: hex(plainFingerprint(challenge, sum, weights)), addsUp: false }));
}

/** Openings whose residual is no honest noise. */
function falseOpenings(built: BuiltRound) {
  const { round, updates, aggregate, secretSum } = built;
  const off = secretSum.slice();
  off[0] = (off[0] ?? 0) + 1;
  const changed = aggregate.slice();
  changed[7] = ((changed[7] ?? 0) + 1) % PRIMES[0];
  const cases = [
    { name: 'coefficient 0 of S is one more', change: 'secret', sum: aggregate, secret: off },
    { name: 'residue 7 of the sum is one more, under one prime', change: 'residue', sum: changed, secret: secretSum },
    {
      name: 'the first dealer\u2019s payload left out',
      change: 'payload',
      sum: plainSum(updates.slice(1).map(({ residues }) => residues)),
      secret: secretSum,
    },
  ];
  return cases.map(({ name, change, sum, secret }) => {
    const { maxAbs, sumSquares } = plainNoise(round, plainResidual(round, sum, secret));
    return { name, change, maxAbs, sumSquares, clean: false };
  });
}

const NUMBERS = {
  packings: [
    ['3x26', 17],
    ['3x26', 0],
    ['3x26', 1.5],
    ['5x15', 14],
    ['5x15', 16],
    ['6x13', 8],
  ].map(([packing, valueBits]) => ({ packing, valueBits, code: 'VALUE_OUT_OF_RANGE' })),
  dealers: [
    ['3x26', 16, 1_025],
    ['3x26', 16, 0],
    ['4x19', 16, 9],
    ['5x15', 12, 9],
    ['5x15', 13, 5],
  ].map(([packing, valueBits, dealers]) => ({ packing, valueBits, dealers, code: 'VALUE_OUT_OF_RANGE' })),
  values: [
    ['3x26', 16, 65_536],
    ['4x19', 16, -1],
    ['5x15', 12, 4_096],
    ['5x15', 12, 0.5],
  ].map(([packing, valueBits, value]) => ({ packing, valueBits, value, code: 'VALUE_OUT_OF_RANGE' })),
  /** One slot of an opened sum of three dealers; everything else is zero, and the last value has index 9. */
  slots: [
    ['3x26', 16, 0, 3 * 65_535 + 1],
    ['3x26', 16, 9, 2 ** 26 - 1],
    ['3x26', 16, 10, 1],
    ['4x19', 16, 3, 3 * 65_535 + 1],
    ['4x19', 16, 3, 2 ** 21 - 1],
    ['5x15', 12, 4, 3 * 4_095 + 1],
    ['5x15', 12, 4, 2 ** 18 - 1],
    ['5x15', 12, 10, 1],
  ].map(([packing, valueBits, index, sum]) => ({ packing, valueBits, index, sum, code: 'VALUE_OUT_OF_RANGE' })),
};

function sets() {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => addressOf(`vector ${name}`));
  const registered = [a, b, c, d];
  return [
    { name: 'not finalised', finalised: null, registered, minCohort: 3 },
    { name: 'nobody', finalised: [], registered, minCohort: 3 },
    { name: 'one, which is that dealer\u2019s update', finalised: [a], registered, minCohort: 1 },
    { name: 'two, each knows the other\u2019s', finalised: [a, b], registered, minCohort: 2 },
    { name: 'below the federation\u2019s own minimum', finalised: [a, b, c], registered, minCohort: 4 },
    { name: 'a dealer twice', finalised: [a, b, b], registered, minCohort: 3 },
    { name: 'a stranger', finalised: [a, b, c], registered: [a, b, d], minCohort: 3 },
  ].map((set) => ({ ...set, code: 'SET_REFUSED' }));
}

export function buildNegative(built: BuiltRound) {
  const [update] = built.updates;
  const sealed = update?.sealedShares[0] ?? new Uint8Array();
  return {
    v: 'concordat/1/vectors/secagg-negative',
    source: 'edits of what secagg-3x26.json describes; sums and residuals by the same references as there',
    of: { vectors: 'secagg-3x26.json', dealer: update?.frozen.dealer, keyHolder: 1 },
    payloads: payloads(update?.residues ?? new Uint32Array(), update?.payload.length ?? 0),
    shares: words(8_200),
    answers: words(8_192),
    sealedShares: sealedShares(sealed.length, sealed),
    testValues: TEST_VALUES,
    fingerprints: fingerprintBytes(),
    falseSums: falseSums(built),
    falseOpenings: falseOpenings(built),
    ...NUMBERS,
    sets: sets(),
  };
}
