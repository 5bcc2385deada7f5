// The reference engines, as Node runs them.
import { verifyPasskeySignature } from '../engines/keys/passkey.ts';
import type { RingOpener } from '../engines/ring/open.ts';
import { createSealOpener } from '../engines/ring/open-seal.ts';
import type { Engines } from './evidence.ts';

/** SEAL's WASM is loaded when the first sum is opened, and once. */
export function referenceEngines(): Engines {
  let opener: Promise<RingOpener> | undefined;
  return {
    verifyPasskey: verifyPasskeySignature,
    opener: () => {
      opener ??= createSealOpener();
      return opener;
    },
  };
}
