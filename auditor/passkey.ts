// Checks a passkey's P-256 signature with noble; the edge nodes and the witnesses use OpenSSL alone.
import { p256 } from '@noble/curves/nist.js';
import { verifyP256 } from '../kit/p256.ts';
import { concatBytes, fromHex } from '../protocol/bytes.ts';
import type { SignatureVerifier } from '../protocol/consent/assertion.ts';
import { isLowSSignature } from '../protocol/consent/p256-signature.ts';
import { ConcordatError } from '../protocol/errors.ts';

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

/** noble takes 3.5 ms for one, OpenSSL 0.2: thousands of customers by noble alone are most of an audit. */
const BY_BOTH_EVERY = 16;

/**
 * For many: OpenSSL judges all of them, noble the first and every sixteenth from there.
 * @throws ConcordatError PROCESS_FAILED when the two disagree: one of them is broken, and nothing it said holds
 */
export function createBulkVerifier(openssl: SignatureVerifier = verifyP256): SignatureVerifier {
  let seen = 0;
  return (publicKey, message, signature) => {
    const holds = isLowSSignature(signature) && openssl(publicKey, message, signature);
    if (seen++ % BY_BOTH_EVERY === 0 && verifyPasskey(publicKey, message, signature) !== holds) {
      throw new ConcordatError('PROCESS_FAILED', 'OpenSSL and noble disagree about a P-256 signature', { publicKey });
    }
    return holds;
  };
}
