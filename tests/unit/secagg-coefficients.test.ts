// Residue arithmetic against BigInt, at the edges where floats and signs go wrong.
import { describe, expect, test } from 'vitest';
import { SECAGG } from '../../protocol/params.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { addResidues, embed, extract, mulMod } from '../../protocol/secagg/coefficients.ts';
import { streamOf } from './secagg-fixtures.ts';
import { Q, referenceMessage, referenceSplit } from './secagg-reference.ts';

const M78 = 1n << 78n;

test('products mod p are exact for the largest and for random factors', () => {
  const words = new Uint32Array(6_000);
  streamOf('mulMod')(new Uint8Array(words.buffer));
  for (const p of PRIMES) {
    const edges = [0, 1, 2, p - 2, p - 1, (p - 1) / 2, 2 ** 15, 2 ** 29];
    const pairs = [...edges.flatMap((a) => edges.map((b) => [a, b] as const))];
    for (let i = 0; i < words.length; i += 2) pairs.push([(words[i] ?? 0) % p, (words[i + 1] ?? 0) % p]);
    const wrong = pairs.filter(([a, b]) => mulMod(a, b, p) !== Number((BigInt(a) * BigInt(b)) % BigInt(p)));
    expect(wrong).toEqual([]);
  }
});

function blockOf(integers: readonly bigint[]): Uint32Array {
  const block = new Uint32Array(RESIDUES_PER_BLOCK);
  integers.forEach((x, i) => {
    PRIMES.forEach((p, j) => {
      block[j * RING_DEGREE + i] = Number(((x % BigInt(p)) + BigInt(p)) % BigInt(p));
    });
  });
  return block;
}

describe.each(SECAGG.packings)('packing $name', (packing) => {
  const { slots, slotBits } = packing;
  const sums = () => ({ values: new Uint32Array(slots * RING_DEGREE), error: new Int32Array(RING_DEGREE) });
  const slotsOf = (values: Uint32Array, i: number) => [...values.subarray(slots * i, slots * (i + 1))];

  test('an integer splits into its slots and its error up to both ends of the centred range', () => {
    const half = (Q - 1n) / 2n;
    const errors = [0n, 1n, -1n, 39n, -40n, 2_046n, -2_046n];
    const edges = Array.from({ length: slots }, (_, slot) => 1n << BigInt(slotBits * slot));
    const messages = [0n, M78 - 1n, 0x155_5555n, ...edges.flatMap((edge) => [edge, edge - 1n])];
    const integers = [...errors.flatMap((e) => messages.map((m) => e * M78 + m)), half, -half, half - 1n, 1n - half];
    const { values, error } = sums();
    extract(blockOf(integers), packing, values, error);
    integers.forEach((x, i) => {
      expect(BigInt(error[i] ?? 0) * M78 + referenceMessage(values, i, packing)).toBe(x);
      for (const slot of slotsOf(values, i).slice(0, -1)) expect(slot).toBeLessThan(2 ** slotBits);
    });
  });

  test('random residues split as BigInt splits them', () => {
    const block = new Uint32Array(RESIDUES_PER_BLOCK);
    streamOf('extract')(new Uint8Array(block.buffer));
    for (let i = 0; i < block.length; i++) block[i] = (block[i] ?? 0) % (PRIMES[Math.floor(i / RING_DEGREE)] ?? 1);
    const { values, error } = sums();
    extract(block, packing, values, error);
    for (let i = 0; i < RING_DEGREE; i++) {
      expect({ slots: slotsOf(values, i), error: error[i] }).toEqual(referenceSplit(block, i, packing));
    }
  });

  test('the largest message and error embed exactly on top of the largest residues', () => {
    const product = new Uint32Array(RESIDUES_PER_BLOCK);
    for (const [j, p] of PRIMES.entries()) product.fill(p - 1, j * RING_DEGREE, (j + 1) * RING_DEGREE);
    const out = new Uint32Array(RESIDUES_PER_BLOCK);
    for (const e of [-40n, 0n, 40n]) {
      const values = new Uint16Array(slots * RING_DEGREE).fill(65_535);
      embed(product, new Int32Array(RING_DEGREE).fill(Number(e)), values, packing, out);
      const m = referenceMessage(values, 0, packing);
      expect(out).toEqual(blockOf(new Array<bigint>(RING_DEGREE).fill(e * M78 + m - 1n)));
    }
  });

  test('each slot is a place of its own, and what runs out of the last is still there', () => {
    const values = new Uint16Array(slots * RING_DEGREE);
    for (let i = 0; i < slots; i++) values[slots * i + i] = 1;
    const block = new Uint32Array(RESIDUES_PER_BLOCK);
    embed(block, new Int32Array(RING_DEGREE), values, packing, block);
    const own = sums();
    extract(block, packing, own.values, own.error);
    expect(own.values).toEqual(Uint32Array.from(values));

    // all that 78 bits leave to the last slot, and one more, which is an error of 1 then
    const room = 2 ** (SECAGG.plaintextBits - slotBits * (slots - 1));
    const place = 1n << BigInt(slotBits * (slots - 1));
    extract(blockOf([BigInt(room - 1) * place, BigInt(room) * place]), packing, own.values, own.error);
    expect(slotsOf(own.values, 0)).toEqual([...new Array<number>(slots - 1).fill(0), room - 1]);
    expect({ slots: slotsOf(own.values, 1), error: own.error[1] }).toEqual({
      slots: new Array(slots).fill(0),
      error: 1,
    });
  });
});

test('adding wraps at each prime and refuses unequal or broken blocks', () => {
  const acc = new Uint32Array(2 * RESIDUES_PER_BLOCK);
  for (let i = 0; i < acc.length; i++) acc[i] = (PRIMES[Math.floor(i / RING_DEGREE) % 3] ?? 0) - 1;
  addResidues(acc, acc.slice());
  expect(acc.every((x, i) => x === (PRIMES[Math.floor(i / RING_DEGREE) % 3] ?? 0) - 2)).toBe(true);
  addResidues(acc, new Uint32Array(acc.length).fill(2));
  expect(acc.every((x) => x === 0)).toBe(true);
  expect(() => addResidues(acc, new Uint32Array(RESIDUES_PER_BLOCK))).toThrow(RangeError);
  expect(() => addResidues(new Uint32Array(5), new Uint32Array(5))).toThrow(RangeError);
});
