// A sealed share by noble's X-Wing and HKDF and the WebCrypto AES alone: our sealing has no say in the vectors.
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js';
import { concatBytes, utf8ToBytes } from '../../protocol/bytes.ts';

interface NobleShare {
  readonly salt: Uint8Array;
  readonly key: Uint8Array;
  readonly sealed: Uint8Array;
}

export const noblePublicKey = (seed: Uint8Array): Uint8Array => ml_kem768_x25519.keygen(seed).publicKey;

export async function sealByNoble(
  publicKey: Uint8Array,
  encapsulationSeed: Uint8Array,
  plaintext: Uint8Array,
  associatedData: Uint8Array,
): Promise<NobleShare> {
  const { cipherText, sharedSecret } = ml_kem768_x25519.encapsulate(publicKey, encapsulationSeed);
  const salt = sha256(concatBytes(cipherText, publicKey));
  const key = new Uint8Array(hkdf(sha256, sharedSecret, salt, utf8ToBytes('concordat/1/share'), 32));
  const aes = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt']);
  const algorithm = { name: 'AES-GCM', iv: new Uint8Array(12), additionalData: new Uint8Array(associatedData) };
  const encrypted = new Uint8Array(await crypto.subtle.encrypt(algorithm, aes, new Uint8Array(plaintext)));
  return { salt, key, sealed: concatBytes(cipherText, encrypted) };
}
