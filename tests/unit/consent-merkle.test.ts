// Merkle trees and linked trees against OpenZeppelin's library and ethers' ABI coder; absence at every edge.
import { SimpleMerkleTree } from '@openzeppelin/merkle-tree';
import { AbiCoder, keccak256 as ethersKeccak } from 'ethers';
import { describe, expect, test } from 'vitest';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { bucketLeaf, memberLeaf } from '../../protocol/consent/bucket.ts';
import { hexWord, MAX_WORD, ZERO_WORD } from '../../protocol/consent/hex-schema.ts';
import { LinkedTree, verifyAbsence, verifyPresence } from '../../protocol/consent/linked-tree.ts';
import { leafHash, MerkleTree, verifyInclusion } from '../../protocol/consent/merkle.ts';
import { faultOf, hash32, hexToBuffer } from './consent-world.ts';

const abi = AbiCoder.defaultAbiCoder();
const doubleHash = (types: string[], values: unknown[]): string =>
  ethersKeccak(ethersKeccak(abi.encode(types, values)));
const leavesOf = (count: number) => Array.from({ length: count }, (_, i) => leafHash(hash32(`leaf ${i}`)));
const reference = (leaves: readonly Uint8Array[]) =>
  SimpleMerkleTree.of(
    leaves.map((leaf) => toHex(leaf)),
    { sortLeaves: true },
  );

describe('Merkle tree', () => {
  test('has the root and the proofs of OpenZeppelin\u2019s for every size up to 33', () => {
    for (let count = 1; count <= 33; count++) {
      const leaves = leavesOf(count);
      const tree = MerkleTree.of(leaves);
      const theirs = reference(leaves);
      expect(tree.root).toBe(theirs.root);
      for (const leaf of leaves) {
        const proof = tree.proofOf(leaf);
        expect(proof).toEqual(theirs.getProof(toHex(leaf)));
        expect(verifyInclusion(tree.root, leaf, proof)).toBe(true);
        expect(verifyInclusion(tree.root, leafHash(leaf), proof)).toBe(false);
      }
    }
  });

  test('multiproofs are those of OpenZeppelin, their leaves strictly ascending', () => {
    for (const count of [1, 2, 3, 7, 16, 21]) {
      const leaves = leavesOf(count);
      const tree = MerkleTree.of(leaves);
      for (let mask = 1; mask < 2 ** Math.min(count, 7); mask++) {
        const chosen = leaves.filter((_, i) => ((mask >> (i % 7)) & 1) === 1);
        const multiProof = tree.multiProofOf(chosen.toReversed());
        const theirs = reference(leaves).getMultiProof(chosen.map((leaf) => toHex(leaf)));
        expect(multiProof).toEqual(theirs);
        expect(multiProof.leaves).toEqual([...multiProof.leaves].sort());
        const { proof, proofFlags } = multiProof;
        const argument = { leaves: [...multiProof.leaves], proof: [...proof], proofFlags: [...proofFlags] };
        expect(SimpleMerkleTree.verifyMultiProof(tree.root, argument)).toBe(true);
      }
    }
  });

  test('is the same whether built anew or out of an older one', () => {
    const pool = leavesOf(40);
    const at = (i: number) => pool[i % pool.length] ?? hash32('');
    let leaves = [at(0)];
    let tree = MerkleTree.of(leaves);
    for (let step = 1; step < 120; step++) {
      // one to seven leaves from anywhere come in or go out: the first, the last, neighbours, all, none
      const picked = Array.from({ length: (step % 7) + 1 }, (_, i) => at(step * 11 + i * (step % 3 === 0 ? 1 : 13)));
      const removed = leaves.filter((leaf) => picked.includes(leaf));
      const added = picked.filter((leaf) => !leaves.includes(leaf));
      leaves = [...leaves.filter((leaf) => !removed.includes(leaf)), ...added];
      tree = tree.replace(removed, added);
      expect(tree.root).toBe(leaves.length === 0 ? ZERO_WORD : reference(leaves).root);
      for (const leaf of leaves) expect(verifyInclusion(tree.root, leaf, tree.proofOf(leaf))).toBe(true);
    }
    expect(tree.replace(leaves, []).root).toBe(ZERO_WORD);
    expect(tree.replace(leaves, leaves).root).toBe(tree.root);
  });

  test('a leaf that is not there cannot go, one that is there cannot come, and none does either twice', async () => {
    const [stranger = hash32(''), ...leaves] = leavesOf(6);
    const tree = MerkleTree.of(leaves);
    expect(await faultOf(() => tree.replace([stranger], []))).toBe('NOT_FOUND');
    expect(await faultOf(() => tree.replace(leaves.slice(0, 1).concat(leaves.slice(0, 1)), []))).toBe('NOT_FOUND');
    for (const leaf of leaves) expect(await faultOf(() => tree.replace([], [leaf]))).toBe('STATE_CORRUPT');
    expect(await faultOf(() => tree.replace([], [stranger, stranger]))).toBe('STATE_CORRUPT');
  });

  test('no leaves: root 0; strangers, repeats and twins are refused', async () => {
    const leaves = leavesOf(5);
    const tree = MerkleTree.of(leaves);
    expect(MerkleTree.of([]).root).toBe(ZERO_WORD);
    expect(await faultOf(() => MerkleTree.of([]).proofOf(leaves[0] ?? hash32('')))).toBe('NOT_FOUND');
    expect(await faultOf(() => tree.proofOf(hash32('stranger')))).toBe('NOT_FOUND');
    expect(await faultOf(() => tree.multiProofOf([...leaves, ...leaves]))).toBe('NOT_FOUND');
    expect(await faultOf(() => MerkleTree.of([...leaves, ...leaves]))).toBe('STATE_CORRUPT');
  });
});

