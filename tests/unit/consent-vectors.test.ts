// The frozen consent log: every intermediate value recomputed, every negative entry refused.
import { SimpleMerkleTree } from '@openzeppelin/merkle-tree';
import { AbiCoder, keccak256 as ethersKeccak } from 'ethers';
import { describe, expect, test } from 'vitest';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import { fromHex, type Hex, toHex } from '../../protocol/bytes.ts';
import { anchoredRoot } from '../../protocol/consent/anchor.ts';
import { type Assertion, encodeAssertion } from '../../protocol/consent/assertion.ts';
import { hexWord } from '../../protocol/consent/hex-schema.ts';
import { verifyAbsence, verifyPresence } from '../../protocol/consent/linked-tree.ts';
import { decodeEntry } from '../../protocol/consent/log.ts';
import { encodeOperation } from '../../protocol/consent/operation.ts';
import { EVIDENCE, packConditions, policyDigest } from '../../protocol/consent/policy.ts';
import { decodeRecord, policyOfRecord, recordHash } from '../../protocol/consent/record.ts';
import { admitEntry, ConsentState } from '../../protocol/consent/state.ts';
import vectors from '../../protocol/vectors/consent-state.json' with { type: 'json' };
import { faultOf, utf8 } from './consent-world.ts';

const hex = (text: string): Hex => `0x${text.slice(2)}`;
const abi = AbiCoder.defaultAbiCoder();
const doubleHash = (types: string[], values: unknown[]) => ethersKeccak(ethersKeccak(abi.encode(types, values)));
const rootOf = (leaves: string[]) => SimpleMerkleTree.of(leaves, { sortLeaves: true }).root;

const dealer = hex(vectors.dealer);
const entryOf = ({ operation, assertion }: { operation: string; assertion: string }) =>
  decodeEntry({ operation: fromHex(hex(operation)), assertion: fromHex(hex(assertion)) });
const replayed = ConsentState.empty(dealer);

describe('consent-state.json', () => {
  test.each(vectors.policies)('policy $name: conditions pack and the digest follows', (p) => {
    const evidence = p.conditions.evidence === EVIDENCE.passkey ? EVIDENCE.passkey : EVIDENCE.attested;
    const policy = { grants: BigInt(p.g0) + (BigInt(p.g1) << 96n), conditions: { ...p.conditions, evidence } };
    expect(packConditions(policy.conditions)).toBe(BigInt(p.cond));
    expect(hexWord(policyDigest(policy, BigInt(p.salt)))).toBe(p.digest);
  });

  test.each(vectors.entries)('entry $index ($who, $policy): bytes, hashes, signature, roots', (v) => {
    const { fields } = v;
    const decoded = entryOf(v);
    const digests = { oldDigest: BigInt(fields.oldDigest), newDigest: BigInt(fields.newDigest) };
    expect(decoded.operation).toEqual({ ...fields, ...digests, dealer });
    expect(toHex(encodeOperation(decoded.operation))).toBe(v.operation);
    expect(toHex(decoded.operationHash)).toBe(v.operationHash);
    const assertion: Assertion = {
      authenticatorData: fromHex(hex(v.authenticatorData)),
      clientDataJSON: utf8(v.clientDataJSON),
      signature: fromHex(hex(v.signature)),
    };
    expect(toHex(encodeAssertion(assertion))).toBe(v.assertion);
    expect(toHex(decoded.assertionHash)).toBe(v.assertionHash);
    expect(recordHash(utf8(v.record))).toBe(fields.recordHash);
    const policy = policyOfRecord(decodeRecord(utf8(v.record)));
    const named = vectors.policies.find(({ name }) => name === v.policy);
    expect(fields.newDigest).toBe(policy.grants === 0n ? hexWord(0n) : named?.digest);
    expect(admitEntry(replayed, decoded, vectors.relyingParty, verifyPasskeySignature)).toBe(v.index);
    const { logHead, bucketsRoot, subjectsRoot } = replayed;
    expect({ logHead, bucketsRoot, subjectsRoot }).toEqual({
      logHead: v.logHead,
      bucketsRoot: v.bucketsRoot,
      subjectsRoot: v.subjectsRoot,
    });
  });

  test('leaves and roots, by ethers and OpenZeppelin', () => {
    const { buckets, subjects, bucketsRoot, subjectsRoot } = vectors.state;
    for (const bucket of buckets) {
      for (const { subject, recordHash: record, seq, leaf } of bucket.members) {
        expect(doubleHash(['bytes32', 'bytes32', 'uint64'], [subject, record, seq])).toBe(leaf);
      }
      expect(rootOf(bucket.members.map(({ leaf }) => leaf))).toBe(bucket.membersRoot);
      const values = [bucket.digest, bucket.membersRoot, bucket.memberCount];
      expect(doubleHash(['uint256', 'bytes32', 'uint64'], values)).toBe(bucket.leaf);
    }
    expect(rootOf(buckets.map(({ leaf }) => leaf))).toBe(bucketsRoot);
    for (const { key, value, next, leaf } of subjects) {
      expect(doubleHash(['bytes32', 'uint256', 'bytes32'], [key, value, next])).toBe(leaf);
    }
    expect(rootOf(subjects.map(({ leaf }) => leaf))).toBe(subjectsRoot);
  });

  test('state, anchor and proofs', () => {
    const { root, ...anchor } = vectors.anchor;
    expect(replayed.anchor(1)).toEqual(anchor);
    expect(anchoredRoot(replayed.anchor(1))).toBe(root);
    const { selection, membership, presence, absence } = vectors.proofs;
    const { buckets, proof, proofFlags } = replayed.selectionProof(selection.digests.map(BigInt));
    expect({ digests: buckets.map(({ digest }) => hexWord(digest)), proof, proofFlags }).toEqual(selection);
    const path = replayed.membershipProof(hex(membership.subject));
    expect(path).toMatchObject({ memberProof: membership.memberProof, bucketProof: membership.bucketProof });
    for (const { subject, ...linked } of [presence, absence]) {
      const { leaf } = linked;
      const words = { key: hex(leaf.key), value: hex(leaf.value), next: hex(leaf.next) };
      const given = { leaf: words, proof: linked.proof.map(hex) };
      const present = verifyPresence(replayed.subjectsRoot, hex(subject), given);
      const absent = verifyAbsence(replayed.subjectsRoot, hex(subject), given);
      expect([present, absent]).toEqual(subject === presence.subject ? [true, false] : [false, true]);
    }
  });

  test.each(vectors.negative)('negative: $why', async (v) => {
    const before = replayed.anchor(1);
    const admit = () => admitEntry(replayed, entryOf(v), vectors.relyingParty, verifyPasskeySignature);
    expect(await faultOf(admit)).toBe(v.fault);
    expect(replayed.anchor(1)).toEqual(before);
  });
});
