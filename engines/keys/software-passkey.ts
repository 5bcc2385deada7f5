// A passkey in software: signs in the exact WebAuthn format. For simulated customers, for the dealer's desk (paper
// consent, evidence "attested") and for tests; a customer's real key lives in their own device.
import { Buffer } from 'node:buffer';
import { createECDH, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { concatBytes, type Hex, sha256, uintToBytes, utf8ToBytes } from '../../protocol/bytes.ts';
import { type Assertion, base64url, signedMessage } from '../../protocol/consent/assertion.ts';
import { P256_ORDER, toLowS } from '../../protocol/consent/p256-signature.ts';

export interface SoftwarePasskey {
  /** x ‖ y, 64 bytes. */
  readonly publicKey: Hex;
  /** User present and verified; counter 0, as synced passkeys send. */
  sign(challenge: Uint8Array): Assertion;
}

interface SoftwarePasskeyOptions {
  readonly rpId: string;
  readonly origin: string;
  /** 32 bytes to derive the key from, so that a simulation can be taken up again; without it a fresh key. */
  readonly seed?: Uint8Array;
}

const USER_PRESENT_AND_VERIFIED = 0x05;

/** Reduction of 256 bits mod n-1 has a bias of 2^-32: fine for what is, by its name, a simulation. */
function keyFromSeed(seed: Uint8Array): KeyObject {
  const scalar = (BigInt(`0x${Buffer.from(sha256(seed)).toString('hex')}`) % (P256_ORDER - 1n)) + 1n;
  const d = Buffer.from(uintToBytes(scalar, 32));
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(d);
  const point = ecdh.getPublicKey();
  const x = point.toString('base64url', 1, 33);
  const y = point.toString('base64url', 33);
  return createPrivateKey({ key: { kty: 'EC', crv: 'P-256', d: d.toString('base64url'), x, y }, format: 'jwk' });
}

function coordinatesOf(key: KeyObject): Hex {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  return `0x${Buffer.from(x, 'base64url').toString('hex')}${Buffer.from(y, 'base64url').toString('hex')}`;
}

export function createSoftwarePasskey({ rpId, origin, seed }: SoftwarePasskeyOptions): SoftwarePasskey {
  const key = seed === undefined ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey : keyFromSeed(seed);
  const rpIdHash = sha256(utf8ToBytes(rpId));
  const authenticatorData = concatBytes(rpIdHash, Uint8Array.of(USER_PRESENT_AND_VERIFIED), new Uint8Array(4));
  return {
    publicKey: coordinatesOf(key),
    sign(challenge) {
      const clientData = { type: 'webauthn.get', challenge: base64url(challenge), origin, crossOrigin: false };
      const unsigned = { authenticatorData, clientDataJSON: utf8ToBytes(JSON.stringify(clientData)) };
      const signature = sign('sha256', signedMessage(unsigned), { key, dsaEncoding: 'ieee-p1363' });
      return { ...unsigned, signature: toLowS(new Uint8Array(signature)) };
    },
  };
}
