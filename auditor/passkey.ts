// Checks a passkey's P-256 signature with noble: the edge nodes and the witnesses use OpenSSL. Browser-safe.
import { p256 } from '@noble/curves/nist.js';
import { concatBytes, fromHex } from '../protocol/bytes.ts';
import type { SignatureVerifier } from '../protocol/consent/assertion.ts';

/** SEC 1: what comes before the coordinates of a point that is written out. */
const UNCOMPRESSED = Uint8Array.of(4);

/** True when `signature` (low-s r ‖ s) is the key's over sha256(message). False for a point off the curve; never throws. */
export const verifyPasskey: SignatureVerifier = (publicKey, message, signature) => {
  try {
    const key = concatBytes(UNCOMPRESSED, fromHex(publicKey));
    return p256.verify(signature, message, key, { lowS: true, prehash: true, format: 'compact' });
  } catch {
    return false;
  }
};
