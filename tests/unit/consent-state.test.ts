// The consent state: rules [CON-2], and roots against an independent computation with ethers and OpenZeppelin.
import { SimpleMerkleTree } from '@openzeppelin/merkle-tree';
import { AbiCoder, keccak256 as ethersKeccak, id } from 'ethers';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Submission } from '../../edge-node/consent/admission.ts';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import { fromHex, type Hex } from '../../protocol/bytes.ts';
import { anchoredRoot } from '../../protocol/consent/anchor.ts';
import { bucketLeaf, memberLeaf } from '../../protocol/consent/bucket.ts';
import { hexWord, MAX_WORD, ZERO_WORD } from '../../protocol/consent/hex-schema.ts';
import { verifyAbsence, verifyPresence } from '../../protocol/consent/linked-tree.ts';
import { decodeEntry } from '../../protocol/consent/log.ts';
import { verifyInclusion } from '../../protocol/consent/merkle.ts';
import { decodeOperation, encodeOperation, type Operation } from '../../protocol/consent/operation.ts';
import { admitEntry, ConsentState } from '../../protocol/consent/state.ts';
import {
  customer,
  DEALER,
  FLOORED,
  faultOf,
  fingerprint,
  hash32,
  hexToBuffer,
  NO_TRAINING,
  RELYING_PARTY,
  TRAINING,
} from './consent-world.ts';

const abi = AbiCoder.defaultAbiCoder();
const doubleHash = (types: string[], values: unknown[]) => ethersKeccak(ethersKeccak(abi.encode(types, values)));
const rootOf = (leaves: readonly string[]) =>
  leaves.length === 0 ? ZERO_WORD : SimpleMerkleTree.of([...leaves], { sortLeaves: true }).root;

interface Naive {
  readonly digest: bigint;
  readonly recordHash: Hex;
  readonly seq: number;
}

/** The roots as docs/spec/01-encodings.md states them, with other people's code only. */
function independentRoots(subjects: ReadonlyMap<Hex, Naive>) {
  const digests = [...new Set([...subjects.values()].map(({ digest }) => digest))].filter((digest) => digest !== 0n);
  const buckets = digests.map((digest) => {
    const members = [...subjects].filter(([, entry]) => entry.digest === digest);
    const leaves = members.map(([subject, { recordHash, seq }]) =>
      doubleHash(['bytes32', 'bytes32', 'uint64'], [subject, recordHash, seq]),
    );
    return doubleHash(['uint256', 'bytes32', 'uint64'], [digest, rootOf(leaves), members.length]);
  });
  const sorted = [...subjects].sort(([a], [b]) => (a < b ? -1 : 1));
  const linked: (readonly [Hex, bigint, Hex])[] = [
    [ZERO_WORD, 0n, sorted[0]?.[0] ?? MAX_WORD],
    ...sorted.map(([subject, { digest }], i) => [subject, digest, sorted[i + 1]?.[0] ?? MAX_WORD] as const),
  ];
  const subjectsRoot = rootOf(linked.map((leaf) => doubleHash(['bytes32', 'uint256', 'bytes32'], [...leaf])));
  return { bucketsRoot: rootOf(buckets), subjectsRoot };
}

const people = ['anna', 'bert', 'cara', 'dirk', 'else'].map((name) => customer(name));
const state = ConsentState.empty(DEALER);
const naive = new Map<Hex, Naive>();
const steps: Submission[] = [];

function apply(submission: Submission): void {
  const { subject, newDigest, recordHash, seq } = decodeOperation(submission.operation);
  admitEntry(state, decodeEntry(submission), RELYING_PARTY, verifyPasskeySignature);
  naive.set(subject, { digest: newDigest, recordHash, seq });
  steps.push(submission);
}

const subjectAt = (i: number): Hex => decodeOperation(steps[i]?.operation ?? new Uint8Array()).subject;

beforeAll(() => {
  const plan = [TRAINING, TRAINING, FLOORED, NO_TRAINING, TRAINING];
  expect(state.anchor(1)).toMatchObject({ bucketsRoot: ZERO_WORD, operationCount: 0, logHead: ZERO_WORD });
  expect(independentRoots(naive)).toEqual({ bucketsRoot: state.bucketsRoot, subjectsRoot: state.subjectsRoot });
  people.forEach((person, i) => {
    apply(person.submission(plan[i] ?? TRAINING));
    expect(independentRoots(naive)).toEqual({ bucketsRoot: state.bucketsRoot, subjectsRoot: state.subjectsRoot });
  });
  for (const [i, policy] of [NO_TRAINING, { ...TRAINING, grants: 0n }, TRAINING].entries()) {
    const person = people[i];
    if (person === undefined) throw new Error('nobody');
    apply(person.submission(policy));
    expect(independentRoots(naive)).toEqual({ bucketsRoot: state.bucketsRoot, subjectsRoot: state.subjectsRoot });
  }
});

