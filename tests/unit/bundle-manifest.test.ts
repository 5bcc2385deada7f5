// The manifest: what a reader lets in, and how the coordinator keeps it up with its transcript and serves it.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPublicRouter } from '../../coordinator/api/public.ts';
import { sha256 } from '../../coordinator/transcript/hash.ts';
import { openTranscript, type Transcript } from '../../coordinator/transcript/transcript.ts';
import { createApp, type HttpService, listen, problemHandler } from '../../kit/http.ts';
import { createLog } from '../../kit/log.ts';
import { type Hex, utf8ToBytes } from '../../protocol/bytes.ts';
import { canonicalJson } from '../../protocol/consent/canonical-json.ts';
import { GENESIS_PREV } from '../../protocol/transcript/entry.ts';
import {
  decodeManifest,
  encodeManifest,
  filesOf,
  MANIFEST_NAME,
  MAX_BLOB_BYTES,
} from '../../protocol/transcript/manifest.ts';

const hash = (byte: string): Hex => `0x${byte.repeat(32)}`;
const entry = (seq: number) => ({ name: `00000${seq}.cbor`, sha256: hash(`a${seq}`), bytes: 10 });
const blob = (byte: string) => ({ name: byte.repeat(32), bytes: 5 });
const good = {
  v: 'concordat/1/manifest',
  entries: [entry(0), entry(1)],
  entryCount: 2,
  head: hash('a1'),
  blobs: [blob('01'), blob('02')],
};

describe('a manifest', () => {
  test('comes back as it was written, blobs in order of name', () => {
    const bytes = encodeManifest(good.entries, [...good.blobs].reverse());
    expect(decodeManifest(bytes)).toEqual(good);
    expect(filesOf(decodeManifest(bytes)).map(({ path }) => path)).toEqual([
      'entries/000000.cbor',
      'entries/000001.cbor',
      `blobs/${'01'.repeat(32)}`,
      `blobs/${'02'.repeat(32)}`,
    ]);
    expect(decodeManifest(encodeManifest([], [])).head).toBe(GENESIS_PREV);
  });

  test.each([
    ['a way out of the folder', { entries: [{ ...entry(0), name: '../../x.cbor' }], entryCount: 1, head: hash('a0') }],
    ['a path from the root', { blobs: [{ ...blob('01'), name: `/${'01'.repeat(31)}0` }] }],
    ['an entry left out', { entries: [entry(0), entry(2)], head: hash('a2') }],
    ['entries out of order', { entries: [entry(1), entry(0)], head: hash('a0') }],
    ['one blob twice', { blobs: [blob('01'), blob('01')] }],
    ['blobs out of order', { blobs: [blob('02'), blob('01')] }],
    ['a name in capitals', { blobs: [blob('AB')] }],
    ['another count', { entryCount: 3 }],
    ['another head', { head: hash('a0') }],
    ['a negative length', { blobs: [{ ...blob('01'), bytes: -1 }] }],
    ['an empty entry', { entries: [{ ...entry(0), bytes: 0 }], entryCount: 1, head: hash('a0') }],
    ['a blob over the limit', { blobs: [{ ...blob('01'), bytes: MAX_BLOB_BYTES + 1 }] }],
    ['a field that nobody knows', { mirror: 'http://elsewhere' }],
    ['another version', { v: 'concordat/2/manifest' }],
  ])('with %s is refused', (_, change) => {
    const text = canonicalJson({ ...good, ...change });
    expect(() => decodeManifest(utf8ToBytes(text))).toThrow('MESSAGE_MALFORMED');
  });

  test('that is not the one text of its value is refused', () => {
    expect(() => decodeManifest(utf8ToBytes(JSON.stringify(good, undefined, 1)))).toThrow('MESSAGE_MALFORMED');
    expect(() => decodeManifest(utf8ToBytes('null'))).toThrow('MESSAGE_MALFORMED');
  });
});

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concordat-manifest-'));
});
afterEach(() => rm(directory, { recursive: true }));

const failed = (round: number) => ({ type: 'failed', round, reason: 'too few' }) as const;
const consent = (epoch: number): Parameters<Transcript['appendOnce']>[0] => ({
  type: 'consent',
  dealer: `0x${'11'.repeat(20)}`,
  epoch,
  operations: hash('01'),
});
const onDisk = async (): Promise<Uint8Array> => new Uint8Array(await readFile(join(directory, MANIFEST_NAME)));

/** What a manifest made of the folder alone would be. */
async function ofFiles(): Promise<Uint8Array> {
  const lengths = async (folder: string) =>
    Promise.all(
      (await readdir(join(directory, folder))).sort().map(async (name) => {
        const bytes = await readFile(join(directory, folder, name));
        return { name, sha256: sha256(bytes), bytes: bytes.length };
      }),
    );
  const blobs = (await lengths('blobs')).map(({ name, bytes }) => ({ name, bytes }));
  return encodeManifest(await lengths('entries'), blobs);
}

