// The kernel's code in the cache, and what happens where WebAssembly has no SIMD.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ringKernel } from '../../engines/ring/kernel.ts';
import { buildKernel, type KernelEvent } from '../../engines/ring/kernel-build.ts';
import { hasSimd } from '../../engines/ring/webassembly.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { KERNEL } from './secagg-fixtures.ts';

let folder: string;
let cacheDir: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'concordat-kernel-'));
  cacheDir = join(folder, 'cache');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the cache', () => {
  const build = async () => {
    const events: KernelEvent['type'][] = [];
    const code = await buildKernel({ cacheDir, onEvent: ({ type }) => events.push(type) });
    return { code: Buffer.from(code), events };
  };
  const entry = async () => join(cacheDir, (await readdir(cacheDir))[0] ?? 'none');

  test('compiled once, then read; compiled again, to the same bytes, when a byte of it changed or its end is missing', async () => {
    const first = await build();
    expect(first.events).toEqual(['compiled']);
    expect(await build()).toEqual({ code: first.code, events: ['cached'] });
    expect(await readdir(cacheDir)).toHaveLength(1);

    const good = await readFile(await entry());
    const changed = Buffer.from(good);
    changed[good.length - 1] = (changed[good.length - 1] ?? 0) ^ 1;
    for (const bad of [changed, good.subarray(0, 31)]) {
      await writeFile(await entry(), bad);
      expect(await build()).toEqual({ code: first.code, events: ['corrupt', 'compiled'] });
      expect(await readFile(await entry())).toEqual(good);
    }
  }, 60_000);

  test('every process that starts with the same sources takes the same kernel', async () => {
    const [a, b] = await Promise.all([ringKernel(KERNEL), ringKernel(KERNEL)]);
    expect(a).toBe(b);
  });
});

describe('without SIMD', () => {
  // V8 has WebAssembly SIMD only on processors with SSE 4.1, and can be told that this one has none
  const run = async (lines: string) => {
    const script = join(folder, 'script.mts');
    await writeFile(script, lines);
    const node = ['--no-enable-sse4-1', '--import', import.meta.resolve('tsx'), script, cacheDir];
    const { stdout } = await promisify(execFile)(process.execPath, node, { cwd: PACKAGE_ROOT });
    return stdout.trim().split('\n');
  };
  const ring = (name: string) => join(PACKAGE_ROOT, 'engines/ring', name);

  test.runIf(process.arch === 'x64')('the engine refuses by name, and compiles nothing', async () => {
    const said = await run(`
      import { createSimdRing } from '${ring('simd.ts')}';
      import { createSimdOpener } from '${ring('open-simd.ts')}';
      for (const create of [createSimdRing, createSimdOpener]) {
        await create({ cacheDir: process.argv[2] }).then(() => console.log('started'), (e) => console.log(e.code));
      }`);
    expect(said).toEqual(['RING_ENGINE_UNAVAILABLE', 'RING_ENGINE_UNAVAILABLE']);
    expect(await readdir(folder)).toEqual(['script.mts']);
  });

  test.runIf(process.arch === 'x64')('a service does not start, and says why', async () => {
    const said = await run(`
      import { createFastestRing } from '${ring('fastest.ts')}';
      import { createFastestOpener } from '${ring('open-fastest.ts')}';
      const log = { info: () => undefined, warn: () => console.log('warned') };
      for (const create of [createFastestRing, createFastestOpener]) {
        await create({ cacheDir: process.argv[2], log }).then(() => console.log('started'), (e) => console.log(e.code));
      }`);
    expect(said).toEqual(['RING_ENGINE_UNAVAILABLE', 'RING_ENGINE_UNAVAILABLE']);
  });

  test('here there is SIMD, and the fast engine is what a service gets without a word', async () => {
    expect(hasSimd()).toBe(true);
    const { createFastestRing } = await import('../../engines/ring/fastest.ts');
    const { createFastestOpener } = await import('../../engines/ring/open-fastest.ts');
    const said: string[] = [];
    const log = { info: () => undefined, warn: (_fields: object, text: string) => said.push(text) };
    const choice = { cacheDir: KERNEL.cacheDir, log: log as never };
    expect((await createFastestRing(choice)).name).toBe('simd');
    expect((await createFastestOpener(choice)).name).toBe('simd');
    expect(said).toEqual([]);
  });
});