describe('roots', () => {
  test('the anchored root is the keccak256 of its ABI encoding', () => {
    const anchor = state.anchor(7);
    const types = ['bytes32', 'address', 'uint64', 'bytes32', 'bytes32', 'bytes32', 'uint64'];
    const { dealer, epoch, bucketsRoot, subjectsRoot, logHead, operationCount } = anchor;
    const values = [id('concordat/1/anchor'), dealer, epoch, bucketsRoot, subjectsRoot, logHead, operationCount];
    expect(anchoredRoot(anchor)).toBe(ethersKeccak(abi.encode(types, values)));
    expect(operationCount).toBe(8);
  });

  test('a bucket that loses its last member is gone; a subject never is', () => {
    expect(state.subjectCount).toBe(5);
    expect(state.buckets().reduce((sum, { memberCount }) => sum + memberCount, 0)).toBe(4);
    expect(state.subject(subjectAt(1))).toMatchObject({ digest: 0n, seq: 2 });
    expect(state.digests()).not.toContain(0n);
    expect(state.membershipProof(subjectAt(1))).toBeUndefined();
  });

  test('a selection proves under bucketsRoot, in the order multiProofVerify wants', () => {
    const digests = state.digests();
    for (const chosen of [digests, digests.slice(1), digests.slice(0, 1), digests.toReversed()]) {
      const { buckets, proof, proofFlags } = state.selectionProof(chosen);
      const leaves = buckets.map((b) =>
        doubleHash(['uint256', 'bytes32', 'uint64'], [b.digest, b.membersRoot, b.memberCount]),
      );
      expect(leaves).toEqual([...leaves].sort());
      const multiProof = { leaves, proof: [...proof], proofFlags: [...proofFlags] };
      expect(SimpleMerkleTree.verifyMultiProof(state.bucketsRoot, multiProof)).toBe(true);
    }
  });

  test('no selection of a digest nobody has, or twice of one', async () => {
    expect(await faultOf(() => state.selectionProof([1n]))).toBe('NOT_FOUND');
    const [digest = 0n] = state.digests();
    expect(await faultOf(() => state.selectionProof([digest, digest]))).toBe('NOT_FOUND');
  });

  test('every member has a path to bucketsRoot, every subject one to subjectsRoot, a stranger an absence', () => {
    for (const [subject, { digest }] of naive) {
      const presence = state.presenceProof(subject);
      expect(presence && verifyPresence(state.subjectsRoot, subject, presence, hexWord(digest))).toBe(true);
      expect(state.absenceProof(subject)).toBeUndefined();
      if (digest === 0n) continue;
      const path = state.membershipProof(subject);
      if (path === undefined) throw new Error('no path');
      expect(verifyInclusion(path.bucket.membersRoot, memberLeaf(path.member), path.memberProof)).toBe(true);
      expect(verifyInclusion(state.bucketsRoot, bucketLeaf(path.bucket), path.bucketProof)).toBe(true);
    }
    const stranger = hexWord(BigInt(`0x${hexToBuffer(subjectAt(0)).toString('hex')}`) + 1n);
    const absence = state.absenceProof(stranger);
    expect(absence && verifyAbsence(state.subjectsRoot, stranger, absence)).toBe(true);
    expect(state.presenceProof(stranger)).toBeUndefined();
  });
});

describe('copies', () => {
  test('a replay of the log, a snapshot (through JSON) and a clone say the same', () => {
    const expected = fingerprint(state);
    expect(fingerprint(ConsentState.replay(DEALER, steps))).toEqual(expected);
    expect(fingerprint(ConsentState.fromSnapshot(JSON.parse(JSON.stringify(state.snapshot()))))).toEqual(expected);
    expect(fingerprint(state.clone())).toEqual(expected);
  });

  test('a clone goes its own way', () => {
    const before = fingerprint(state);
    const copy = state.clone();
    copy.apply(decodeEntry(customer('finn').submission(TRAINING)));
    expect(fingerprint(state)).toEqual(before);
    expect(fingerprint(copy)).not.toEqual(before);
    expect(copy.operationCount).toBe(state.operationCount + 1);
  });
});

