// Smaller and damaged builds of the policy circuit, compiled once and kept under the hash of their sources.
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type PolicyArtifacts, preparePolicyCircuit } from '../../engines/proof/artifacts.ts';
import { compileCircuit, type Optimisation } from '../../engines/proof/compile.ts';
import { loadWitnessCalculator, type WitnessCalculator } from '../../engines/proof/witness.ts';

export const CACHE_DIR = fileURLToPath(new URL('../../.concordat/cache/test-circuits', import.meta.url));
export const CIRCUITS_DIR = fileURLToPath(new URL('../../circuits', import.meta.url));

/** Slots of the small build: enough for a used one beside an unused one. */
export const SMALL = 2;

/** An exact piece of a source file, and what takes its place. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A copy of circuits/ with `policies` slots and the edits made. */
export async function circuitsWith(policies: number, edits: readonly Edit[] = []): Promise<string> {
  const sources = await readSources(CIRCUITS_DIR);
  const size = {
    file: 'main/policy-claim.circom',
    from: 'PolicyClaim(POLICIES_PER_PROOF())',
    to: `PolicyClaim(${policies})`,
  };
  for (const { file, from, to } of [size, ...edits]) {
    const source = sources.get(file);
    if (!source?.includes(from)) throw new Error(`${file} does not contain: ${from}`);
    sources.set(file, source.replace(from, to));
  }
  const dir = join(CACHE_DIR, 'sources', hashOf(JSON.stringify([...sources])));
  await once(dir, async (work) => {
    for (const [file, source] of sources) {
      await mkdir(dirname(join(work, file)), { recursive: true });
      await writeFile(join(work, file), source);
    }
  });
  return dir;
}

export async function readSources(dir: string): Promise<Map<string, string>> {
  const names = (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.circom')).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(dir, name), 'utf8')] as const)),
  );
}

export const smallArtifacts = async (): Promise<PolicyArtifacts> =>
  preparePolicyCircuit({ cacheDir: CACHE_DIR, circuitsDir: await circuitsWith(SMALL) });

/** The witness calculator of an edited circuit, without a setup. */
export async function calculatorWith(policies: number, edits: readonly Edit[]): Promise<WitnessCalculator> {
  const compiled = await compiledWith(policies, edits);
  return loadWitnessCalculator(await readFile(compiled.wasmFile));
}

export async function compiledWith(
  policies: number,
  edits: readonly Edit[],
  optimisation: Optimisation = '--O2',
): Promise<{ r1csFile: string; wasmFile: string }> {
  const sources = await circuitsWith(policies, edits);
  const dir = `${sources}${optimisation}`;
  await once(dir, async (work) => {
    await compileCircuit(join(sources, 'main/policy-claim.circom'), work, optimisation);
  });
  return { r1csFile: join(dir, 'policy-claim.r1cs'), wasmFile: join(dir, 'policy-claim_js', 'policy-claim.wasm') };
}

/** Makes a folder unless it is there, so that a killed run leaves none half-made. */
async function once(dir: string, fill: (work: string) => Promise<void>): Promise<void> {
  if (await stat(dir).catch(() => undefined)) return;
  const work = `${dir}.${randomBytes(4).toString('hex')}.tmp`;
  await mkdir(work, { recursive: true });
  await fill(work);
  await rename(work, dir).catch(() => undefined); // another run was first
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);
