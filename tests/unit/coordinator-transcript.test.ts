// The transcript as files: steps repeat without effect, contradictions are refused, a restart finds the same head.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../coordinator/transcript/hash.ts';
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

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const namesOfBlobs = () => readdir(join(directory, 'blobs'));

async function readAll(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return new Uint8Array(Buffer.concat(all));
}

test('a blob written in parts is there once it is finished, and not before; discarded it leaves nothing', async () => {
  const { blobWriter, readBlobStream, putBlob, getBlob } = await openTranscript(directory);
  const [kept, thrownAway] = [await blobWriter(), await blobWriter()];
  for (const part of ['a', 'b', 'c'].map(bytesOf)) {
    await kept.write(part);
    await thrownAway.write(part);
    part.fill(0); // the caller's again
  }
  const name = sha256(bytesOf('abc'));
  await expect(getBlob(name)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await thrownAway.discard();
  await thrownAway.discard();
  expect(await kept.finish(name)).toBe(name);
  await kept.discard(); // too late to matter
  expect(await readAll(readBlobStream(name))).toEqual(bytesOf('abc'));
  expect(await putBlob(bytesOf('abc'))).toBe(name);
  expect(await namesOfBlobs()).toEqual([name.slice(2)]);
});

test('bytes under another name than theirs are no blob', async () => {
  const { blobWriter } = await openTranscript(directory);
  const writer = await blobWriter();
  await writer.write(bytesOf('abc'));
  await expect(writer.finish(hash('ab'))).rejects.toMatchObject({ code: 'PAYLOAD_MALFORMED' });
  expect(await namesOfBlobs()).toEqual([]);
});

test('a damaged blob is known when it has been read; one that is not there at once', async () => {
  const { putBlob, readBlobStream } = await openTranscript(directory);
  const name = await putBlob(new Uint8Array(1_000_000));
  const path = join(directory, 'blobs', name.slice(2));
  const bytes = await readFile(path);
  bytes[999_999] = 1;
  await writeFile(path, bytes);
  await expect(readAll(readBlobStream(name))).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  await expect(readAll(readBlobStream(hash('ff')))).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('P7: what a killed process left half-written is gone after the next start', async () => {
  const { blobWriter, putBlob } = await openTranscript(directory);
  const name = await putBlob(bytesOf('whole'));
  await (await blobWriter()).write(bytesOf('half'));
  expect(await namesOfBlobs()).toHaveLength(2);
  await openTranscript(directory);
  expect(await namesOfBlobs()).toEqual([name.slice(2)]);
});

test('one vouch per key-holder and round, one fingerprint per dealer and round', async () => {
  const { appendOnce } = await openTranscript(directory);
  const [one, two]: [Hex, Hex] = [`0x${'11'.repeat(20)}`, `0x${'22'.repeat(20)}`];
  const signature: Hex = `0x${'33'.repeat(65)}`;
  const vouch = { type: 'vouch', round: 1, keyHolder: one, vouches: hash('01'), signature } as const;
  const fingerprint = new Uint8Array(48);
  const print = { type: 'fingerprint', round: 1, dealer: one, aggregate: hash('02'), fingerprint, signature } as const;
  for (const body of [vouch, print]) await appendOnce(body);
  for (const body of [
    { ...vouch, keyHolder: two },
    { ...vouch, round: 2 },
    { ...print, dealer: two },
    { ...print, round: 2 },
  ]) {
    await appendOnce(body);
  }
  await expect(appendOnce({ ...vouch, vouches: hash('03') })).rejects.toMatchObject({ code: 'CONFLICT' });
  await expect(appendOnce({ ...print, aggregate: hash('03') })).rejects.toMatchObject({ code: 'CONFLICT' });
});
