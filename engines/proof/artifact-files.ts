// What lies in a folder of circuit artefacts, and the manifest that vouches for it.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ConcordatError } from '../../protocol/errors.ts';

export const FILES = {
  wasm: 'policy-claim.wasm',
  r1cs: 'policy-claim.r1cs',
  symbols: 'policy-claim.sym',
  zkey: 'policy-claim.zkey',
  verificationKey: 'verification-key.json',
  verifierSource: 'Groth16Verifier.sol',
  /** ffjavascript's BN254 kernel, so that a prover starts without assembling it. */
  kernel: 'bn254.wasm',
} as const;

const MANIFEST = 'manifest.json';
const common = {
  toolchain: z.string(),
  constraints: z.int().positive(),
  /** File name to sha256, hex. */
  files: z.record(z.string(), z.string()),
};
const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const singleOperator = z.strictObject({ ...common, setup: z.literal('single-operator') });
/** With the circuit's content hash, since its folder may have any name, and the hash of the ceremony's manifest. */
const ceremony = z.strictObject({
  ...common,
  setup: z.literal('ceremony'),
  circuit: sha256Hex,
  transcript: sha256Hex,
});
const manifestSchema = z.discriminatedUnion('setup', [singleOperator, ceremony]);
export type Manifest = z.output<typeof manifestSchema>;
type Facts = Omit<z.output<typeof singleOperator>, 'files'> | Omit<z.output<typeof ceremony>, 'files'>;

export async function writeManifest(dir: string, facts: Facts): Promise<void> {
  const files: Record<string, string> = {};
  for (const name of Object.values(FILES)) files[name] = sha256(await readFile(join(dir, name)));
  await writeFile(join(dir, MANIFEST), `${JSON.stringify({ ...facts, files }, undefined, 2)}\n`);
}

/**
 * Nothing when there is no such folder.
 * @throws ConcordatError ARTIFACT_CORRUPT naming the file
 */
export async function readManifest(dir: string): Promise<Manifest | undefined> {
  const corrupt = (file: string, cause?: unknown): never => {
    throw new ConcordatError('ARTIFACT_CORRUPT', join(dir, file), { file }, { cause });
  };
  const text = await readFile(join(dir, MANIFEST), 'utf8').catch((cause: NodeJS.ErrnoException) =>
    cause.code === 'ENOENT' ? undefined : corrupt(MANIFEST, cause),
  );
  if (text === undefined) return undefined;
  let manifest: Manifest;
  try {
    manifest = manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    return corrupt(MANIFEST, cause);
  }
  for (const name of Object.values(FILES)) {
    const bytes = await readFile(join(dir, name)).catch((cause) => corrupt(name, cause));
    if (sha256(bytes) !== manifest.files[name]) corrupt(name);
  }
  return manifest;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
