// Checks a ceremony from the circuit's own sources to the newest key, trusting nothing that lies in its folder.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Progress } from '../../kit/progress.ts';
import { siblingScript } from '../../kit/sources.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { contentHash, MAIN } from './artifacts.ts';
import type { CeremonyAnswer, CeremonyJob } from './ceremony-child.ts';
import { readContributions } from './ceremony-contributions.ts';
import {
  type Ceremony,
  fault,
  fileOf,
  hashFile,
  type KeyedStep,
  ptauFileOf,
  readCeremony,
  stepName,
} from './ceremony-log.ts';
import { readPtauPower } from './ceremony-ptau.ts';
import { type Child, forkChild } from './child.ts';
import { type CompiledCircuit, compileCircuit } from './compile.ts';
import { readR1cs } from './r1cs.ts';

/** A child for the long computations, most of them snarkjs', and a folder for what is made on the way; both end with the work. */
export interface Workshop {
  readonly snarkjs: Child<CeremonyJob, CeremonyAnswer>;
  readonly workDir: string;
  readonly circuitsDir: string;
  readonly progress: Progress;
}

export interface CheckedCeremony {
  readonly ceremony: Ceremony;
  readonly compiled: CompiledCircuit;
  /** Of the newest key; none before the first contribution. */
  readonly verificationKeyHash?: string;
}

export async function inWorkshop<T>(
  circuitsDir: string,
  progress: Progress,
  work: (shop: Workshop) => Promise<T>,
): Promise<T> {
  const workDir = await mkdtemp(join(tmpdir(), 'concordat-ceremony-'));
  const snarkjs = forkChild<CeremonyJob, CeremonyAnswer>(siblingScript(import.meta.url, 'ceremony-child'));
  try {
    return await work({ snarkjs, workDir, circuitsDir, progress });
  } finally {
    await snarkjs.kill();
    await rm(workDir, { recursive: true, force: true });
  }
}

/** The quick checks come first, so that a damaged folder is known in seconds. @throws ConcordatError CEREMONY_INVALID */
export async function checkCeremony(shop: Workshop, dir: string): Promise<CheckedCeremony> {
  const { progress } = shop;
  const ceremony = await readCeremony(dir);
  await progress.step('files', () => checkFiles(dir, ceremony));
  const compiled = await progress.step('circuit', () => checkCircuit(shop, ceremony));
  const ptauFile = ptauFileOf(dir, ceremony);
  await progress.step('powers of tau', () => checkPtau(shop, ptauFile, ceremony));
  const initial = { r1csFile: compiled.r1csFile, ptauFile, zkeyFile: fileOf(dir, ceremony.steps[0]) };
  await progress.step('initial key', () => checkInitialKey(shop, initial));
  for (const [index, step] of ceremony.steps.entries()) {
    if (step.kind === 'initial') continue;
    await progress.step(stepName(step, index), () => checkKey(shop, dir, ceremony, index));
  }
  const newest = ceremony.steps.at(-1);
  if (newest === undefined || newest.kind === 'initial') return { ceremony, compiled };
  const { hash } = await shop.snarkjs.ask({ job: 'verification-key', zkeyFile: fileOf(dir, newest) });
  return { ceremony, compiled, ...(hash !== undefined && { verificationKeyHash: hash }) };
}

async function checkFiles(dir: string, ceremony: Ceremony): Promise<void> {
  const check = async (step: string, path: string, expected: string): Promise<void> => {
    const found = await hashFile(path).catch((cause) => fault(step, `${path} cannot be read`, cause));
    if (found !== expected) fault(step, `${path} has the sha256 ${found}`);
  };
  await check('powers of tau', ptauFileOf(dir, ceremony), ceremony.ptau);
  const keyed: KeyedStep[] = [];
  for (const [index, step] of ceremony.steps.entries()) {
    const named = stepName(step, index);
    await check(named, fileOf(dir, step), step.file);
    if (step.kind !== 'initial') keyed.push(step);
    await checkContributions(fileOf(dir, step), named, keyed);
  }
}

