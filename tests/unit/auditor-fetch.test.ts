// Fetching a bundle from a server that breaks off, lies, or would fill the disk.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchBundle } from '../../auditor/fetch.ts';
import { bundleFolder } from '../../auditor/folder.ts';
import { sha256, toHex } from '../../protocol/bytes.ts';
import { blobPathOf, entryName } from '../../protocol/transcript/bundle.ts';
import { encodeEntry, GENESIS_PREV } from '../../protocol/transcript/entry.ts';
import { MANIFEST_NAME } from '../../protocol/transcript/manifest.ts';
import {
  answer,
  type BundleServer,
  type Cut,
  cutAfter,
  type Files,
  type Misbehaviour,
  manifestOf,
  serveBundle,
} from '../helpers/audit/bundle-server.ts';

const QUICK = { pauseMs: 1, silenceMs: 2_000 };
const BIG_BYTES = 300_000;
const big = Uint8Array.from({ length: BIG_BYTES }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
const BIG = blobPathOf(toHex(sha256(big)));

function filesWith(reasons: readonly string[], blobs: readonly Uint8Array[] = [big, Uint8Array.of(1, 2, 3)]): Files {
  const files = new Map<string, Uint8Array>();
  let prev = GENESIS_PREV;
  for (const [seq, reason] of reasons.entries()) {
    const { bytes, hash } = encodeEntry(seq, prev, { type: 'failed', round: seq + 1, reason });
    files.set(`entries/${entryName(seq)}`, bytes);
    prev = hash;
  }
  for (const blob of blobs) files.set(blobPathOf(toHex(sha256(blob))), blob);
  return files;
}

const FILES = filesWith(['one', 'two']);
const HASHES = new Map([...FILES].map(([path, bytes]) => [path, toHex(sha256(bytes))]));

let bundle: string;
let server: BundleServer | undefined;
beforeEach(async () => {
  bundle = await mkdtemp(join(tmpdir(), 'concordat-fetch-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(bundle, { recursive: true, force: true });
});

async function fetchFrom(files: Files, how: Parameters<typeof serveBundle>[1] = {}, maxBytes?: number) {
  await server?.close();
  server = await serveBundle(files, how);
  return fetchBundle(
    { coordinator: server.url, bundle, ...(maxBytes !== undefined && { maxBytes }) },
    undefined,
    QUICK,
  );
}

const cutOf = (more: number): Cut => ({ more, partial: join(bundle, 'partial', BIG.replace('/', '-')) });

const only =
  (path: string, misbehave: Misbehaviour): Misbehaviour =>
  (asked, request, response) =>
    asked === path && misbehave(asked, request, response);

/** Path -> hash of what is there. */
async function onDisk(): Promise<ReadonlyMap<string, string>> {
  const folder = bundleFolder(bundle);
  const paths = [
    ...(await folder.list('entries')).map((name) => `entries/${name}`),
    ...(await folder.list('blobs')).map((name) => `blobs/${name}`),
  ];
  return new Map(await Promise.all(paths.map(async (path) => [path, toHex(sha256(await folder.read(path)))] as const)));
}

const partials = () => readdir(join(bundle, 'partial')).catch(() => [] as string[]);
const asked = (path: string) => (server?.asked ?? []).filter(([name]) => name === path);

describe('a whole bundle', () => {
  test('is fetched, with its manifest; fetched again, only the manifest is asked for', async () => {
    const first = await fetchFrom(FILES);
    expect(await onDisk()).toEqual(HASHES);
    expect(new Uint8Array(await readFile(join(bundle, MANIFEST_NAME)))).toEqual(manifestOf(FILES));
    expect(first).toMatchObject({ files: 4, newFiles: 4, newBytes: first.bytes });
    const again = await fetchFrom(FILES);
    expect(again).toMatchObject({ files: 4, newFiles: 0, newBytes: 0, head: first.head });
    expect(server?.asked).toEqual([[MANIFEST_NAME, undefined]]);
    expect(await partials()).toEqual([]);
  });

  test('that has grown since: only what is new', async () => {
    await fetchFrom(filesWith(['one'], [big]));
    await fetchFrom(FILES);
    expect(asked(BIG)).toEqual([]);
    expect(await onDisk()).toEqual(HASHES);
  });

  test('a file that the disk spoilt is fetched again', async () => {
    await fetchFrom(FILES);
    await writeFile(join(bundle, BIG), new Uint8Array(BIG_BYTES));
    await writeFile(join(bundle, 'entries/000001.cbor'), new Uint8Array(10));
    expect(await fetchFrom(FILES)).toMatchObject({ newFiles: 2 });
    expect(await onDisk()).toEqual(HASHES);
  });
});

describe('a download that breaks off', () => {
  test('is continued where it stopped, and no byte comes twice', async () => {
    let cuts = 0;
    const misbehave = only(BIG, (_, request, response) => {
      if (++cuts > 3) return false;
      cutAfter(cutOf(50_000), big, request, response);
      return true;
    });
    await fetchFrom(FILES, { misbehave });
    expect(asked(BIG).map(([, range]) => range)).toEqual([undefined, 'bytes=50000-', 'bytes=100000-', 'bytes=150000-']);
    expect(await onDisk()).toEqual(HASHES);
  });

  test('starts again at a server that does not continue', async () => {
    let cut = false;
    const misbehave = only(BIG, (_, request, response) => {
      if (cut) response.writeHead(200).end(big);
      else cutAfter(cutOf(50_000), big, request, response);
      cut = true;
      return true;
    });
    await fetchFrom(FILES, { misbehave });
    expect(await onDisk()).toEqual(HASHES);
  });

  test('for good: what came is kept, there is no manifest, and the next run goes on from there', async () => {
    let cut = false;
    const misbehave = only(BIG, (_, request, response) => {
      if (cut) request.socket.destroy();
      else cutAfter(cutOf(70_000), big, request, response);
      cut = true;
      return true;
    });
    await expect(fetchFrom(FILES, { misbehave })).rejects.toMatchObject({ code: 'TIMED_OUT' });
    expect(await readdir(bundle)).not.toContain(MANIFEST_NAME);
    expect([...(await onDisk()).keys()]).not.toContain(BIG);
    await fetchFrom(FILES);
    expect(asked(BIG)).toEqual([[BIG, 'bytes=70000-']]);
    expect(await onDisk()).toEqual(HASHES);
  });

  test.each([
    ['of other bytes', new Uint8Array(1_000)],
    ['as long as the file, of other bytes', new Uint8Array(BIG_BYTES)],
    ['longer than the file', new Uint8Array(BIG_BYTES + 1)],
  ])('a half %s is thrown away', async (_, half) => {
    await mkdir(join(bundle, 'partial'));
    await writeFile(join(bundle, 'partial', BIG.replace('/', '-')), half);
    await fetchFrom(FILES);
    expect(await onDisk()).toEqual(HASHES);
  });

  test('a server that falls silent is given up', async () => {
    server = await serveBundle(FILES, { misbehave: only(BIG, () => true) });
    const source = { coordinator: server.url, bundle };
    await expect(fetchBundle(source, undefined, { pauseMs: 1, silenceMs: 20 })).rejects.toMatchObject({
      code: 'TIMED_OUT',
    });
  });

  test('a server that answers with another part than asked for does not spoil the file', async () => {
    const half = join(bundle, 'partial', BIG.replace('/', '-'));
    await mkdir(join(bundle, 'partial'));
    await writeFile(half, big.subarray(0, 1_000));
    const misbehave = only(BIG, (_, request, response) => {
      if (request.headers.range === undefined) return false;
      response.writeHead(206, { 'content-range': `bytes 0-${BIG_BYTES - 1}/${BIG_BYTES}` }).end(big);
      return true;
    });
    await fetchFrom(FILES, { misbehave });
    expect(await onDisk()).toEqual(HASHES);
  });
});

describe('a server that lies', () => {
  test('other bytes than announced are not kept', async () => {
    const misbehave = only(BIG, (_, __, response) => {
      response.writeHead(200).end(new Uint8Array(BIG_BYTES));
      return true;
    });
    await expect(fetchFrom(FILES, { misbehave })).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' });
    expect([...(await onDisk()).keys()]).not.toContain(BIG);
    expect(await partials()).not.toContain(BIG.replace('/', '-'));
  });

  test('an entry that is not the one of the manifest is not kept', async () => {
    const manifest = manifestOf(filesWith(['one', 'owt']));
    await expect(fetchFrom(FILES, { manifest })).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' });
    expect([...(await onDisk()).keys()]).not.toContain('entries/000001.cbor');
  });

  test('more bytes than announced are refused when they come, not when they end', async () => {
    let sent = 0;
    const misbehave = only(BIG, (_, __, response) => {
      response.writeHead(200);
      const flood = (): void => {
        if (response.destroyed) return;
        sent += BIG_BYTES;
        response.write(big, () => setImmediate(flood));
      };
      flood();
      return true;
    });
    await expect(fetchFrom(FILES, { misbehave })).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
    expect(sent).toBeLessThan(200 * BIG_BYTES);
    expect(await partials()).not.toContain(BIG.replace('/', '-'));
  });

  test('a bundle longer than allowed is not begun', async () => {
    await expect(fetchFrom(FILES, {}, BIG_BYTES)).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
    expect(server?.asked).toEqual([[MANIFEST_NAME, undefined]]);
  });

  test('what it refuses is reported as what it says, and a redirect is not followed', async () => {
    const gone = only(BIG, (_, request, response) => {
      answer(undefined, request, response);
      return true;
    });
    await expect(fetchFrom(FILES, { misbehave: gone })).rejects.toThrow('404');
    const elsewhere = only(BIG, (_, __, response) => {
      response.writeHead(302, { location: '/v1/bundle/entries/000000.cbor' }).end();
      return true;
    });
    await expect(fetchFrom(FILES, { misbehave: elsewhere })).rejects.toMatchObject({ code: 'TIMED_OUT' });
  });

  test.each([
    ['rewritten', filesWith(['one', 'two, as told later', 'three'])],
    ['shortened', filesWith(['one'])],
  ])('a history that was %s since is refused, and what is here stays', async (_, later) => {
    await fetchFrom(FILES);
    await expect(fetchFrom(later)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await onDisk()).toEqual(HASHES);
    expect(new Uint8Array(await readFile(join(bundle, MANIFEST_NAME)))).toEqual(manifestOf(FILES));
  });
});
