// The child process of artifacts.ts that runs the setup: its memory, and the trapdoor in it, end with it.
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { zKey } from 'snarkjs';
import { FILES } from './artifact-files.ts';
import { assembleBn254 } from './assemble-bn254.ts';
import { loadBn254 } from './bn254.ts';
import { serveParent } from './child.ts';
import { readR1cs } from './r1cs.ts';
import { singleOperatorSetup } from './setup.ts';
import { parseVerificationKey } from './verification-key.ts';
import { useOneThread } from './verify.ts';

export interface SetupRequest {
  readonly r1csFile: string;
  readonly outDir: string;
}

export interface SetupResult {
  readonly constraints: number;
}

serveParent(async ({ r1csFile, outDir }: SetupRequest): Promise<SetupResult> => {
  const kernel = await assembleBn254();
  const r1cs = await readFile(r1csFile);
  const zkeyFile = join(outDir, FILES.zkey);
  await writeFile(join(outDir, FILES.kernel), kernel);
  await writeFile(zkeyFile, singleOperatorSetup(await loadBn254(kernel), r1cs));

  await useOneThread();
  const key = parseVerificationKey(await zKey.exportVerificationKey(zkeyFile));
  await writeFile(join(outDir, FILES.verificationKey), JSON.stringify(key));
  const templates = join(dirname(createRequire(import.meta.url).resolve('snarkjs')), '..', 'templates');
  const groth16 = await readFile(join(templates, 'verifier_groth16.sol.ejs'), 'utf8');
  await writeFile(join(outDir, FILES.verifierSource), await zKey.exportSolidityVerifier(zkeyFile, { groth16 }));
  return { constraints: readR1cs(r1cs).constraints };
});
