// Residue arithmetic against BigInt, at the edges where floats and signs go wrong.
import { expect, test } from 'vitest';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { addResidues, embed, extract, mulMod } from '../../protocol/secagg/coefficients.ts';
import { streamOf } from './secagg-fixtures.ts';
import { Q, referenceSplit } from './secagg-reference.ts';

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

test('an integer splits into its slots and its error up to both ends of the centred range', () => {
  const half = (Q - 1n) / 2n;
  const errors = [0n, 1n, -1n, 39n, -40n, 2_046n, -2_046n];
  const messages = [0n, 1n, M78 - 1n, 1n << 26n, (1n << 26n) - 1n, 1n << 52n, (1n << 52n) - 1n, 0x155_5555n];
  const integers = [...errors.flatMap((e) => messages.map((m) => e * M78 + m)), half, -half, half - 1n, 1n - half];
  const block = blockOf(integers);
  const [values, error] = [new Uint32Array(RESIDUES_PER_BLOCK), new Int32Array(RING_DEGREE)];
  extract(block, values, error);
  integers.forEach((x, i) => {
    const slots = [...values.subarray(3 * i, 3 * i + 3)].map(BigInt);
    const back = BigInt(error[i] ?? 0) * M78 + (slots[0] ?? 0n) + ((slots[1] ?? 0n) << 26n) + ((slots[2] ?? 0n) << 52n);
    expect(back).toBe(x);
  });
});

test('random residues split as BigInt splits them', () => {
  const block = new Uint32Array(RESIDUES_PER_BLOCK);
  streamOf('extract')(new Uint8Array(block.buffer));
  for (let i = 0; i < block.length; i++) block[i] = (block[i] ?? 0) % (PRIMES[Math.floor(i / RING_DEGREE)] ?? 1);
  const [values, error] = [new Uint32Array(RESIDUES_PER_BLOCK), new Int32Array(RING_DEGREE)];
  extract(block, values, error);
  for (let i = 0; i < RING_DEGREE; i++) {
    const expected = referenceSplit(block, i);
    expect({ slots: [...values.subarray(3 * i, 3 * i + 3)], error: error[i] }).toEqual(expected);
  }
});

test('the largest message and error embed exactly on top of the largest residues', () => {
  const product = new Uint32Array(RESIDUES_PER_BLOCK);
  for (const [j, p] of PRIMES.entries()) product.fill(p - 1, j * RING_DEGREE, (j + 1) * RING_DEGREE);
  const out = new Uint32Array(RESIDUES_PER_BLOCK);
  for (const e of [-40n, 0n, 40n]) {
    const values = new Uint16Array(RESIDUES_PER_BLOCK).fill(65_535);
    embed(product, new Int32Array(RING_DEGREE).fill(Number(e)), values, out);
    const m = 65_535n + (65_535n << 26n) + (65_535n << 52n);
    expect(out).toEqual(blockOf(new Array<bigint>(RING_DEGREE).fill(e * M78 + m - 1n)));
  }
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