test('leaves are double hashes of abi.encode', () => {
  const subject = toHex(hash32('subject'));
  const recordHash = toHex(hash32('record'));
  const digest = 2n ** 253n + 5n;
  expect(toHex(memberLeaf({ subject, recordHash, seq: 3 }))).toBe(
    doubleHash(['bytes32', 'bytes32', 'uint64'], [subject, recordHash, 3]),
  );
  expect(toHex(bucketLeaf({ digest, membersRoot: subject, memberCount: 65_535 }))).toBe(
    doubleHash(['uint256', 'bytes32', 'uint64'], [digest, subject, 65_535]),
  );
});

describe('linked tree', () => {
  const word = (value: bigint): Hex => hexWord(value);
  const pairs = [40n, 10n, 30n].map((key) => [word(key), word(key * 100n)] as const);
  const tree = LinkedTree.of(pairs);

  test('its root is that of the sorted, linked leaves behind a sentinel', () => {
    const types = ['bytes32', 'uint256', 'bytes32'];
    const leaves = [
      [ZERO_WORD, 0n, word(10n)],
      [word(10n), 1000n, word(30n)],
      [word(30n), 3000n, word(40n)],
      [word(40n), 4000n, MAX_WORD],
    ].map((values) => hexToBuffer(doubleHash(types, values) as Hex));
    expect(tree.root).toBe(reference(leaves).root);
    expect(tree.size).toBe(3);
  });

  test('of nothing: the sentinel alone proves that everything is absent', () => {
    const empty = LinkedTree.of([]);
    expect(empty.root).toBe(doubleHash(['bytes32', 'uint256', 'bytes32'], [ZERO_WORD, 0n, MAX_WORD]));
    const proof = empty.absenceProof(word(1n));
    expect(proof && verifyAbsence(empty.root, word(1n), proof)).toBe(true);
  });

  test.each([10n, 30n, 40n])('presence of %s is provable, its absence is not', (key) => {
    const proof = tree.presenceProof(word(key));
    if (proof === undefined) throw new Error('no proof');
    expect(verifyPresence(tree.root, word(key), proof)).toBe(true);
    expect(verifyPresence(tree.root, word(key), proof, word(key * 100n))).toBe(true);
    expect(verifyPresence(tree.root, word(key), proof, word(key))).toBe(false);
    expect(verifyAbsence(tree.root, word(key), proof)).toBe(false);
    expect(tree.absenceProof(word(key))).toBeUndefined();
  });

  test.each([1n, 9n, 11n, 29n, 31n, 39n, 41n, 2n ** 256n - 2n])(
    'absence of %s is provable, its presence is not',
    (key) => {
      const proof = tree.absenceProof(word(key));
      if (proof === undefined) throw new Error('no proof');
      expect(verifyAbsence(tree.root, word(key), proof)).toBe(true);
      expect(verifyPresence(tree.root, word(key), proof)).toBe(false);
      expect(tree.presenceProof(word(key))).toBeUndefined();
    },
  );

  test('0 and 2^256-1 are neither present nor absent, and can be no key', async () => {
    for (const edge of [ZERO_WORD, MAX_WORD]) {
      expect(tree.presenceProof(edge)).toBeUndefined();
      expect(tree.absenceProof(edge)).toBeUndefined();
      expect(await faultOf(() => LinkedTree.of([[edge, ZERO_WORD]]))).toBe('VALUE_OUT_OF_RANGE');
    }
    const sentinel = tree.absenceProof(word(1n));
    expect(sentinel && verifyPresence(tree.root, ZERO_WORD, sentinel)).toBe(false);
    const last = tree.absenceProof(word(41n));
    expect(last && verifyAbsence(tree.root, MAX_WORD, last)).toBe(false);
  });

  test('a key twice is refused', async () => {
    const again = [word(30n), ZERO_WORD] as const;
    expect(await faultOf(() => LinkedTree.of([...pairs, again]))).toBe('CONFLICT');
    expect(await faultOf(() => tree.with([again, again]))).toBe('CONFLICT');
    expect(await faultOf(() => tree.with([[word(35n), ZERO_WORD], [word(35n), ZERO_WORD]]))).toBe('CONFLICT'); // biome-ignore format: one line
  });

  test('is the same whether built anew or changed', async () => {
    const values = new Map(pairs);
    let changed = tree;
    // before the first key, between, after the last, on a key, back to what it was, nothing, several at once
    const steps = [[5n], [35n], [50n], [10n], [10n], [], [1n, 2n, 40n, 41n, 60n], [5n, 35n, 50n]];
    for (const [i, keys] of steps.entries()) {
      const changes = keys.map((key) => [word(key), word(key * BigInt(i % 3))] as const);
      for (const [key, value] of changes) values.set(key, value);
      changed = changed.with(changes.toReversed());
      expect(changed.root).toBe(LinkedTree.of(values).root);
      expect(LinkedTree.of(values, tree).root).toBe(changed.root);
      expect(changed.size).toBe(values.size);
      for (const [key, value] of values) {
        const proof = changed.presenceProof(key);
        expect(proof && verifyPresence(changed.root, key, proof, value)).toBe(true);
      }
    }
    // an older version may know keys that are gone
    expect(LinkedTree.of(pairs, changed).root).toBe(tree.root);
    for (const edge of [ZERO_WORD, MAX_WORD]) {
      expect(await faultOf(() => tree.with([[edge, ZERO_WORD]]))).toBe('VALUE_OUT_OF_RANGE');
    }
  });

  test('no part of a proof can be changed', () => {
    const proof = tree.absenceProof(word(20n));
    if (proof === undefined) throw new Error('no proof');
    const { leaf } = proof;
    for (const change of [{ key: word(11n) }, { value: word(7n) }, { next: word(25n) }]) {
      expect(verifyAbsence(tree.root, word(20n), { ...proof, leaf: { ...leaf, ...change } })).toBe(false);
    }
    expect(verifyAbsence(tree.root, word(20n), { leaf, proof: proof.proof.slice(1) })).toBe(false);
    expect(verifyAbsence(tree.root, word(50n), proof)).toBe(false);
    // a short word would compare differently from how it hashes
    expect(verifyAbsence(tree.root, '0x2', proof)).toBe(false);
  });
});
