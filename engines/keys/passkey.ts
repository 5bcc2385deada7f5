// Checks a passkey's P-256 signature, as the contracts do: with low s only.
import { verifyP256 } from '../../kit/p256.ts';
import type { SignatureVerifier } from '../../protocol/consent/assertion.ts';
import { isLowSSignature } from '../../protocol/consent/p256-signature.ts';

/** True when `signature` (low-s r ‖ s) is the key's over sha256(message). False for a point off the curve; never throws. */
export const verifyPasskeySignature: SignatureVerifier = (publicKey, message, signature) =>
  isLowSSignature(signature) && verifyP256(publicKey, message, signature);
