// Sealed shares: X-Wing, HKDF-SHA256 and AES-256-GCM, one fresh key per share, bound to what the share is for.
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomFillSync } from 'node:crypto';
import { ConcordatError } from '../../protocol/errors.ts';
import { PROTOCOL_VERSION } from '../../protocol/params.ts';
import type { FillRandom } from '../../protocol/secagg/block.ts';
import { ENCAPSULATION_BYTES } from '../../protocol/secagg/shares.ts';
import {
  type DecapsulationKey,
  decapsulate,
  ENCAPSULATION_SEED_BYTES,
  encapsulate,
  expandSeed,
  SEED_BYTES,
} from './xwing.ts';

export interface SealingKeys {
  /** X-Wing, 1,216 bytes: what is registered on chain. */
  readonly publicKey: Uint8Array;
  /** The 32-byte seed that everything private derives from. */
  readonly privateKey: Uint8Array;
}

/** The system's CSPRNG. */
export const systemRandom: FillRandom = (bytes) => {
  randomFillSync(bytes);
};

const TAG_BYTES = 16;
const INFO = `${PROTOCOL_VERSION}/share`;
// the key is derived from a fresh encapsulation and used for one message, so the nonce may be fixed
const ZERO_NONCE = new Uint8Array(12);

/** Expanding a seed costs as much as opening a share: done once per pair of keys. */
const expanded = new WeakMap<SealingKeys, DecapsulationKey>();

export function generateSealingKeys(fillRandom: FillRandom = systemRandom): SealingKeys {
  const privateKey = new Uint8Array(SEED_BYTES);
  fillRandom(privateKey);
  return sealingKeysFrom(privateKey);
}

/** @param seed 32 bytes; the keys hold this very array, and forgetKeys wipes it */
export function sealingKeysFrom(seed: Uint8Array): SealingKeys {
  const key = expandSeed(seed);
  const keys = { privateKey: seed, publicKey: key.publicKey };
  expanded.set(keys, key);
  return keys;
}

/** Overwrites what is ours of the private key in memory; OpenSSL frees its own part. The keys open nothing afterwards. */
export function forgetKeys(keys: SealingKeys): void {
  expanded.get(keys)?.mlKem.fill(0);
  expanded.delete(keys);
  keys.privateKey.fill(0);
}

function decapsulationKeyOf(keys: SealingKeys): DecapsulationKey {
  const known = expanded.get(keys);
  if (known !== undefined) return known;
  const key = expandSeed(keys.privateKey);
  expanded.set(keys, key);
  return key;
}

/** The symmetric key of one share; wipes the secret. Bound to the whole ciphertext and to the recipient. */
function deriveKey(secret: Uint8Array, ciphertext: Uint8Array, recipient: Uint8Array): Buffer {
  const salt = createHash('sha256').update(ciphertext).update(recipient).digest();
  const key = Buffer.from(hkdfSync('sha256', secret, salt, INFO, 32));
  secret.fill(0);
  return key;
}

/**
 * X-Wing ciphertext (1,120) ‖ encrypted plaintext ‖ tag (16).
 * @param associatedData what the share is for (protocol/secagg/shares.ts); it opens under no other
 * @throws ConcordatError KEY_WEAK when the recipient's key is not a usable X-Wing key
 */
export function sealShare(
  recipientPublicKey: Uint8Array,
  plaintext: Uint8Array,
  associatedData: Uint8Array,
  fillRandom: FillRandom = systemRandom,
): Uint8Array {
  const { ciphertext, secret } = encapsulateTo(recipientPublicKey, fillRandom);
  const key = deriveKey(secret, ciphertext, recipientPublicKey);
  const cipher = createCipheriv('aes-256-gcm', key, ZERO_NONCE);
  cipher.setAAD(associatedData);
  const parts = [ciphertext, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()];
  key.fill(0);
  return new Uint8Array(Buffer.concat(parts));
}

function encapsulateTo(publicKey: Uint8Array, fillRandom: FillRandom) {
  const seed = new Uint8Array(ENCAPSULATION_SEED_BYTES);
  fillRandom(seed);
  try {
    return encapsulate(publicKey, seed);
  } catch (cause) {
    throw new ConcordatError('KEY_WEAK', 'the recipient\u2019s X-Wing key cannot be sealed to', {}, { cause });
  } finally {
    seed.fill(0);
  }
}

/**
 * @throws ConcordatError SHARE_UNREADABLE for every reason alike: cut short, another recipient, another context,
 *   altered, low-order ephemeral key
 */
export function openShare(keys: SealingKeys, sealed: Uint8Array, associatedData: Uint8Array): Uint8Array {
  try {
    const ciphertext = sealed.subarray(0, ENCAPSULATION_BYTES);
    const own = decapsulationKeyOf(keys);
    const key = deriveKey(decapsulate(own, ciphertext), ciphertext, own.publicKey);
    const decipher = createDecipheriv('aes-256-gcm', key, ZERO_NONCE, { authTagLength: TAG_BYTES });
    key.fill(0);
    decipher.setAAD(associatedData);
    decipher.setAuthTag(sealed.subarray(ENCAPSULATION_BYTES).subarray(-TAG_BYTES));
    const plaintext = decipher.update(sealed.subarray(ENCAPSULATION_BYTES, -TAG_BYTES));
    try {
      decipher.final();
      return new Uint8Array(plaintext);
    } finally {
      plaintext.fill(0);
    }
  } catch (cause) {
    throw new ConcordatError('SHARE_UNREADABLE', 'a sealed share does not open', {}, { cause });
  }
}
