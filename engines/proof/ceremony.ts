// A multi-party phase 2 for the policy circuit: begin, contribute, verify. One honest contributor makes the key sound.
import { copyFile, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Progress } from '../../kit/progress.ts';
import { siblingScript } from '../../kit/sources.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { CIRCUITS, contentHash, MAIN, temporaryBeside } from './artifacts.ts';
import { checkCeremony, checkInitialKey, checkNewKey, checkPtau, inWorkshop, type Workshop } from './ceremony-check.ts';
import type { CeremonyAnswer, CeremonyJob } from './ceremony-child.ts';
import {
  appendStep,
  type Ceremony,
  contributors,
  fault,
  fileOf,
  hashFile,
  keepByHash,
  ptauFileOf,
  readCeremony,
  recover,
  temporaryIn,
  transcriptHash,
  writeCeremony,
} from './ceremony-log.ts';
import { readPtauPower } from './ceremony-ptau.ts';
import { forkChild } from './child.ts';
import { compileCircuit } from './compile.ts';
import { domainBitsOf } from './qap.ts';
import { readR1cs } from './r1cs.ts';

export interface CeremonyOptions {
  readonly dir: string;
  readonly progress: Progress;
  /** Another copy of circuits/: for tests of a smaller circuit. */
  readonly circuitsDir?: string;
}

export interface CeremonyState {
  readonly ceremony: Ceremony;
  /** sha256 of the manifest: what everyone compares. */
  readonly transcript: string;
  readonly verificationKeyHash?: string;
}

interface BeginOptions extends CeremonyOptions {
  readonly ptauFile: string;
  readonly beaconSource?: string;
}

/**
 * Makes the folder with the key that nobody has contributed to. It appears whole or not at all.
 * @throws ConcordatError PTAU_UNUSABLE, FILE_MISSING, CONFLICT when the folder exists, PROCESS_FAILED
 */
export async function beginCeremony(options: BeginOptions): Promise<CeremonyState> {
  const { dir, ptauFile, progress, circuitsDir = CIRCUITS } = options;
  if (await stat(dir).catch(() => undefined)) throw new ConcordatError('CONFLICT', `${dir} exists`, { path: dir });
  const power = await readPtauPower(ptauFile);
  return inWorkshop(circuitsDir, progress, async (shop) => {
    const building = temporaryBeside(dir);
    try {
      await mkdir(join(building, 'files'), { recursive: true });
      const ceremony = await begin(shop, building, power, options);
      await rename(building, dir);
      return { ceremony, transcript: transcriptHash(ceremony) };
    } finally {
      await rm(building, { recursive: true, force: true });
    }
  });
}

async function begin(shop: Workshop, dir: string, power: number, options: BeginOptions): Promise<Ceremony> {
  const { snarkjs, workDir, circuitsDir, progress } = shop;
  const circuit = await contentHash(circuitsDir);
  const { r1csFile } = await progress.step('circuit', () => compileCircuit(join(circuitsDir, MAIN), workDir));
  const r1cs = readR1cs(await readFile(r1csFile));
  const needed = domainBitsOf(r1cs);
  if (needed > power) {
    const detail = `${options.ptauFile} is of power ${power}, ${r1cs.constraints} constraints need ${needed}`;
    throw new ConcordatError('PTAU_UNUSABLE', detail, { power, needed });
  }
  const ptau = await progress.step('powers of tau', async () => {
    // what is checked is the copy that goes into the folder
    const copy = temporaryIn(dir);
    await copyFile(options.ptauFile, copy);
    await checkPtau(shop, copy, { power });
    return keepByHash(copy, (hash) => ptauFileOf(dir, { ptau: hash }));
  });
  const file = await progress.step('initial key', async () => {
    const zkeyFile = temporaryIn(dir);
    const files = { r1csFile, ptauFile: ptauFileOf(dir, { ptau }), zkeyFile };
    const answer = await snarkjs.ask({ job: 'initial', ...files });
    if (answer.fault !== undefined) fault('initial key', answer.fault);
    // snarkjs made it, we check it: nobody contributes to a key that the next one would refuse
    await checkInitialKey(shop, files);
    return keepByHash(zkeyFile, (hash) => fileOf(dir, { file: hash }));
  });
  const ceremony: Ceremony = {
    format: 'concordat/1/ceremony',
    circuit,
    r1cs: await hashFile(r1csFile),
    constraints: r1cs.constraints,
    ptau,
    power,
    beaconSource: options.beaconSource ?? '',
    steps: [{ kind: 'initial', file }],
  };
  await writeCeremony(dir, ceremony);
  return readCeremony(dir); // what nobody could read back must not be handed on
}

