// Payloads on a dealer's disk: whole or not there, whatever happens while they are written.
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPayloadFiles, type PayloadFiles } from '../../edge-node/seal/payload-files.ts';

let directory: string;
let files: PayloadFiles;
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'concordat-payloads-')), 'payloads');
  files = createPayloadFiles(directory);
});
afterEach(() => rm(join(directory, '..'), { recursive: true }));

const part = (byte: number, length: number): Uint8Array => new Uint8Array(length).fill(byte);
const createSmall = (round: number, attempt: number) => files.create(round, attempt, (write) => write(part(round, 9)));

test('what is written in parts, from one array used again, is what is there afterwards', async () => {
  const array = part(1, 100_000);
  const result = files.create(7, 2, (write) => {
    write(array.subarray(0, 8));
    array.fill(2);
    write(array);
    write(new Uint8Array(0));
    array.fill(3);
    write(array.subarray(0, 1));
    return 'the result';
  });
  expect(result).toBe('the result');
  const found = await files.find(7, 2);
  expect(found?.bytes).toBe(100_009);
  const bytes = await readFile(found?.path ?? '');
  expect(new Uint8Array(bytes)).toEqual(Uint8Array.of(...part(1, 8), ...part(2, 100_000), 3));
  // nobody else on the machine reads it, and nothing else is beside it
  expect((await stat(found?.path ?? '')).mode & 0o777).toBe(0o600);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  expect(await readdir(directory)).toHaveLength(1);
});

test('nothing is found before the end, and nothing stays when writing fails', async () => {
  const during: Promise<unknown>[] = [];
  expect(() =>
    files.create(7, 1, (write) => {
      write(part(1, 50_000));
      during.push(files.find(7, 1));
      throw new Error('disk full');
    }),
  ).toThrow('disk full');
  expect(await Promise.all(during)).toEqual([undefined]);
  expect(await files.find(7, 1)).toBeUndefined();
  expect(await readdir(directory)).toEqual([]);
});

const onLinux = process.platform === 'linux';
test.runIf(onLinux)('a failure closes the file: a disk that stays full does not use the process up', async () => {
  const open = async (): Promise<number> => (await readdir('/proc/self/fd')).length;
  const before = await open();
  for (let again = 0; again < 50; again++) {
    expect(() =>
      files.create(7, 1, () => {
        throw new Error('disk full');
      }),
    ).toThrow('disk full');
  }
  expect(await open()).toBeLessThan(before + 10);
});

test('a name that cannot be taken is said, and leaves nothing half-written', async () => {
  await mkdir(join(directory, '7-1.ccp'));
  expect(() => createSmall(7, 1)).toThrow();
  expect(await readdir(directory)).toEqual(['7-1.ccp']);
});

test('what a kill between writing and naming left is not found, and goes with the next clearing', async () => {
  createSmall(8, 1);
  const [name = ''] = await readdir(directory);
  await writeFile(join(directory, `7-1.ccp.0badf00d.tmp`), part(7, 9));
  await writeFile(join(directory, `9-3.ccp.0badf00d.tmp`), part(7, 9));
  const restarted = createPayloadFiles(directory);
  expect(await restarted.find(7, 1)).toBeUndefined();
  expect(await restarted.find(9, 3)).toBeUndefined();
  await restarted.removeBefore(1);
  expect(await readdir(directory)).toEqual([name]);
});

test('clearing removes earlier rounds, all their attempts, and nothing else', async () => {
  for (const [round, attempt] of [
    [1, 1],
    [9, 1],
    [9, 2],
    [10, 1],
    [10, 2],
    [11, 1],
    [100, 1],
  ] as const) {
    createSmall(round, attempt);
  }
  await writeFile(join(directory, 'README'), 'not ours');
  await files.removeBefore(10);
  expect((await readdir(directory)).sort()).toEqual(['10-1.ccp', '10-2.ccp', '100-1.ccp', '11-1.ccp', 'README']);
  await files.removeBefore(10);
  expect(await readdir(directory)).toHaveLength(5);
  expect((await files.find(10, 2))?.bytes).toBe(9);
  expect(await files.find(9, 1)).toBeUndefined();
});
