// The last line of a run, as a machine reads it: from real runs over planted test files.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './tree.ts';

const REPORTER = join(ROOT, 'tests/helpers/reporter.ts');
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs');

function run(files: Readonly<Record<string, string>>): { lastLine: string; status: number | null } {
  const root = mkdtempSync(join(tmpdir(), 'concordat-reporter-'));
  try {
    const config = `import { tallyReporter } from '${REPORTER}';
      export default { test: { globals: true, include: ['*.test.ts'], reporters: ['default', tallyReporter()] } };`;
    for (const [name, text] of Object.entries({ 'vitest.config.ts': config, ...files })) {
      writeFileSync(join(root, name), text);
    }
    const { stdout, status } = spawnSync(process.execPath, [VITEST, 'run', '--root', root], { encoding: 'utf8' });
    expect(stdout.endsWith('\n')).toBe(true);
    return { lastLine: stdout.trimEnd().split('\n').at(-1) ?? '', status };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const PASSES = "test('passes', () => {});";

/** [what, files, last line, exit code] */
const RUNS: readonly (readonly [string, Readonly<Record<string, string>>, string, number])[] = [
  ['all pass', { 'a.test.ts': PASSES, 'b.test.ts': PASSES }, '2 passed, 0 failed', 0],
  [
    'one fails, others are left out',
    { 'a.test.ts': `${PASSES} test('b', () => { throw new Error('b') }); test.skip('c', () => {}); test.todo('d');` },
    '1 passed, 1 failed, 2 skipped',
    1,
  ],
  [
    'a file does not load',
    { 'a.test.ts': PASSES, 'b.test.ts': `import './absent.ts'; ${PASSES}` },
    '1 passed, 1 failed',
    1,
  ],
  [
    'a hook fails after its tests passed',
    { 'a.test.ts': `${PASSES} afterAll(() => { throw new Error('x') });` },
    '1 passed, 1 failed',
    1,
  ],
  [
    'nobody awaited the failure',
    { 'a.test.ts': `test('a', () => { Promise.reject(new Error('x')); });` },
    '1 passed, 1 failed',
    1,
  ],
  ['a file without a test', { 'a.test.ts': PASSES, 'b.test.ts': 'export {};' }, '1 passed, 1 failed', 1],
  ['no test files', {}, '0 passed, 1 failed', 1],
];

test.each(RUNS)('%s', (_what, files, lastLine, status) => {
  expect(run(files)).toEqual({ lastLine, status });
});
