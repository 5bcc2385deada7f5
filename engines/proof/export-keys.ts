// What is published of a proving key: the verification key, the verifier contract's source, the kernel provers run on.
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { zKey } from 'snarkjs';
import { canonicalJson } from '../../protocol/consent/canonical-json.ts';
import { parseVerificationKey, type VerificationKey } from '../../protocol/proof/verification-key.ts';
import { FILES } from './artifact-files.ts';

/** @throws ConcordatError VERIFICATION_KEY_UNSAFE for a key that nobody contributed to */
export async function verificationKeyOf(zkeyFile: string): Promise<VerificationKey> {
  return parseVerificationKey(await zKey.exportVerificationKey(zkeyFile));
}

/** Writes verification key (canonical JSON: its sha256 is what the contract holds) and Solidity verifier. @throws ConcordatError VERIFICATION_KEY_UNSAFE */
export async function exportKeys(zkeyFile: string, outDir: string): Promise<void> {
  await writeFile(join(outDir, FILES.verificationKey), canonicalJson(await verificationKeyOf(zkeyFile)));
  const templates = join(dirname(createRequire(import.meta.url).resolve('snarkjs')), '..', 'templates');
  const groth16 = await readFile(join(templates, 'verifier_groth16.sol.ejs'), 'utf8');
  await writeFile(join(outDir, FILES.verifierSource), await zKey.exportSolidityVerifier(zkeyFile, { groth16 }));
}
