// A bundle as one file: the same bytes every time, read where they lie, and nothing in it that leads elsewhere.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { referenceEngines } from '../../auditor/engines.ts';
import { bundleFolder, counted, openBundle } from '../../auditor/folder.ts';
import { tarFiles, writeTar } from '../../auditor/tar.ts';
import { type Report, verify } from '../../auditor/verify.ts';
import { writeFileAtomic } from '../../kit/files.ts';
import { readBundle } from '../../protocol/transcript/bundle.ts';
import type { RawEvidence } from '../helpers/audit/raw-evidence.ts';
import { syntheticFederation } from '../helpers/audit/synthetic-federation.ts';

const run = promisify(execFile);
const FILES: ReadonlyMap<string, Uint8Array> = new Map([
  ['manifest.json', new TextEncoder().encode('{}')],
  ['entries/000000.cbor', new Uint8Array(512).fill(1)],
  [`blobs/${'ab'.repeat(32)}`, new Uint8Array(0)],
  // too long to be written at once
  [`blobs/${'cd'.repeat(32)}`, new Uint8Array(2 ** 20 + 1).fill(7)],
]);

let folder: string;
let tar: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'concordat-tar-'));
  tar = join(folder, 'bundle.tar');
  for (const [path, bytes] of FILES) await writeFileAtomic(join(folder, 'bundle', path), bytes);
});
afterEach(() => rm(folder, { recursive: true }));

const members = (files = FILES, root = join(folder, 'bundle')) =>
  [...files].map(([name, bytes]) => ({ name, path: join(root, name), bytes: bytes.length }));

/** A megabyte at once: toEqual goes byte by byte. */
const expectSame = (got: Uint8Array, expected: Uint8Array): void => expect(Buffer.compare(got, expected)).toBe(0);

describe('an archive', () => {
  test('holds the files as they are, and nothing of when or in what order it was written', async () => {
    await writeTar(tar, members());
    const bytes = await readFile(tar);
    await utimes(join(folder, 'bundle/manifest.json'), 1, 1);
    await writeTar(tar, members().reverse());
    expectSame(await readFile(tar), bytes);
    const files = await tarFiles(tar);
    expect(await files.list('blobs')).toEqual(['ab'.repeat(32), 'cd'.repeat(32)]);
    expect(await files.list('entries')).toEqual(['000000.cbor']);
    for (const [path, content] of FILES) expectSame(await files.read(path), content);
    await expect(files.read('entries/000001.cbor')).rejects.toMatchObject({ code: 'FILE_MISSING' });
  });

  test('is read by tar, and one that tar made is read here', async () => {
    await writeTar(tar, members());
    const { stdout } = await run('tar', ['-tf', tar]);
    expect(stdout.trim().split('\n')).toEqual([...FILES.keys()].sort());
    const other = join(folder, 'other.tar');
    await run('tar', ['-cf', other, '-C', join(folder, 'bundle'), '.']);
    const files = await tarFiles(other);
    for (const [path, content] of FILES) expectSame(await files.read(path), content);
  });

  test('that was cut off anywhere is none', async () => {
    await writeTar(tar, members());
    const bytes = await readFile(tar);
    for (const length of [1, 511, 512, 1_500, bytes.length - 1_025, bytes.length - 1_024]) {
      await writeFile(tar, bytes.subarray(0, length));
      await expect(tarFiles(tar), `${length} bytes`).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    }
  });

  test('with a name in two parts, which other readers put together, is none of a bundle', async () => {
    await writeTar(tar, members());
    const bytes = await readFile(tar);
    bytes.write('elsewhere', 345, 'latin1');
    const sum = bytes.subarray(0, 512).reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 0x20 : byte), 0);
    bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    await writeFile(tar, bytes);
    await expect(tarFiles(tar)).rejects.toThrow('another name');
  });

  test('with a flipped bit in a header is none', async () => {
    await writeTar(tar, members());
    const bytes = await readFile(tar);
    for (const at of [0, 8, 130, 150, 156]) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await writeFile(tar, changed);
      await expect(tarFiles(tar), `byte ${at}`).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    }
  });

  test.each([
    '../outside',
    '/etc/passwd',
    'blobs/../../outside',
    'entries/1.cbor',
    'notes.txt',
    `blobs/${'AB'.repeat(32)}`,
  ])('with a file %s in it is refused', async (name) => {
    const path = join(folder, 'bundle/manifest.json');
    await writeTar(tar, [{ name, path, bytes: 2 }]);
    await expect(tarFiles(tar)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });

  test('with a link in it, or a file twice, is refused', async () => {
    await mkdir(join(folder, 'linked/blobs'), { recursive: true });
    await symlink('/etc/passwd', join(folder, 'linked/blobs', 'ab'.repeat(32)));
    await run('tar', ['-cf', tar, '-C', join(folder, 'linked'), '.']);
    await expect(tarFiles(tar)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    await writeTar(tar, [...members(), ...members()]);
    await expect(tarFiles(tar)).rejects.toThrow('twice');
  });

  test('is not written over by half a one', async () => {
    await writeTar(tar, members());
    const bytes = await readFile(tar);
    const [first, ...rest] = members();
    const lying = [{ ...first, name: 'manifest.json', path: join(folder, 'bundle/manifest.json'), bytes: 3 }, ...rest];
    await expect(writeTar(tar, lying)).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
    expectSame(await readFile(tar), bytes);
  });
});

describe('an audit', () => {
  let raw: RawEvidence;
  beforeAll(async () => {
    raw = await syntheticFederation();
  });

  async function auditOf(path: string): Promise<Report> {
    const { files, size } = counted(await openBundle(path));
    const bundle = await readBundle(files);
    return verify({ history: raw.history, bundle, engines: referenceEngines(), bundleSize: size });
  }

  test('of the archive says the same as one of the folder, and how much it read', async () => {
    const root = join(folder, 'whole');
    for (const [path, bytes] of raw.files) await writeFileAtomic(join(root, path), bytes);
    await writeTar(tar, members(raw.files, root));
    const [ofFolder, ofArchive] = [await auditOf(root), await auditOf(tar)];
    const timeless = ({ ms: _, madeAt: __, bundle, checks, ...rest }: Report) => ({
      ...rest,
      read: [bundle?.files, bundle?.bytes],
      checks: checks.map(({ ms: ___, ...check }) => check),
    });
    expect(timeless(ofArchive)).toEqual(timeless(ofFolder));
    expect(ofArchive.checksFailed).toBe(0);
    const bytes = [...raw.files.values()].reduce((sum, { length }) => sum + length, 0);
    expect(ofArchive.bundle).toMatchObject({ files: raw.files.size, bytes });
  }, 60_000);
});

test('what is read twice is counted once', async () => {
  const { files, size } = counted(bundleFolder(join(folder, 'bundle')));
  await files.read('entries/000000.cbor');
  await files.read('entries/000000.cbor');
  await expect(files.read('entries/000009.cbor')).rejects.toThrow('FILE_MISSING');
  expect(size()).toMatchObject({ files: 1, bytes: 512 });
});
