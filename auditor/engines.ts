// The reference engines, as Node runs them.
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../kit/sources.ts';
import type { RingOpener } from '../protocol/secagg/opener.ts';
import type { Engines } from './evidence.ts';
import { createBulkVerifier } from './passkey.ts';
import { compileDeployed } from './proof/compile.ts';
import { createSealOpener } from './ring/open-seal.ts';

/** SEAL's WASM is loaded when the first sum is opened, and once. @param cacheDir for what the contracts compile to */
export function referenceEngines(cacheDir = join(PACKAGE_ROOT, '.concordat/cache')): Engines {
  let opener: Promise<RingOpener> | undefined;
  return {
    verifyPasskey: createBulkVerifier(),
    compileContracts: (key) => compileDeployed(cacheDir, key),
    opener: () => {
      opener ??= createSealOpener();
      return opener;
    },
  };
}
