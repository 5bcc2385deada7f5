// The running sum: whatever came, went or came twice, it is the plain sum over the set; and what is false about a file is seen.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { createRunningSum, type RunningSum } from '../../coordinator/aggregate/sum.ts';
import { createSimdRing } from '../../engines/ring/simd.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { addResidues } from '../../protocol/secagg/coefficients.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { residuesOf, SILENT, sha256Of, type TranscriptInFolder, temporaryTranscript } from './coordinator-world.ts';
import { codeOf, encodeResidues, KERNEL } from './secagg-fixtures.ts';

const BLOCKS = 7;
const LABELS = ['a', 'b', 'c', 'd', 'e'] as const;

let ring: Ring;
let store: TranscriptInFolder;
/** Every accumulator that anything was added into. */
let accumulators: Map<ArrayBufferLike, number>;
const hashes = new Map<string, Hex>();
const hashOf = (label: string): Hex => hashes.get(label) ?? '0x';

beforeAll(async () => {
  ring = await createSimdRing(KERNEL);
});
beforeEach(async () => {
  accumulators = new Map();
  store = await temporaryTranscript();
  for (const label of LABELS) hashes.set(label, await store.transcript.putBlob(plainSum([label])));
});

const watched = (): Ring => ({
  ...ring,
  addPacked: (acc, packed) => {
    accumulators.set(acc.buffer, Math.max(acc.length, accumulators.get(acc.buffer) ?? 0));
    ring.addPacked(acc, packed);
  },
});
const start = (): RunningSum =>
  createRunningSum({ ring: watched(), blobs: store.transcript, blocks: BLOCKS, log: SILENT });

const residues = new Map(LABELS.map((label) => [label as string, residuesOf(label, BLOCKS)]));

/** Plain addition of whole payloads: the bytes of the sum. */
function plainSum(labels: readonly string[]): Uint8Array {
  const sum = new Uint32Array(BLOCKS * RESIDUES_PER_BLOCK);
  for (const label of labels) addResidues(sum, residues.get(label) ?? new Uint32Array());
  return encodeResidues(sum);
}

async function expectSum(sum: RunningSum, round: number, labels: readonly string[]): Promise<void> {
  const settled = await sum.settle(round, labels.map(hashOf));
  const plain = sha256Of(plainSum(labels));
  expect(settled.aggregateHash).toBe(plain);
  expect(sha256Of(encodeResidues(settled.residues))).toBe(plain);
  expect(sha256Of(await store.transcript.getBlob(plain))).toBe(plain);
}

test.each([
  ['all that came', 'abcd', 'abcd'],
  ['one dropped', 'abcd', 'abd'],
  ['an attempt that another one replaced', 'abc', 'acd'],
  ['most dropped', 'abcd', 'e'],
  ['nothing came before', '', 'abc'],
  ['one that came twice', 'aab', 'ab'],
  ['in another order', 'cba', 'abc'],
])('settled it is the plain sum: %s', async (_, fed, set) => {
  const sum = start();
  sum.begin(3);
  for (const label of fed) sum.feed(3, hashOf(label));
  await expectSum(sum, 3, [...set]);
});

test('it may be settled again, to another set, or from nothing after a restart', async () => {
  const sum = start();
  await expectSum(sum, 3, ['a', 'b', 'c']);
  await expectSum(sum, 3, ['a', 'b', 'c']);
  await expectSum(sum, 3, ['b', 'c', 'd']);
  await expectSum(start(), 3, ['b', 'c', 'd']);
});

test('one accumulator, whatever the number of dealers and rounds; one block at a time goes into it', async () => {
  const sum = start();
  for (const round of [1, 2]) {
    sum.begin(round);
    for (const label of LABELS) sum.feed(round, hashOf(label));
    await expectSum(sum, round, LABELS);
  }
  expect([...accumulators.values()]).toEqual([RESIDUES_PER_BLOCK]);
  expect([...accumulators.keys()].map(({ byteLength }) => byteLength)).toEqual([4 * BLOCKS * RESIDUES_PER_BLOCK]);
});

test('what comes after the set is settled, or for another round, is not in it', async () => {
  const sum = start();
  sum.begin(3);
  sum.feed(2, hashOf('d'));
  const settling = expectSum(sum, 3, ['a', 'b']);
  sum.feed(3, hashOf('c'));
  await settling;
  sum.feed(3, hashOf('e'));
  await expectSum(sum, 3, ['a', 'b']);
  sum.begin(4);
  sum.feed(4, hashOf('c'));
  await expectSum(sum, 4, ['c', 'd']);
});

test('[AGG-1] a bit that flipped on disk is seen, and the sum is right once the file is', async () => {
  const sum = start();
  sum.begin(3);
  sum.feed(3, hashOf('a'));
  const path = join(store.folder, 'blobs', hashOf('b').slice(2));
  const whole = await readFile(path);
  const flipped = new Uint8Array(whole);
  const last = flipped.length - 4; // low bits of a residue in the last block: everything before is in the sum by then
  flipped[last] = (flipped[last] ?? 0) ^ 1;
  await writeFile(path, flipped);
  sum.feed(3, hashOf('b'));
  expect(await codeOf(() => sum.settle(3, ['a', 'b'].map(hashOf)))).toBe('PAYLOAD_MALFORMED');
  await writeFile(path, whole.subarray(0, last));
  expect(await codeOf(() => sum.settle(3, ['a', 'b'].map(hashOf)))).toBe('PAYLOAD_MALFORMED');
  await writeFile(path, whole);
  await expectSum(sum, 3, ['a', 'b']);
  expect(await store.temporaries()).toEqual([]);
});

test('a payload named twice, or not there, is no set', async () => {
  const sum = start();
  expect(await codeOf(() => sum.settle(3, ['a', 'b', 'a'].map(hashOf)))).toBe('CONFLICT');
  expect(await codeOf(() => sum.settle(3, [hashOf('a'), `0x${'ab'.repeat(32)}`]))).toBe('NOT_FOUND');
  await expectSum(sum, 3, ['a', 'b']);
});

test('others have their turn while it adds', async () => {
  const sum = start();
  let turns = 0;
  const ticking = setInterval(() => {
    turns += 1;
  }, 0);
  await sum.settle(3, LABELS.map(hashOf));
  clearInterval(ticking);
  expect(turns).toBeGreaterThan(LABELS.length);
});
