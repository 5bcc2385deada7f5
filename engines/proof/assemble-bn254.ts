// Assembles ffjavascript's BN254 kernel. Apart from bn254.ts, so that a prover need not load ffjavascript.
import { buildBn128 } from 'ffjavascript';

/** The module's bytes (about 0.2 s). The result is always the same: it is kept among the artefacts. */
export async function assembleBn254(): Promise<Uint8Array> {
  return (await buildBn128(true)).tm.code;
}
