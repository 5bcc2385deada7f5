// The transcript as files: steps repeat without effect, contradictions are refused, a restart finds the same head.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTranscript } from '../../coordinator/transcript/transcript.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { EntryBody } from '../../protocol/transcript/entry.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concordat-transcript-'));
});
afterEach(() => rm(directory, { recursive: true }));

const hash = (byte: string): Hex => `0x${byte.repeat(32)}`;
const model = (round: number, accuracyBps = 9_200): EntryBody => ({
  type: 'model',
  round,
  baseModel: hash('01'),
  model: hash('02'),
  accuracyBps,
  aucBps: 7_000,
});

test('[TRA-1] entries are chained, and the same step twice is one entry', async () => {
  const transcript = await openTranscript(directory);
  const first = await transcript.appendOnce(model(1));
  expect(await transcript.appendOnce(model(1))).toBe(first);
  const second = await transcript.appendOnce(model(2));
  expect(transcript.head()).toBe(second);
  expect(transcript.entries().map((entry) => entry.prev)).toEqual([hash('00'), first]);
});

test('another entry in the same place is refused', async () => {
  const transcript = await openTranscript(directory);
  await transcript.appendOnce(model(1));
  await expect(transcript.appendOnce(model(1, 9_300))).rejects.toMatchObject({ code: 'CONFLICT' });
});

test('P7: a restart finds the same head and goes on; concurrent appends keep one chain', async () => {
  const before = await openTranscript(directory);
  await Promise.all([1, 2, 3, 4, 5].map((round) => before.appendOnce(model(round))));
  const after = await openTranscript(directory);
  expect(after.head()).toBe(before.head());
  expect(after.entries().map((entry) => entry.seq)).toEqual([0, 1, 2, 3, 4]);
});

test('a changed entry is found at the next start', async () => {
  const transcript = await openTranscript(directory);
  await transcript.appendOnce(model(1));
  await transcript.appendOnce(model(2));
  const [first = ''] = (await readdir(join(directory, 'entries'))).sort();
  const path = join(directory, 'entries', first);
  const bytes = await readFile(path);
  const at = bytes.indexOf(Buffer.from('accuracyBps'));
  bytes[at + 12] = (bytes[at + 12] ?? 0) ^ 1; // inside the number
  await writeFile(path, bytes);
  await expect(openTranscript(directory)).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
});

test('a blob is under its sha256', async () => {
  const transcript = await openTranscript(directory);
  const name = await transcript.putBlob(new TextEncoder().encode('abc'));
  expect(name).toBe('0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'); // FIPS 180-4, "abc"
  expect(await transcript.getBlob(name)).toEqual(new TextEncoder().encode('abc'));
  await expect(transcript.getBlob(hash('ff'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
