// P-256 signatures as this protocol carries them: r ‖ s, 64 bytes, low s. Authenticators hand out DER.
import { bytesToUint, concatBytes, uintToBytes } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';

/** Order of the P-256 group (SEC 2, secp256r1). */
export const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const HALF_ORDER = P256_ORDER >> 1n;

/**
 * True for 64 bytes r ‖ s with 0 < r < n and 0 < s ≤ n/2. Of (r, s) and (r, n-s) both verify; like OpenZeppelin's `P256`
 * only the lower one is taken, so that nobody can make a second assertion out of the first.
 */
export function isLowSSignature(signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  const r = bytesToUint(signature.subarray(0, 32));
  const s = bytesToUint(signature.subarray(32));
  return r > 0n && r < P256_ORDER && s > 0n && s <= HALF_ORDER;
}

/** r ‖ s with s brought to its lower form. */
export function toLowS(signature: Uint8Array): Uint8Array {
  const s = bytesToUint(signature.subarray(32));
  return s <= HALF_ORDER ? signature : concatBytes(signature.subarray(0, 32), uintToBytes(P256_ORDER - s, 32));
}

/**
 * What an authenticator returns (ASN.1 DER, WebAuthn §6.5.6) as low-s r ‖ s. Strict: minimal lengths, nothing trailing.
 * @throws ConcordatError PASSKEY_REFUSED
 */
export function signatureFromDer(der: Uint8Array): Uint8Array {
  const refuse = (): never => {
    throw new ConcordatError('PASSKEY_REFUSED', 'the signature is not DER', { reason: 'malformed' });
  };
  const readInteger = (at: number): [value: Uint8Array, end: number] => {
    const length = der[at + 1] ?? 0;
    const end = at + 2 + length;
    const body = der.subarray(at + 2, end);
    const first = body[0] ?? 0x80;
    const padded = first === 0 && length > 1;
    if (der[at] !== 0x02 || length === 0 || end > der.length || first >= 0x80) refuse();
    if (padded && (body[1] ?? 0) < 0x80) refuse();
    const magnitude = padded ? body.subarray(1) : body;
    if (magnitude.length > 32) refuse();
    return [concatBytes(new Uint8Array(32 - magnitude.length), magnitude), end];
  };
  if (der[0] !== 0x30 || der[1] !== der.length - 2 || der.length > 72) refuse();
  const [r, rEnd] = readInteger(2);
  const [s, sEnd] = readInteger(rEnd);
  if (sEnd !== der.length) refuse();
  return toLowS(concatBytes(r, s));
}
