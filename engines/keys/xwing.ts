// X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 beside X25519, so that a share stays sealed while either one holds.
// ML-KEM is noble's; X25519 is OpenSSL's, which makes an operation four times as fast as noble's own X-Wing.
import { createHash, createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import { shake256 } from '@noble/hashes/sha3.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { concatBytes, utf8ToBytes } from '../../protocol/bytes.ts';
import { ENCAPSULATION_BYTES, SEALING_KEY_BYTES } from '../../protocol/secagg/shares.ts';

export const SEED_BYTES = 32;
/** What encapsulation draws: 32 bytes for ML-KEM, an ephemeral X25519 key. */
export const ENCAPSULATION_SEED_BYTES = 64;

const X25519_BYTES = 32;
/** \.//^\ — the draft's label, the drawing of an X-Wing. */
const LABEL = utf8ToBytes('\\.//^\\');

// RFC 8410: the raw key is the end of the DER form, after a fixed prefix
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

/** A private key, expanded: what opens. */
export interface DecapsulationKey {
  readonly mlKem: Uint8Array;
  readonly x25519: KeyObject;
  readonly publicKey: Uint8Array;
}

export function expandSeed(seed: Uint8Array): DecapsulationKey {
  if (seed.length !== SEED_BYTES) throw new RangeError(`an X-Wing seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  const expanded = shake256(seed, { dkLen: 64 + X25519_BYTES });
  const mlKem = ml_kem768.keygen(expanded.subarray(0, 64));
  const x25519 = privateKeyObject(expanded.subarray(64));
  expanded.fill(0);
  return { mlKem: mlKem.secretKey, x25519, publicKey: concatBytes(mlKem.publicKey, rawPublicKey(x25519)) };
}

export interface Encapsulated {
  readonly ciphertext: Uint8Array;
  readonly secret: Uint8Array;
}

/** @throws Error for a public key of another size, with a residue beyond the modulus, or with a low-order X25519 part */
export function encapsulate(publicKey: Uint8Array, seed: Uint8Array): Encapsulated {
  if (publicKey.length !== SEALING_KEY_BYTES) throw new RangeError(`${publicKey.length} bytes are no X-Wing key`);
  if (seed.length !== ENCAPSULATION_SEED_BYTES) throw new RangeError(`${seed.length} bytes are no encapsulation seed`);
  const [forMlKem, forX25519] = split(publicKey);
  const inner = ml_kem768.encapsulate(forMlKem, seed.subarray(0, 32));
  const ephemeral = privateKeyObject(seed.subarray(32));
  const ephemeralKey = rawPublicKey(ephemeral);
  const secret = combine(inner.sharedSecret, agree(ephemeral, forX25519), ephemeralKey, forX25519);
  return { ciphertext: concatBytes(inner.cipherText, ephemeralKey), secret };
}

/**
 * A ciphertext that nobody made for this key gives a secret that nobody knows (FIPS 203, implicit rejection).
 * @throws Error for another size, or a low-order X25519 part
 */
export function decapsulate(key: DecapsulationKey, ciphertext: Uint8Array): Uint8Array {
  if (ciphertext.length !== ENCAPSULATION_BYTES) throw new RangeError(`${ciphertext.length} bytes are no ciphertext`);
  const [forMlKem, ephemeralKey] = split(ciphertext);
  const inner = ml_kem768.decapsulate(forMlKem, key.mlKem);
  return combine(inner, agree(key.x25519, ephemeralKey), ephemeralKey, split(key.publicKey)[1]);
}

/** ML-KEM's part and X25519's. */
const split = (bytes: Uint8Array): readonly [Uint8Array, Uint8Array] => [
  bytes.subarray(0, -X25519_BYTES),
  bytes.subarray(-X25519_BYTES),
];

/** SHA3-256(ss_M ‖ ss_X ‖ ct_X ‖ pk_X ‖ label); wipes the two secrets. */
function combine(
  ofMlKem: Uint8Array,
  ofX25519: Uint8Array,
  ephemeralKey: Uint8Array,
  publicKey: Uint8Array,
): Uint8Array {
  const hash = createHash('sha3-256');
  for (const part of [ofMlKem, ofX25519, ephemeralKey, publicKey, LABEL]) hash.update(part);
  ofMlKem.fill(0);
  ofX25519.fill(0);
  return new Uint8Array(hash.digest());
}

/**
 * RFC 7748 §6.1: a low-order public key makes the secret all zeros, whoever holds the private key. The draft lets that
 * pass, since ML-KEM still holds; OpenSSL refuses it, and so do we.
 */
function agree(own: KeyObject, other: Uint8Array): Buffer {
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, other]), format: 'der', type: 'spki' });
  const secret = diffieHellman({ privateKey: own, publicKey });
  if (secret.every((byte) => byte === 0)) throw new Error('low-order X25519 point');
  return secret;
}

function privateKeyObject(raw: Uint8Array): KeyObject {
  const der = Buffer.concat([PKCS8_PREFIX, raw]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return key;
}

const rawPublicKey = (privateKey: KeyObject): Uint8Array =>
  new Uint8Array(createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(-X25519_BYTES));
