// Circuit artefacts: built once, checked on every load, rebuilt when a byte is wrong, never half-made.
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FILES, readManifest } from '../../engines/proof/artifact-files.ts';
import { preparePolicyCircuit } from '../../engines/proof/artifacts.ts';
import { circuitsWith } from './small-circuit.ts';

let cacheDir: string;
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'concordat-artifacts-'));
});
afterEach(() => rm(cacheDir, { recursive: true, force: true }));

async function prepare() {
  const stages: string[] = [];
  const circuitsDir = await circuitsWith(1);
  const artifacts = await preparePolicyCircuit({
    cacheDir,
    circuitsDir,
    onProgress: ({ stage }) => stages.push(stage),
  });
  return { artifacts, stages };
}

test('built, then loaded; every file is in the manifest under its sha256', async () => {
  const built = await prepare();
  expect(built.stages).toEqual(['compile', 'setup', 'ready']);
  expect(built.artifacts.setup).toBe('single-operator');
  expect(built.artifacts.verifierSource).toContain('contract Groth16Verifier');
  expect(built.artifacts.verificationKey.nPublic).toBe(8);
  const loaded = await prepare();
  expect(loaded.stages).toEqual(['ready']);
  expect(loaded.artifacts).toEqual(built.artifacts);

  const manifest = JSON.parse(await readFile(join(built.artifacts.dir, 'manifest.json'), 'utf8')) as {
    files: Record<string, string>;
  };
  expect(Object.keys(manifest.files).sort()).toEqual(Object.values(FILES).sort());
  for (const [name, hash] of Object.entries(manifest.files)) {
    const bytes = await readFile(join(built.artifacts.dir, name));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(hash);
  }
});

test('one wrong byte: said, and rebuilt with another key', async () => {
  const { artifacts } = await prepare();
  await flipMiddleByte(artifacts.zkeyFile);
  const again = await prepare();
  expect(again.stages).toEqual(['corrupt', 'compile', 'setup', 'ready']);
  expect(again.artifacts.verificationKeyHash).not.toBe(artifacts.verificationKeyHash);
  expect(await readdir(cacheDir)).toHaveLength(1);
});

test('every file is checked, and so is the manifest', async () => {
  const { dir } = (await prepare()).artifacts;
  const corrupt = expect.objectContaining({ code: 'ARTIFACT_CORRUPT' });
  for (const name of Object.values(FILES)) {
    const file = join(dir, name);
    const bytes = await readFile(file);
    for (const damage of [flipMiddleByte, (path: string) => truncate(path, bytes.length - 1), rm]) {
      await damage(file);
      await expect(readManifest(dir), name).rejects.toEqual(corrupt);
      await writeFile(file, bytes);
    }
  }
  expect(await readManifest(dir)).toMatchObject({ setup: 'single-operator' });
  for (const text of ['{"files":{}}', '', 'null']) {
    await writeFile(join(dir, 'manifest.json'), text);
    await expect(readManifest(dir)).rejects.toEqual(corrupt);
  }
});

async function flipMiddleByte(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await writeFile(file, bytes);
}

test('two at the same time end with the same key', async () => {
  const [first, second] = await Promise.all([prepare(), prepare()]);
  expect(second.artifacts).toEqual(first.artifacts);
  expect(await readdir(cacheDir)).toHaveLength(1);
});

test('killed while it builds, it leaves nothing that a later run takes for finished, and that is cleared away', async () => {
  const script = fileURLToPath(new URL('./preparing-parent.ts', import.meta.url));
  const parent = fork(script, [cacheDir, await circuitsWith(1)], {
    execArgv: ['--import', import.meta.resolve('tsx')],
  });
  await new Promise((resolve) => parent.once('message', resolve)); // the setup has begun
  await sleep(100);
  parent.kill('SIGKILL');
  const left = (await readdir(cacheDir)).filter((name) => name.endsWith('.tmp'));
  expect(left).toHaveLength(1);
  const longAgo = new Date(Date.now() - 2 * 3_600_000);
  await utimes(join(cacheDir, left[0] ?? ''), longAgo, longAgo);
  expect((await prepare()).stages).toEqual(['compile', 'setup', 'ready']);
  expect(await readdir(cacheDir)).toHaveLength(1);
});

test('sources that do not compile fail with circom’s words and leave nothing', async () => {
  const circuitsDir = await circuitsWith(1, [
    { file: 'lib/range.circom', from: 'signal input in;', to: 'signal input;' },
  ]);
  await expect(preparePolicyCircuit({ cacheDir, circuitsDir })).rejects.toMatchObject({
    code: 'PROCESS_FAILED',
    detail: expect.stringContaining('range.circom'),
  });
  expect(await readdir(cacheDir)).toEqual([]);
});
