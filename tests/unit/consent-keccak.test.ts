// The WebAssembly Keccak-256 against two others (noble's, ethers'), at every length of a block and every shape of a tree.
import { keccak256 as ethersKeccak, sha256 } from 'ethers';
import { describe, expect, test } from 'vitest';
import { fromHex, type Hex, toHex } from '../../protocol/bytes.ts';
import { createFastHasher, keccak256, keccak256Twice, pureHasher } from '../../protocol/consent/keccak.ts';
import { roundConstants } from '../../protocol/consent/keccak-module.ts';

const fast = createFastHasher();
const bytesOf = (label: string, length: number): Uint8Array => {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) =>
    fromHex(sha256(Buffer.from(`${label}/${i}`)) as Hex),
  );
  return new Uint8Array(Buffer.concat(blocks).subarray(0, length));
};

test('is in use here', () => {
  expect(fast).toBeDefined();
  expect(keccak256).not.toBe(pureHasher.keccak256);
});

test('round constants are those of FIPS 202', () => {
  const constants = roundConstants();
  expect(constants).toHaveLength(24);
  expect([constants[0], constants[1], constants[2], constants[23]]).toEqual([
    0x0000000000000001n,
    0x0000000000008082n,
    0x800000000000808an,
    0x8000000080008008n,
  ]);
});

test('every length from nothing to three blocks, one after the other over the same memory', () => {
  for (let length = 0; length <= 3 * 136 + 1; length++) {
    const input = bytesOf(`length ${length}`, length);
    const copy = input.slice();
    expect(toHex(keccak256(input))).toBe(ethersKeccak(input));
    expect(pureHasher.keccak256(input)).toEqual(keccak256(input));
    expect(toHex(keccak256Twice(input))).toBe(ethersKeccak(ethersKeccak(input)));
    expect(pureHasher.keccak256Twice(input)).toEqual(keccak256Twice(input));
    expect(input).toEqual(copy);
  }
  // what a long input left behind must not show in a short one
  expect(toHex(keccak256(new Uint8Array()))).toBe('0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470');
});

test('a hash is the caller\u2019s own: the next one does not change it', () => {
  const first = keccak256(bytesOf('first', 64));
  const copy = first.slice();
  keccak256(bytesOf('second', 64));
  expect(first).toEqual(copy);
});

describe('trees', () => {
  /** Leaves of which many share a prefix, so that every byte gets to decide an order. */
  const leavesOf = (count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, i) => {
      const leaf = bytesOf('common', 32);
      leaf[i % 32] = (i * 37) % 256;
      leaf[(i * 5) % 32] = (i * 101) % 256;
      return leaf;
    });

  test.each([0, 1, 2, 3, 4, 5, 31, 32, 33, 255, 256, 3000])('of %i leaves', (count) => {
    const nodes = new Uint8Array(32 * Math.max(0, 2 * count - 1));
    for (const [i, leaf] of leavesOf(count).entries()) nodes.set(leaf, 32 * (count - 1 + i));
    const theirs = nodes.slice();
    pureHasher.hashTree(theirs, count);
    fast?.hashTree(nodes, count);
    expect(Buffer.compare(nodes, theirs)).toBe(0);
  });

  test('equal children, and children that differ in one bit at any place', () => {
    for (let bit = 0; bit <= 256; bit++) {
      const nodes = new Uint8Array(96);
      nodes.set(bytesOf('child', 32), 32);
      nodes.set(bytesOf('child', 32), 64);
      if (bit < 256) nodes[64 + (bit >> 3)] = (nodes[64 + (bit >> 3)] ?? 0) ^ (1 << (bit & 7));
      const theirs = nodes.slice();
      pureHasher.hashTree(theirs, 2);
      fast?.hashTree(nodes, 2);
      expect(nodes).toEqual(theirs);
    }
  });
});
