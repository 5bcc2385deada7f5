// Payload bytes: what is accepted, and the place that is named when not.
import { expect, test } from 'vitest';
import { ConcordatError } from '../../protocol/errors.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { allocatePayload, decodePayload, payloadBytes, payloadHash } from '../../protocol/secagg/payload.ts';

function valid(blocks = 2): Uint8Array {
  const { bytes, residues } = allocatePayload(blocks);
  residues.forEach((_, i) => {
    residues[i] = (PRIMES[Math.floor(i / RING_DEGREE) % 3] ?? 1) - 1;
  });
  return bytes;
}

const refusal = (bytes: Uint8Array, blocks = 2): ConcordatError => {
  try {
    decodePayload(bytes, blocks);
  } catch (error) {
    if (error instanceof ConcordatError) return error;
  }
  throw new Error('not refused');
};

test('the largest residues are accepted, in place when aligned and copied when not', () => {
  const bytes = valid();
  const inPlace = decodePayload(bytes, 2);
  expect(inPlace.residues.buffer).toBe(bytes.buffer);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  const copied = decodePayload(shifted.subarray(1), 2);
  expect(copied.residues).toEqual(inPlace.residues);
  expect(payloadHash(copied.bytes)).toBe(payloadHash(bytes));
});

test('a residue at its prime is refused with block, prime and coefficient', () => {
  for (const [block, prime, coefficient] of [
    [0, 0, 0],
    [0, 1, 17],
    [1, 2, 4095],
  ] as const) {
    const bytes = valid();
    const at = block * RESIDUES_PER_BLOCK + prime * RING_DEGREE + coefficient;
    for (const word of [PRIMES[prime] ?? 0, 2 ** 32 - 1]) {
      new DataView(bytes.buffer).setUint32(8 + 4 * at, word, true);
      expect(refusal(bytes)).toMatchObject({ code: 'PAYLOAD_MALFORMED', fields: { block, prime, coefficient } });
    }
  }
});

test('size, magic and block count must be the expected ones', () => {
  const bytes = valid();
  expect(refusal(bytes.subarray(1)).detail).toMatch(/bytes, not/);
  expect(refusal(bytes.subarray(0, -1)).detail).toMatch(/bytes, not/);
  expect(refusal(new Uint8Array(0)).detail).toMatch(/0 bytes/);
  expect(refusal(bytes, 1).detail).toMatch(`not ${payloadBytes(1)}`);
  const version = bytes.slice();
  version[3] = 0x32;
  expect(refusal(version).detail).toMatch(/CCP1/);
  const stated = bytes.slice();
  stated[4] = 3;
  expect(refusal(stated).detail).toMatch(/states 3 blocks/);
});
