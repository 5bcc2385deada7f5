// Prepares the policy circuit: compile, set up, keep under the hash of everything it depends on, check on every load.
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { PACKAGE_ROOT, siblingScript } from '../../kit/sources.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import {
  hashVerificationKey,
  parseVerificationKey,
  type VerificationKey,
} from '../../protocol/proof/verification-key.ts';
import { FILES, type Manifest, readManifest, writeManifest } from './artifact-files.ts';
import type { SetupRequest, SetupResult } from './artifacts-child.ts';
import { forkChild } from './child.ts';
import { compileCircuit, toolchain } from './compile.ts';

export interface PolicyArtifacts {
  readonly dir: string;
  readonly wasmFile: string;
  readonly zkeyFile: string;
  /** The BN254 kernel the prover runs on. */
  readonly kernelFile: string;
  readonly r1csFile: string;
  readonly symbolsFile: string;
  readonly verificationKey: VerificationKey;
  readonly verificationKeyHash: Hex;
  /** Solidity source of snarkjs' verifier, contract `Groth16Verifier`. */
  readonly verifierSource: string;
  readonly constraints: number;
  readonly setup: Manifest['setup'];
  /** Hash of the manifest of the ceremony that made the key. */
  readonly transcript?: string;
}

export interface PreparationProgress {
  readonly stage: 'compile' | 'setup' | 'corrupt' | 'ready';
  readonly detail: string;
}

interface PrepareOptions {
  readonly cacheDir: string;
  readonly onProgress?: (progress: PreparationProgress) => void;
  /** Artefacts of a ceremony, instead of a setup by whoever runs this. Never rebuilt: what is wrong with them is thrown. */
  readonly artifactsDir?: string;
  /** Another copy of circuits/: for tests of smaller or damaged circuits. */
  readonly circuitsDir?: string;
}

export const CIRCUITS = join(PACKAGE_ROOT, 'circuits');
/** Below the folder of circuits. */
export const MAIN = join('main', 'policy-claim.circom');
/** Two processes may repair at once; each try either loads what another finished or finishes its own. */
const TRIES = 3;

/**
 * About 8 s the first time, 30 ms after. A kill at any line leaves nothing half-made: work happens in a folder of its own
 * that is renamed into place when its manifest is written. When two processes build at the same time the first to rename
 * wins and the other takes the winner's key.
 * @throws ConcordatError PROCESS_FAILED, ARTIFACT_CORRUPT when rebuilding does not help; as `loadCeremonyArtifacts`
 */
export async function preparePolicyCircuit(options: PrepareOptions): Promise<PolicyArtifacts> {
  const { cacheDir, circuitsDir = CIRCUITS, onProgress = () => undefined } = options;
  if (options.artifactsDir !== undefined) {
    const artifacts = await loadCeremonyArtifacts(options.artifactsDir, circuitsDir);
    onProgress({ stage: 'ready', detail: artifacts.dir });
    return artifacts;
  }
  const dir = join(cacheDir, await contentHash(circuitsDir));
  await mkdir(cacheDir, { recursive: true });
  await removeLeftovers(cacheDir);
  let last: unknown;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    try {
      const artifacts = await load(dir);
      if (artifacts !== undefined) {
        onProgress({ stage: 'ready', detail: dir });
        return artifacts;
      }
      await build(dir, circuitsDir, onProgress);
    } catch (error) {
      if (!(error instanceof ConcordatError) || error.code !== 'ARTIFACT_CORRUPT') throw error;
      onProgress({ stage: 'corrupt', detail: error.detail });
      await moveAway(dir);
      last = error;
    }
  }
  throw last ?? new ConcordatError('ARTIFACT_CORRUPT', dir);
}

/**
 * What `concordat ceremony finalise` wrote, for this very circuit.
 * @throws ConcordatError FILE_MISSING, ARTIFACT_CORRUPT, VERIFICATION_KEY_UNSAFE, CONFLICT when it is for another circuit
 */
