// Payload bytes: what is accepted, the place that is named when not, and that the cuts between chunks do not matter.
import { beforeAll, describe, expect, test } from 'vitest';
import { ConcordatError } from '../../protocol/errors.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import {
  blockOf,
  createPayloadParser,
  decodePayload,
  HEADER_BYTES,
  payloadBytes,
  payloadHash,
  payloadHeader,
} from '../../protocol/secagg/payload.ts';
import { PACKED_BYTES_PER_BLOCK, unpackResidues } from '../../protocol/secagg/residue-bits.ts';
import { encodeResidues, streamOf } from './secagg-fixtures.ts';

const primeAt = (i: number): number => PRIMES[Math.floor(i / RING_DEGREE) % PRIMES.length] ?? 1;
/** The largest residues that there are. */
const largest = (blocks: number): Uint32Array =>
  new Uint32Array(blocks * RESIDUES_PER_BLOCK).map((_, i) => primeAt(i) - 1);

let residues: Uint32Array;
let valid: Uint8Array;
beforeAll(() => {
  residues = largest(2);
  valid = encodeResidues(residues);
});

const refusalOf = (run: () => unknown): ConcordatError => {
  try {
    run();
  } catch (error) {
    if (error instanceof ConcordatError) return error;
  }
  throw new Error('not refused');
};
const refusal = (bytes: Uint8Array, blocks = 2): ConcordatError => refusalOf(() => decodePayload(bytes, blocks));

/** What a parser makes of `bytes` cut at `cuts`: the blocks it handed out, and its refusal. */
function parse(bytes: Uint8Array, cuts: readonly number[], blocks = 2) {
  const seen: { index: number; residues: Uint32Array }[] = [];
  const parser = createPayloadParser(blocks, (index, words, unpacked) => {
    const again = new Uint32Array(RESIDUES_PER_BLOCK);
    unpackResidues(words, again);
    expect(unpacked).toEqual(again);
    seen.push({ index, residues: again });
  });
  const ends = [...cuts, bytes.length];
  let refused: ConcordatError | undefined;
  try {
    ends.forEach((end, i) => {
      // a copy, overwritten afterwards: a parser must not keep what it was given
      const chunk = bytes.slice(ends[i - 1] ?? 0, end);
      parser.push(chunk);
      chunk.fill(0xff);
    });
    parser.end();
  } catch (error) {
    if (!(error instanceof ConcordatError)) throw error;
    refused = error;
  }
  return { seen, refused };
}

test('the largest residues are accepted, in place when aligned and copied when not', () => {
  const inPlace = decodePayload(valid, 2);
  expect(inPlace.words.buffer).toBe(valid.buffer);
  for (const by of [1, 2, 3]) {
    const shifted = new Uint8Array(valid.length + by);
    shifted.set(valid, by);
    const copied = decodePayload(shifted.subarray(by), 2);
    expect(copied.words.buffer).not.toBe(shifted.buffer);
    expect(copied.words).toEqual(inPlace.words);
    expect(payloadHash(copied.bytes)).toBe(payloadHash(valid));
  }
});

test('a block of a payload is its own words', () => {
  const marked = residues.slice();
  marked[RESIDUES_PER_BLOCK] = 5;
  const payload = decodePayload(encodeResidues(marked), 2);
  const [first, second] = [0, 1].map((index) => {
    const out = new Uint32Array(RESIDUES_PER_BLOCK);
    unpackResidues(blockOf(payload, index), out);
    return out;
  });
  expect(first).toEqual(residues.subarray(0, RESIDUES_PER_BLOCK));
  expect(second).toEqual(marked.subarray(RESIDUES_PER_BLOCK));
});

test('a residue at its prime is refused with block, prime and coefficient', () => {
  for (const [block, prime, coefficient] of [
    [0, 0, 0],
    [0, 1, 17],
    [1, 2, 4095],
  ] as const) {
    for (const word of [PRIMES[prime] ?? 0, 2 ** 30 - 1]) {
      const wrong = residues.slice();
      wrong[block * RESIDUES_PER_BLOCK + prime * RING_DEGREE + coefficient] = word;
      const place = { block, prime, coefficient };
      expect(refusal(encodeResidues(wrong))).toMatchObject({ code: 'PAYLOAD_MALFORMED', fields: place });
    }
  }
});

test('each prime has its own bound: what the next one allows is refused', () => {
  for (const [prime, next] of [
    [0, 1],
    [1, 2],
  ] as const) {
    const wrong = residues.slice();
    wrong[prime * RING_DEGREE + 9] = (PRIMES[next] ?? 0) - 1;
    expect(refusal(encodeResidues(wrong)).fields).toMatchObject({ block: 0, prime, coefficient: 9 });
  }
});

