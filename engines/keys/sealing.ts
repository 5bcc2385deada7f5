// Sealed shares: X25519, HKDF-SHA256 and AES-256-GCM, one fresh key per share, bound to what the share is for.
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
  randomFillSync,
} from 'node:crypto';
import { ConcordatError } from '../../protocol/errors.ts';
import { PROTOCOL_VERSION } from '../../protocol/params.ts';
import type { FillRandom } from '../../protocol/secagg/block.ts';

export interface SealingKeys {
  /** Raw X25519, 32 bytes each. */
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

/** The system's CSPRNG. */
export const systemRandom: FillRandom = (bytes) => {
  randomFillSync(bytes);
};

// RFC 8410: the raw key is the end of the DER form, after a fixed prefix
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const INFO = `${PROTOCOL_VERSION}/share`;
// the key is derived from a fresh ephemeral key and used for one message, so the nonce may be fixed
const ZERO_NONCE = new Uint8Array(12);

function privateKeyObject(raw: Uint8Array): KeyObject {
  const der = Buffer.concat([PKCS8_PREFIX, raw]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return key;
}

const publicKeyObject = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });

const rawPublicKey = (privateKey: KeyObject): Uint8Array =>
  new Uint8Array(createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(-KEY_BYTES));

export function generateSealingKeys(fillRandom: FillRandom = systemRandom): SealingKeys {
  const privateKey = new Uint8Array(KEY_BYTES);
  fillRandom(privateKey);
  return { privateKey, publicKey: rawPublicKey(privateKeyObject(privateKey)) };
}

/**
 * The symmetric key of one share. RFC 7748 §6.1: a low-order public key makes the secret all zeros, whoever holds the
 * private key; OpenSSL refuses it, and so do we.
 */
function deriveKey(own: KeyObject, other: Uint8Array, ephemeral: Uint8Array, recipient: Uint8Array): Buffer {
  const secret = diffieHellman({ privateKey: own, publicKey: publicKeyObject(other) });
  if (secret.every((byte) => byte === 0)) throw new Error('low-order X25519 point');
  const key = Buffer.from(hkdfSync('sha256', secret, Buffer.concat([ephemeral, recipient]), INFO, 32));
  secret.fill(0);
  return key;
}

/**
 * Ephemeral public key (32) ‖ ciphertext ‖ tag (16).
 * @param associatedData what the share is for (protocol/secagg/shares.ts); it opens under no other
 * @throws ConcordatError KEY_WEAK when the recipient's key is not a usable X25519 key
 */
export function sealShare(
  recipientPublicKey: Uint8Array,
  plaintext: Uint8Array,
  associatedData: Uint8Array,
  fillRandom: FillRandom = systemRandom,
): Uint8Array {
  const ephemeral = generateSealingKeys(fillRandom);
  const own = privateKeyObject(ephemeral.privateKey);
  ephemeral.privateKey.fill(0);
  let key: Buffer;
  try {
    key = deriveKey(own, recipientPublicKey, ephemeral.publicKey, recipientPublicKey);
  } catch (cause) {
    throw new ConcordatError('KEY_WEAK', 'the recipient\u2019s X25519 key cannot be sealed to', {}, { cause });
  }
  const cipher = createCipheriv('aes-256-gcm', key, ZERO_NONCE);
  cipher.setAAD(associatedData);
  const parts = [ephemeral.publicKey, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()];
  key.fill(0);
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * @throws ConcordatError SHARE_UNREADABLE for every reason alike: cut short, another recipient, another context,
 *   altered, low-order ephemeral key
 */
export function openShare(keys: SealingKeys, sealed: Uint8Array, associatedData: Uint8Array): Uint8Array {
  try {
    const ephemeral = sealed.slice(0, KEY_BYTES);
    const key = deriveKey(privateKeyObject(keys.privateKey), ephemeral, ephemeral, keys.publicKey);
    const decipher = createDecipheriv('aes-256-gcm', key, ZERO_NONCE, { authTagLength: TAG_BYTES });
    decipher.setAAD(associatedData);
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const plaintext = decipher.update(sealed.subarray(KEY_BYTES, -TAG_BYTES));
    decipher.final();
    key.fill(0);
    return new Uint8Array(plaintext);
  } catch (cause) {
    throw new ConcordatError('SHARE_UNREADABLE', 'a sealed share does not open', {}, { cause });
  }
}
