// A verifier in another language, written from docs/spec with a standard library alone: it agrees on an honest bundle, and on faults.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeFileAtomic } from '../../kit/files.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { PLANTED_FAULTS } from '../helpers/audit/all-faults.ts';
import { copyOf, type RawEvidence } from '../helpers/audit/raw-evidence.ts';
import { syntheticFederation } from '../helpers/audit/synthetic-federation.ts';

const SCRIPT = join(PACKAGE_ROOT, 'tests/interop/verify.py');
const hasPython = spawnSync('python3', ['--version']).status === 0;

/** What it can see without a chain, and what it must say of it. */
const SEEN: readonly (readonly [string, string])[] = [
  ['a flipped bit in upload: payload', '[01] blob'],
  ['a flipped bit in aggregate: aggregate', '[01] blob'],
  ['an entry in another encoding of the same value', '[01] '],
  ['a missing blob', '[02] '],
  ['a flipped bit in an entry: vouch', '[0'],
  ['an entry whose seq jumps', '[02] '],
  ['a dealer dropped from the sum', '[12] round 1'],
  ['a dealer swapped for another', '[12] round 1'],
  ['a sum changed by one', '[12] round 1'],
];

describe.skipIf(!hasPython)('tests/interop/verify.py', () => {
  let dir: string;
  let honest: RawEvidence;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'concordat-python-'));
    honest = await syntheticFederation();
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  async function judge(name: string, { files }: RawEvidence): Promise<{ status: number | null; text: string }> {
    const folder = join(dir, name.replace(/[^a-z]/g, '-'));
    for (const [path, bytes] of files) await writeFileAtomic(join(folder, path), bytes);
    const { status, stdout, stderr } = spawnSync('python3', [SCRIPT, folder], { encoding: 'utf8' });
    return { status, text: stdout + stderr };
  }

  test('agrees that an honest bundle is one', async () => {
    const { status, text } = await judge('honest', honest);
    expect(text).toMatch(/2 rounds, \d+ checked, 0 failed/);
    expect(status).toBe(0);
  });

  test.each(SEEN)('sees %s', async (name, said) => {
    const planted = PLANTED_FAULTS.find((fault) => fault.name === name);
    if (planted === undefined) throw new Error(`no fault ${name}`);
    const raw = copyOf(honest);
    planted.plant(raw);
    const { status, text } = await judge(name, raw);
    expect(status).toBe(1);
    expect(text).toContain(`\n- ${said}`);
  });

  test('calls an empty bundle no pass', async () => {
    const [path = '', bytes = new Uint8Array()] = [...honest.files].find(([name]) => name.startsWith('entries/')) ?? [];
    expect((await judge('empty', { ...honest, files: new Map([[path, bytes]]) })).status).toBe(1);
  });
});