test('size, magic and block count must be the expected ones', () => {
  expect(refusal(valid.subarray(1)).detail).toMatch(/bytes, not/);
  expect(refusal(valid.subarray(0, -1)).detail).toMatch(/bytes, not/);
  expect(refusal(new Uint8Array(0)).detail).toMatch(/0 bytes/);
  expect(refusal(valid, 1).detail).toMatch(`not ${payloadBytes(1)}`);
  const version = valid.slice();
  version[3] = 0x31;
  expect(refusal(version).detail).toMatch(/CCP2/);
  for (const [at, byte, stated] of [
    [4, 3, 3],
    [7, 1, 2 ** 24 + 2],
  ] as const) {
    const wrong = valid.slice();
    wrong[at] = byte;
    expect(refusal(wrong)).toMatchObject({ detail: `it states ${stated} blocks, not 2`, fields: { stated } });
  }
});

describe('a stream', () => {
  test('gives the same blocks wherever it is cut', () => {
    const marked = residues.map((residue, i) => residue - (i % 1_000));
    const bytes = encodeResidues(marked);
    const whole = parse(bytes, []);
    expect(whole.refused).toBeUndefined();
    expect(whole.seen.map(({ index }) => index)).toEqual([0, 1]);
    expect(whole.seen[1]?.residues).toEqual(marked.subarray(RESIDUES_PER_BLOCK));
    const block = HEADER_BYTES + PACKED_BYTES_PER_BLOCK;
    const everyByte = Array.from({ length: 40 }, (_, i) => i);
    for (const cuts of [
      [1],
      [HEADER_BYTES - 1],
      [HEADER_BYTES],
      [HEADER_BYTES + 1],
      [block - 1],
      [block],
      [block + 3],
      [0, 0, 5, 5, block, block],
      everyByte,
      Array.from({ length: 1_400 }, (_, i) => 65 * i),
      [bytes.length],
    ]) {
      expect(parse(bytes, cuts)).toEqual(whole);
    }
  });

  test('is refused as soon as it is wrong, and for the same reason as the whole', () => {
    const wrong = residues.slice();
    wrong[5] = primeAt(5);
    const bytes = encodeResidues(wrong);
    const chunks = parse(bytes, [3, 100, HEADER_BYTES + PACKED_BYTES_PER_BLOCK, 60_000]);
    expect(chunks.seen).toEqual([]);
    expect(chunks.refused).toEqual(refusal(bytes));
    let handedOut = 0;
    const parser = createPayloadParser(2, () => {
      handedOut += 1;
    });
    const first = HEADER_BYTES + PACKED_BYTES_PER_BLOCK;
    parser.push(bytes.subarray(0, first - 1));
    expect(refusalOf(() => parser.push(bytes.subarray(first - 1, first))).code).toBe('PAYLOAD_MALFORMED');
    expect(handedOut).toBe(0);
  });

  test('that ends early or goes on is refused, the surplus before anything of its chunk is looked at', () => {
    for (const length of [0, 7, HEADER_BYTES, HEADER_BYTES + PACKED_BYTES_PER_BLOCK, valid.length - 1]) {
      expect(parse(valid.subarray(0, length), []).refused).toMatchObject({
        code: 'PAYLOAD_MALFORMED',
        fields: { bytes: length, blocks: 2 },
      });
    }
    const longer = new Uint8Array(valid.length + 1);
    longer.set(valid);
    expect(parse(longer, [])).toMatchObject({ seen: [], refused: { fields: { bytes: longer.length } } });
    const late = parse(longer, [valid.length]);
    expect(late.seen).toHaveLength(2);
    expect(late.refused?.fields).toMatchObject({ bytes: longer.length });
  });

  test('of a block count of its own is refused by its header alone', () => {
    const parser = createPayloadParser(2, () => undefined);
    expect(refusalOf(() => parser.push(payloadHeader(3))).detail).toMatch(/states 3 blocks/);
  });

  test('memory holds one block: the same arrays come with every one', () => {
    const seen = new Set<unknown>();
    const parser = createPayloadParser(2, (_index, words, unpacked) => {
      seen.add(words).add(unpacked);
    });
    parser.push(valid);
    parser.end();
    expect(seen.size).toBe(2);
  });
});

test('random words unpack below 2^30, and hardly any block of them is a payload', () => {
  const bytes = valid.slice();
  streamOf('random words')(bytes.subarray(HEADER_BYTES));
  expect(refusal(bytes).code).toBe('PAYLOAD_MALFORMED');
});

test('a parser that refused once takes nothing more, and says why again', () => {
  const parser = createPayloadParser(1, () => undefined);
  const bad = payloadHeader(2);
  expect(() => parser.push(bad)).toThrow('states 2 blocks');
  expect(() => parser.push(payloadHeader(1))).toThrow('states 2 blocks');
  expect(() => parser.end()).toThrow('states 2 blocks');
});