export async function loadCeremonyArtifacts(dir: string, circuitsDir: string = CIRCUITS): Promise<PolicyArtifacts> {
  const manifest = await readManifest(dir);
  if (manifest === undefined) throw new ConcordatError('FILE_MISSING', `no artefacts in ${dir}`, { path: dir });
  if (manifest.setup !== 'ceremony') {
    throw new ConcordatError('VERIFICATION_KEY_UNSAFE', `${dir} was made by a single operator`, { path: dir });
  }
  const circuit = await contentHash(circuitsDir);
  if (manifest.circuit !== circuit) {
    const detail = `${dir} is for the circuit ${manifest.circuit}, this program has ${circuit}`;
    throw new ConcordatError('CONFLICT', detail, { path: dir });
  }
  return artifactsOf(dir, manifest);
}

/** Nothing when it is not built yet. @throws ConcordatError ARTIFACT_CORRUPT */
async function load(dir: string): Promise<PolicyArtifacts | undefined> {
  const manifest = await readManifest(dir);
  return manifest && artifactsOf(dir, manifest);
}

async function artifactsOf(dir: string, manifest: Manifest): Promise<PolicyArtifacts> {
  const verificationKey = parseVerificationKey(JSON.parse(await readFile(join(dir, FILES.verificationKey), 'utf8')));
  return {
    dir,
    wasmFile: join(dir, FILES.wasm),
    zkeyFile: join(dir, FILES.zkey),
    kernelFile: join(dir, FILES.kernel),
    r1csFile: join(dir, FILES.r1cs),
    symbolsFile: join(dir, FILES.symbols),
    verificationKey,
    verificationKeyHash: hashVerificationKey(verificationKey),
    verifierSource: await readFile(join(dir, FILES.verifierSource), 'utf8'),
    constraints: manifest.constraints,
    setup: manifest.setup,
    ...(manifest.setup === 'ceremony' && { transcript: manifest.transcript }),
  };
}

async function build(
  dir: string,
  circuitsDir: string,
  onProgress: (progress: PreparationProgress) => void,
): Promise<void> {
  const workDir = temporaryBeside(dir);
  await mkdir(workDir);
  const setup = forkChild<SetupRequest, SetupResult>(siblingScript(import.meta.url, 'artifacts-child'));
  try {
    onProgress({ stage: 'compile', detail: MAIN });
    const compiled = await compileCircuit(join(circuitsDir, MAIN), workDir);
    await rename(compiled.wasmFile, join(workDir, FILES.wasm));
    onProgress({ stage: 'setup', detail: 'Groth16, single operator: for the embedded chain only' });
    const { constraints } = await setup.ask({ r1csFile: compiled.r1csFile, outDir: workDir });
    await writeManifest(workDir, { toolchain: toolchain(), setup: 'single-operator', constraints });
    // Onto an existing folder this fails: another process was first, and its key is as good.
    await rename(workDir, dir).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOTEMPTY' && cause.code !== 'EEXIST') throw cause;
    });
  } finally {
    await setup.kill();
    await rm(workDir, { recursive: true, force: true });
  }
}

async function moveAway(dir: string): Promise<void> {
  const grave = temporaryBeside(dir);
  await rename(dir, grave).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
  });
  await rm(grave, { recursive: true, force: true });
}

export const temporaryBeside = (dir: string): string => `${dir}.${randomBytes(4).toString('hex')}.tmp`;

const LEFTOVER_AGE_MS = 3_600_000;

/** Folders of builds that were killed. */
async function removeLeftovers(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    if (!name.endsWith('.tmp')) continue;
    const path = join(cacheDir, name);
    const changed = await stat(path).catch(() => undefined);
    if (changed && Date.now() - changed.mtimeMs > LEFTOVER_AGE_MS) await rm(path, { recursive: true, force: true });
  }
}

/** Sources (with the generated parameters), tools and flags: whatever changes the circuit or its setup. */
export async function contentHash(circuitsDir: string): Promise<string> {
  const hash = createHash('sha256').update('concordat/1/policy-artifacts\n').update(toolchain());
  const entries = await readdir(circuitsDir, { recursive: true, withFileTypes: true });
  const sources = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.circom'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const source of sources) {
    const bytes = await readFile(source);
    hash.update(`\n${relative(circuitsDir, source)} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}
