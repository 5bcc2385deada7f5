// One finished run of the main job, shared by the tests that need one: made when the sources changed, else kept.
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { run, SMALL } from './command.ts';
import { sourcesHash } from './sources-hash.ts';

const KEPT = join(PACKAGE_ROOT, '.concordat/test-runs');
const SOURCES = [
  'protocol',
  'engines',
  'kit',
  'coordinator',
  'edge-node',
  'key-holder',
  'scripts',
  'examples',
  'circuits',
  'contracts',
];

/** `outDir` holds federation.json, report.json, the bundle and the kept state of the chain. */
export async function finishedRun(): Promise<{ readonly outDir: string }> {
  const outDir = join(KEPT, await sourcesHash(SOURCES));
  if (existsSync(join(outDir, 'report.json')) && existsSync(join(outDir, 'chain.json'))) return { outDir };
  await rm(KEPT, { recursive: true, force: true });
  await mkdir(outDir, { recursive: true });
  const { code, output } = await run(['federate', ...SMALL, '--seed', '7', '--out', outDir]);
  if (code !== 0) {
    await rm(outDir, { recursive: true, force: true });
    throw new Error(`the run ended with code ${code}:\n${output}`);
  }
  return { outDir };
}