test('trees that were built before a change and trees that were not say the same', () => {
  const crowd = Array.from({ length: 12 }, (_, i) => customer(`crowd ${i}`));
  const policies = [TRAINING, FLOORED, NO_TRAINING, { ...TRAINING, grants: 0n }];
  const seen = new Map<Hex, Naive>();
  const log: Submission[] = [];
  let walked = ConsentState.empty(DEALER);
  for (let step = 0; step < 60; step++) {
    // everyone comes; then one moves often, others now and then, whole buckets empty and fill again
    const person = crowd[step < 12 ? step : (step * step) % 12];
    const policy = policies[(step < 24 ? 0 : Math.floor(step / 5) + (step % 2)) % 4];
    if (person === undefined || policy === undefined) throw new Error('nobody');
    const submission = person.submission(policy);
    const { operation } = decodeEntry(submission);
    seen.set(operation.subject, {
      digest: operation.newDigest,
      recordHash: operation.recordHash,
      seq: operation.seq,
    });
    log.push(submission);
    const older = walked;
    const before = older.anchor(1);
    if (step % 4 === 1) walked = walked.clone();
    walked.apply(decodeEntry(submission));
    if (walked !== older) expect(older.anchor(1)).toEqual(before);
    if (step % 3 !== 0) continue; // several changes between two looks
    expect(independentRoots(seen)).toEqual({ bucketsRoot: walked.bucketsRoot, subjectsRoot: walked.subjectsRoot });
    expect(fingerprint(ConsentState.replay(DEALER, log))).toEqual(fingerprint(walked));
  }
});

describe('[CON-2] an operation is refused and changes nothing', () => {
  const fresh = customer('gina');
  const valid = decodeOperation(fresh.submission(TRAINING).operation);
  const withOperation = (change: Partial<Operation>) => {
    const operation = encodeOperation({ ...valid, ...change });
    const { assertion } = steps[0] ?? { assertion: new Uint8Array() };
    return decodeEntry({ operation, assertion });
  };
  const anna = () => {
    const { digest = 0n, recordHash = ZERO_WORD, seq = 0 } = state.subject(subjectAt(0)) ?? {};
    const { publicKey, nonce, subject } = decodeOperation(steps[0]?.operation ?? new Uint8Array());
    return { publicKey, nonce, subject, seq, oldDigest: digest, newDigest: digest, recordHash };
  };

  test.each<[string, string, () => Partial<Operation>]>([
    ['of another dealer', 'dealer', () => ({ dealer: '0x00000000000000000000000000000000000000d2' })],
    ['whose subject is not that of its key', 'subject', () => ({ subject: hexWord(9n) })],
    ['with another nonce', 'subject', () => ({ nonce: hexWord(9n) })],
    ['that starts at 2', 'seq', () => ({ seq: 2 })],
    ['that repeats the last number', 'seq', () => anna()],
    ['that leaves one out', 'seq', () => ({ ...anna(), seq: anna().seq + 2 })],
    ['that starts in a bucket', 'old-digest', () => ({ oldDigest: valid.newDigest })],
    [
      'on top of a digest that is no longer current',
      'old-digest',
      () => ({ ...anna(), seq: anna().seq + 1, oldDigest: valid.newDigest }),
    ],
    ['that forgets the current digest', 'old-digest', () => ({ ...anna(), seq: anna().seq + 1, oldDigest: 0n })],
  ])('%s', async (_, reason, change) => {
    const before = fingerprint(state);
    expect(await faultOf(() => state.apply(withOperation(change())))).toBe(`CONSENT_OPERATION_REFUSED ${reason}`);
    expect(fingerprint(state)).toEqual(before);
  });

  test('already in the log (replay)', async () => {
    for (const step of steps) {
      const work = () => admitEntry(state, decodeEntry(step), RELYING_PARTY, verifyPasskeySignature);
      expect(await faultOf(work)).toBe('CONSENT_OPERATION_REFUSED seq');
    }
  });

  test('[CON-1] signed for another operation, or by another key', async () => {
    const mine = fresh.submission(TRAINING, {});
    const other = customer('hugo').submission(TRAINING);
    const swapped = decodeEntry({ operation: mine.operation, assertion: other.assertion });
    const admit = (entry: ReturnType<typeof decodeEntry>) =>
      faultOf(() => admitEntry(state.clone(), entry, RELYING_PARTY, verifyPasskeySignature));
    expect(await admit(swapped)).toBe('PASSKEY_REFUSED challenge');
    const { assertion } = decodeEntry(mine);
    const forged = {
      ...decodeEntry(mine),
      operation: { ...decodeOperation(mine.operation), publicKey: people[0]?.publicKey ?? '0x' },
    };
    expect(assertion.signature).toHaveLength(64);
    expect(await admit(forged)).toBe('PASSKEY_REFUSED signature');
  });
});

test('renewing the same rules moves the member leaf, not the bucket', () => {
  const copy = state.clone();
  const elsewhere = people[4];
  if (elsewhere === undefined) throw new Error('nobody');
  const before = copy.buckets().map(({ digest, memberCount }) => [digest, memberCount] as const);
  const renewal = decodeEntry(elsewhere.submission(TRAINING, { nowSeconds: 1_780_000_500 }));
  copy.apply(renewal);
  expect(new Map(copy.buckets().map(({ digest, memberCount }) => [digest, memberCount] as const))).toEqual(
    new Map(before),
  );
  expect(copy.bucketsRoot).not.toBe(state.bucketsRoot);
  expect(copy.subjectsRoot).toBe(state.subjectsRoot);
  expect(fromHex(copy.logHead)).toHaveLength(hash32('').length);
});
