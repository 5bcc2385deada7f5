// One flipped byte anywhere in the bundle: the audit must fail, exit non-zero, and name a check.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeEntry } from '../../protocol/transcript/entry.ts';
import { run } from '../helpers/command.ts';
import { finishedRun } from '../helpers/finished-run.ts';

let copy: string;

beforeAll(async () => {
  const { outDir } = await finishedRun();
  copy = await mkdtemp(join(tmpdir(), 'concordat-flip-'));
  await cp(outDir, copy, { recursive: true });
}, 600_000);
afterAll(() => rm(copy, { recursive: true, force: true }));

async function flip(path: string): Promise<() => Promise<void>> {
  const bytes = await readFile(path);
  const flipped = Buffer.from(bytes);
  const at = Math.floor(bytes.length / 2);
  flipped[at] = (flipped[at] ?? 0) ^ 1;
  await writeFile(path, flipped);
  return () => writeFile(path, bytes);
}

test('in an upload', async () => {
  const bundle = join(copy, 'coordinator/bundle');
  const names = (await readdir(join(bundle, 'entries'))).sort();
  const entries = await Promise.all(
    names.map(async (name) => decodeEntry(await readFile(join(bundle, 'entries', name)))),
  );
  const upload = entries.map((entry) => entry.body).find((body) => body.type === 'upload');
  if (upload?.type !== 'upload') throw new Error('the transcript has no upload');
  const restore = await flip(join(bundle, 'blobs', upload.payload.slice(2)));
  const { code, output } = await run(['audit', '--out', copy]);
  await restore();
  expect(code).toBe(1);
  expect(output).toMatch(/✗ .*01/);
});

test('in a transcript entry', async () => {
  const entries = join(copy, 'coordinator/bundle/entries');
  const [, , third = ''] = (await readdir(entries)).sort();
  const restore = await flip(join(entries, third));
  const { code } = await run(['audit', '--out', copy]);
  await restore();
  expect(code).toBe(1);
});