describe('the coordinator’s manifest', () => {
  test('names every file as soon as it is there, and none before', async () => {
    const transcript = await openTranscript(directory);
    await transcript.putBlob(utf8ToBytes('abc'));
    await transcript.putBlob(utf8ToBytes('abc'));
    const writer = await transcript.blobWriter();
    await writer.write(utf8ToBytes('de'));
    await writer.write(utf8ToBytes('f'));
    expect(decodeManifest(transcript.manifest()).blobs).toHaveLength(1);
    await writer.finish();
    await transcript.appendOnce(consent(1));
    expect(transcript.manifest()).toEqual(await ofFiles());
    expect(transcript.manifest()).toBe(transcript.manifest());
  });

  test('is on disk with the end of a round, and again when asked', async () => {
    const transcript = await openTranscript(directory);
    await transcript.appendOnce(consent(1));
    await transcript.appendOnce(failed(1));
    expect(await onDisk()).toEqual(await ofFiles());
    await transcript.appendOnce(consent(2));
    expect(decodeManifest(await onDisk()).entryCount).toBe(2);
    await transcript.writeManifest();
    expect(await onDisk()).toEqual(await ofFiles());
  });

  test('P7: after a kill it is made again from the files, whatever the file says', async () => {
    const before = await openTranscript(directory);
    await before.putBlob(utf8ToBytes('abc'));
    await before.appendOnce(failed(1));
    await before.appendOnce(consent(1));
    const half = await before.blobWriter();
    await half.write(utf8ToBytes('half'));
    await writeFile(join(directory, MANIFEST_NAME), 'torn');
    const after = await openTranscript(directory);
    expect(after.manifest()).toEqual(await ofFiles());
    expect(await onDisk()).toEqual(after.manifest());
    await half.discard();
  });
});

/** Or else fetch asks for an answer that nobody kept. */
const REVALIDATE = { 'cache-control': 'max-age=0' };

describe('over HTTP', () => {
  let transcript: Transcript;
  let http: HttpService;
  beforeEach(async () => {
    transcript = await openTranscript(directory);
    const app = createApp();
    const first = { task: '{}', contract: '{}' };
    const status = () => {
      throw new Error('not asked for');
    };
    const { manifest, entries } = transcript;
    app.use(createPublicRouter({ status, bundleDir: directory, manifest, entries, first }));
    app.use(problemHandler(createLog('test', 'silent')));
    http = await listen(app, 0);
  });
  afterEach(() => http.close());

  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${http.url}/v1/bundle/${path}`, { headers });

  test('the manifest is asked for again each time, and sent again only when it changed', async () => {
    const first = await get(MANIFEST_NAME);
    expect(first.headers.get('cache-control')).toBe('no-cache');
    const etag = first.headers.get('etag') ?? '';
    expect((await get(MANIFEST_NAME, { ...REVALIDATE, 'if-none-match': etag })).status).toBe(304);
    await transcript.appendOnce(consent(1));
    const second = await get(MANIFEST_NAME, { ...REVALIDATE, 'if-none-match': etag });
    expect(second.status).toBe(200);
    expect(decodeManifest(new Uint8Array(await second.arrayBuffer())).entryCount).toBe(1);
  });

  test('[TRA-11] the key of a sum is there once the sum is opened, and then for ever', async () => {
    const opened = (round: string) => fetch(`${http.url}/v1/rounds/${round}/opened`);
    const missing = await opened('3');
    expect([missing.status, missing.headers.get('cache-control')]).toEqual([404, null]);
    const [keySum, values] = [await transcript.putBlob(utf8ToBytes('key')), await transcript.putBlob(utf8ToBytes('v'))];
    const body = { type: 'opened' as const, round: 3, keySum, values, maxNoise: 7 };
    await transcript.appendOnce(body);
    const found = await opened('3');
    expect(found.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(await found.json()).toEqual(body);
    for (const other of ['03', '4', '3.0', 'x'.repeat(300)]) expect((await opened(other)).status).toBe(404);
  });

  test('files are for ever, and are sent in parts when asked', async () => {
    const name = (await transcript.putBlob(utf8ToBytes('abcdef'))).slice(2);
    const part = await get(`blobs/${name}`, { range: 'bytes=4-' });
    expect([part.status, await part.text()]).toEqual([206, 'ef']);
    expect(part.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  });

  test.each(['blobs/0123456789abcdef.tmp', `blobs/${'0'.repeat(64)}`, 'secret', 'blobs/%2e%2e/secret', 'blobs/', ''])(
    'there is no %s',
    async (path) => {
      await writeFile(join(directory, 'secret'), 'x');
      await writeFile(join(directory, 'blobs/0123456789abcdef.tmp'), 'half');
      expect((await get(path)).status).toBe(404);
    },
  );
});
