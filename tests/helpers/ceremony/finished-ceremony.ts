// Two finished ceremonies for the policy circuit, made with the commands of the runbook: kept until the sources that they depend on
// change. Their powers of tau are insecure ones, and the secrets known of them save waiting: see insecure-ptau.ts.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CIRCUITS, contentHash, MAIN } from '../../../engines/proof/artifacts.ts';
import { readContributions } from '../../../engines/proof/ceremony-contributions.ts';
import {
  appendStep,
  fileOf,
  hashFile,
  ptauFileOf,
  readCeremony,
  writeCeremony,
} from '../../../engines/proof/ceremony-log.ts';
import { compileCircuit } from '../../../engines/proof/compile.ts';
import { readR1cs } from '../../../engines/proof/r1cs.ts';
import { PACKAGE_ROOT } from '../../../kit/sources.ts';
import { run } from '../command.ts';
import { sourcesHash } from '../sources-hash.ts';
import { insecureInitialKey, writeInsecurePtau } from './insecure-ptau.ts';

const KEPT = join(PACKAGE_ROOT, '.concordat/test-ceremonies');
const SOURCES = ['circuits', 'engines/proof', 'scripts/ceremony', 'tests/helpers/ceremony'];
/** The smallest that the policy circuit fits into. */
const POWER = 14;
const BEACON = 'b3'.repeat(32);
const OTHER_BEACON = 'c4'.repeat(32);
const SOURCE = 'a value that stands in a test';
const ITERATIONS_EXP = 10;
/** Set, nothing is taken over from the known secrets, and every step is its command: what a consortium would wait for. */
const BY_COMMANDS_ALONE = process.env.CONCORDAT_CEREMONY === '1';
/** In their order. */
export const CONTRIBUTORS = ['Dealer 1', 'Dealer 2'] as const;

export interface FinishedCeremonies {
  readonly dir: string;
  /** What a federation runs on. */
  readonly artifacts: string;
  /** The same contributions, closed with another beacon: as good, and another key. No artefacts. */
  readonly other: string;
}

export async function finishedCeremonies(): Promise<FinishedCeremonies> {
  const kept = join(KEPT, `${await sourcesHash(SOURCES)}${BY_COMMANDS_ALONE ? '-by-commands' : ''}`);
  if (!existsSync(kept)) {
    await rm(KEPT, { recursive: true, force: true });
    const building = `${kept}.tmp`;
    await mkdir(building, { recursive: true });
    await make(building);
    await rename(building, kept);
  }
  return { dir: join(kept, 'ceremony'), artifacts: join(kept, 'ceremony', 'artifacts'), other: join(kept, 'other') };
}

async function make(out: string): Promise<void> {
  const [ptau, dir, other] = [join(out, 'insecure.ptau'), join(out, 'ceremony'), join(out, 'other')];
  await writeInsecurePtau(ptau, POWER);
  if (BY_COMMANDS_ALONE) await ceremony('init', '--ptau', ptau, '--out', dir, '--beacon-source', SOURCE);
  else await begin(ptau, dir);
  for (const name of CONTRIBUTORS) await ceremony('contribute', '--dir', dir, '--name', name);
  await cp(dir, other, { recursive: true });
  await Promise.all([
    ceremony('finalise', '--dir', dir, '--beacon', BEACON, '--iterations-exp', String(ITERATIONS_EXP)),
    closeUnchecked(other),
  ]);
}

/** What `init` does. The first contribution checks that it came to the same. */
async function begin(ptauFile: string, dir: string): Promise<void> {
  const workDir = join(dir, 'circuit');
  await mkdir(workDir, { recursive: true });
  await mkdir(join(dir, 'files'));
  const { r1csFile } = await compileCircuit(join(CIRCUITS, MAIN), workDir);
  const r1cs = await readFile(r1csFile);
  const keep = async (made: string, nameOf: (hash: string) => string): Promise<string> => {
    const hash = await hashFile(made);
    await rename(made, nameOf(hash));
    return hash;
  };
  const zkeyFile = join(workDir, 'initial.zkey');
  await writeFile(zkeyFile, await insecureInitialKey(r1cs, ptauFile));
  await writeCeremony(dir, {
    ...{ format: 'concordat/1/ceremony', power: POWER, beaconSource: SOURCE },
    ...{ circuit: await contentHash(CIRCUITS), r1cs: await hashFile(r1csFile) },
    constraints: readR1cs(r1cs).constraints,
    ptau: await keep(ptauFile, (hash) => ptauFileOf(dir, { ptau: hash })),
    steps: [{ kind: 'initial', file: await keep(zkeyFile, (file) => fileOf(dir, { file })) }],
  });
  await rm(workDir, { recursive: true });
}

async function ceremony(...args: readonly string[]): Promise<void> {
  const { code, output } = await run(['ceremony', ...args]);
  if (code !== 0) throw new Error(`ceremony ${args[0]} ended with code ${code}:\n${output}`);
}

/** What `finalise` does, without checking everything before it once more. */
async function closeUnchecked(dir: string): Promise<void> {
  const before = await readCeremony(dir);
  const [from, to] = [fileOf(dir, before.steps.at(-1) ?? before.steps[0]), join(dir, 'files', 'closing')];
  const snarkjs = join(PACKAGE_ROOT, 'node_modules/snarkjs/build/cli.cjs');
  const args = [snarkjs, 'zkey', 'beacon', from, to, OTHER_BEACON, String(ITERATIONS_EXP)];
  await promisify(execFile)(process.execPath, args);
  const hash = readContributions(await readFile(to), 'beacon').at(-1)?.hash ?? '';
  const file = await hashFile(to);
  await rename(to, fileOf(dir, { file }));
  const closing = { kind: 'beacon', beacon: OTHER_BEACON, iterationsExp: ITERATIONS_EXP, hash, file } as const;
  await appendStep(dir, before, closing);
}