/** Every key carries its whole history: it must be the one in the manifest up to its own step. */
async function checkContributions(file: string, step: string, expected: readonly KeyedStep[]): Promise<void> {
  const found = readContributions(await readFile(file), step);
  if (found.length !== expected.length) {
    fault(step, `its key has had ${found.length} contributions, the manifest lists ${expected.length} up to here`);
  }
  for (const [i, entry] of expected.entries()) {
    const { kind, name, hash, beacon, iterationsExp } = found[i] ?? {};
    const same =
      entry.kind === 'contribution'
        ? name === entry.name
        : name === '' && beacon === entry.beacon && iterationsExp === entry.iterationsExp;
    if (kind !== entry.kind || hash !== entry.hash || !same) {
      fault(step, `its key does not carry ${stepName(entry, i + 1)} as the manifest has it`);
    }
  }
}

async function checkCircuit(shop: Workshop, ceremony: Ceremony): Promise<CompiledCircuit> {
  const circuit = await contentHash(shop.circuitsDir);
  if (circuit !== ceremony.circuit) {
    fault('circuit', `this program has the circuit ${circuit}, the ceremony is for ${ceremony.circuit}`);
  }
  const compiled = await compileCircuit(join(shop.circuitsDir, MAIN), shop.workDir);
  const r1cs = await readFile(compiled.r1csFile);
  const same = (await hashFile(compiled.r1csFile)) === ceremony.r1cs;
  if (!same || readR1cs(r1cs).constraints !== ceremony.constraints)
    fault('circuit', 'it compiles to other constraints');
  return compiled;
}

/** @throws ConcordatError PTAU_UNUSABLE */
export async function checkPtau({ snarkjs }: Workshop, ptauFile: string, { power }: { power: number }): Promise<void> {
  if ((await readPtauPower(ptauFile)) !== power) fault('powers of tau', `the manifest says a power of ${power}`);
  const answer = await snarkjs.ask({ job: 'check-ptau', ptauFile });
  if (answer.fault !== undefined) throw new ConcordatError('PTAU_UNUSABLE', answer.fault);
}

/** Circuit and powers of tau decide every byte of it. */
export async function checkInitialKey(
  { snarkjs }: Workshop,
  files: { readonly r1csFile: string; readonly ptauFile: string; readonly zkeyFile: string },
): Promise<void> {
  const answer = await snarkjs.ask({ job: 'check-initial', ...files });
  if (answer.fault !== undefined) fault('initial key', answer.fault);
}

async function checkKey({ snarkjs }: Workshop, dir: string, ceremony: Ceremony, index: number): Promise<void> {
  const step = ceremony.steps[index] ?? ceremony.steps[0];
  const [initialFile, zkeyFile] = [fileOf(dir, ceremony.steps[0]), fileOf(dir, step)];
  const answer = await snarkjs.ask({ job: 'check-key', initialFile, ptauFile: ptauFileOf(dir, ceremony), zkeyFile });
  if (answer.fault !== undefined) fault(stepName(step, index), answer.fault);
}

/** A key just made, before anyone hears of it. */
export async function checkNewKey(
  { snarkjs }: Workshop,
  dir: string,
  ceremony: Ceremony,
  step: KeyedStep,
  zkeyFile: string,
): Promise<void> {
  const named = stepName(step, ceremony.steps.length);
  const [, ...before] = ceremony.steps;
  await checkContributions(zkeyFile, named, [...before, step]);
  const initialFile = fileOf(dir, ceremony.steps[0]);
  const answer = await snarkjs.ask({ job: 'check-key', initialFile, ptauFile: ptauFileOf(dir, ceremony), zkeyFile });
  if (answer.fault !== undefined) fault(named, answer.fault);
}