/** @throws ConcordatError CEREMONY_INVALID naming the step, PTAU_UNUSABLE, VERIFICATION_KEY_UNSAFE, FILE_MISSING */
export async function verifyCeremony({ dir, progress, circuitsDir }: CeremonyOptions): Promise<CeremonyState> {
  return inWorkshop(circuitsDir ?? CIRCUITS, progress, async (shop) => {
    const { ceremony, verificationKeyHash } = await checkCeremony(shop, dir);
    return { ceremony, transcript: transcriptHash(ceremony), ...(verificationKeyHash && { verificationKeyHash }) };
  });
}

interface ContributeOptions extends CeremonyOptions {
  readonly name: string;
  /** Adds to the system's randomness, replaces none of it. */
  readonly entropyFile?: string;
}

export interface Contributed extends CeremonyState {
  /** snarkjs' hash of the contributor's public key. */
  readonly hash: string;
}

/**
 * Checks everything so far, then multiplies a secret of this machine into the key and forgets it.
 * @throws ConcordatError as `verifyCeremony`; CONFLICT when the name is taken, the ceremony closed or somebody was faster
 */
export async function contribute(options: ContributeOptions): Promise<Contributed> {
  const { dir, name, entropyFile, progress, circuitsDir = CIRCUITS } = options;
  await recover(dir);
  refuseLate(await readCeremony(dir), name);
  if (entropyFile !== undefined) await hashFile(entropyFile).catch((cause) => missing(entropyFile, cause));
  await removeLeftovers(dir);
  return inWorkshop(circuitsDir, progress, async (shop) => {
    const { ceremony } = await checkCeremony(shop, dir);
    refuseLate(ceremony, name);
    const zkeyFile = temporaryIn(dir);
    try {
      const fromFile = fileOf(dir, ceremony.steps.at(-1) ?? ceremony.steps[0]);
      const job = { job: 'contribute', fromFile, zkeyFile, name, ...(entropyFile && { entropyFile }) } as const;
      const hash = await progress.step('own contribution', () => inChildOfItsOwn(job));
      const step = { kind: 'contribution', name, hash, file: await hashFile(zkeyFile) } as const;
      await progress.step('check of it', () => checkNewKey(shop, dir, ceremony, step, zkeyFile));
      await keepByHash(zkeyFile, (file) => fileOf(dir, { file }));
      const next = await appendStep(dir, ceremony, step);
      return { ceremony: next, transcript: transcriptHash(next), hash };
    } finally {
      await rm(zkeyFile, { force: true });
    }
  });
}

function refuseLate(ceremony: Ceremony, name: string): void {
  if (ceremony.steps.at(-1)?.kind === 'beacon') throw new ConcordatError('CONFLICT', 'the ceremony is closed');
  if (contributors(ceremony).includes(name)) {
    throw new ConcordatError('CONFLICT', `${name} has contributed already`, { name });
  }
}

function missing(path: string, cause: unknown): never {
  throw new ConcordatError('FILE_MISSING', path, { path }, { cause });
}

/** The secret's memory ends before anything else begins. */
async function inChildOfItsOwn(job: CeremonyJob): Promise<string> {
  const child = forkChild<CeremonyJob, CeremonyAnswer>(siblingScript(import.meta.url, 'ceremony-child'));
  try {
    const { hash, fault: reason } = await child.ask(job);
    return hash ?? fault('own contribution', reason ?? 'snarkjs made none');
  } finally {
    await child.kill();
  }
}

const LEFTOVER_AGE_MS = 3_600_000;

/** What killed contributions left behind: files that no manifest lists, old enough that nobody is still writing them. */
async function removeLeftovers(dir: string): Promise<void> {
  const ceremony = await readCeremony(dir);
  const listed = new Set([`${ceremony.ptau}.ptau`, ...ceremony.steps.map(({ file }) => `${file}.zkey`)]);
  for (const name of await readdir(join(dir, 'files'))) {
    if (listed.has(name)) continue;
    const path = join(dir, 'files', name);
    const changed = await stat(path).catch(() => undefined);
    if (changed && Date.now() - changed.mtimeMs > LEFTOVER_AGE_MS) await rm(path, { force: true });
  }
}
