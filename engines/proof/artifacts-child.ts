// The child process of artifacts.ts that runs the setup: its memory, and the trapdoor in it, end with it.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FILES } from './artifact-files.ts';
import { assembleBn254 } from './assemble-bn254.ts';
import { loadBn254 } from './bn254.ts';
import { serveParent } from './child.ts';
import { exportKeys } from './export-keys.ts';
import { readR1cs } from './r1cs.ts';
import { singleOperatorSetup } from './setup.ts';
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
  await exportKeys(zkeyFile, outDir);
  return { constraints: readR1cs(r1cs).constraints };
});
