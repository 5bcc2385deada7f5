// Forge's fuzz and invariant tests of the contracts (contracts/test), one by one; and mutants that they must notice.
// More: FOUNDRY_FUZZ_RUNS=10000 FOUNDRY_INVARIANT_RUNS=500 FOUNDRY_FUZZ_SEED=0x… CONCORDAT_MUTANTS=all npx vitest run forge.test
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { runForge, type Verdict } from '../../scripts/forge/forge.ts';
import { compileMutants, MUTANTS } from './mutants.ts';
import { testArtifacts } from './world.ts';

/** It compiles first, and other processes may want the cores. */
const FORGE_TIMEOUT_MS = 400_000;

const TESTS = join(PACKAGE_ROOT, 'contracts/test');
const NAMES = await testNames();
const CHOSEN = MUTANTS.filter(({ always }) => always || process.env.CONCORDAT_MUTANTS === 'all');

describe('the contracts as they are', () => {
  let verdicts: readonly Verdict[] = [];
  beforeAll(async () => {
    verdicts = await runForge();
  }, FORGE_TIMEOUT_MS);

  test.each(NAMES)('%s', (name) => {
    const verdict = verdicts.find(({ contract, test: ofForge }) => `${contract}.${ofForge}` === name);
    expect(verdict?.reason).toBe('');
    expect(verdict?.passed).toBe(true);
  });

  test('forge ran these tests and no others', () => {
    expect(verdicts.map(({ contract, test: ofForge }) => `${contract}.${ofForge}`).sort()).toEqual([...NAMES].sort());
  });

  test('what forge tested is, byte for byte, what is deployed', async () => {
    const deployed = await testArtifacts();
    for (const name of ['Federation', 'ConsentRegistry', 'RoundLedger'] as const) {
      const path = join(PACKAGE_ROOT, `.concordat/cache/forge/out/${name}.sol/${name}.json`);
      const tested = JSON.parse(await readFile(path, 'utf8')) as { bytecode: { object: string } };
      expect(tested.bytecode.object === deployed[name].bytecode, name).toBe(true);
    }
  });
});

describe('planted mutants', () => {
  test('each property has one', async () => {
    const listed = (await readFile(join(PACKAGE_ROOT, 'contracts/PROPERTIES.md'), 'utf8')).matchAll(
      /\*\*(P-\d\d)\*\*/g,
    );
    const properties = new Set(MUTANTS.map(({ property }) => property as string));
    expect([...properties].sort()).toEqual([...listed].map(([, id]) => id).sort());
  });

  let bytecodes: readonly string[] = [];
  let dir: string;
  beforeAll(async () => {
    bytecodes = await compileMutants(CHOSEN);
    dir = await mkdtemp(join(tmpdir(), 'concordat-mutants-'));
  }, FORGE_TIMEOUT_MS);
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test.each(CHOSEN.map((mutant, i) => ({ ...mutant, i })))(
    '[$property] $title',
    async ({ i, contract, match, property }) => {
      const verdicts = await runForge({
        match,
        env: {
          [`CONCORDAT_MUTANT_${contract}`]: bytecodes[i] ?? '',
          // failures of a mutant are not to be tried again on the contract
          FOUNDRY_FUZZ_FAILURE_PERSIST_DIR: join(dir, 'fuzz'),
          FOUNDRY_INVARIANT_FAILURE_PERSIST_DIR: join(dir, 'invariant'),
          FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT: '0',
        },
      });
      const noticed = verdicts.filter(({ passed, reason }) => !passed && reason.includes(property));
      expect(noticed.length, JSON.stringify(verdicts)).toBeGreaterThan(0);
    },
    FORGE_TIMEOUT_MS,
  );
});

async function testNames(): Promise<readonly string[]> {
  const files = (await readdir(TESTS)).filter((file) => file.endsWith('.t.sol')).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(TESTS, file), 'utf8')));
  return texts.flatMap((text) =>
    text
      .split(/^(?=(?:abstract )?contract )/m)
      .flatMap((part) =>
        [...part.matchAll(/function ((?:test|invariant)\w*)\(/g)].map(
          ([, name]) => `${/^contract (\w+)/.exec(part)?.[1]}.${name}`,
        ),
      ),
  );
}
