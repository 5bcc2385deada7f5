// Sealed shares: the key agreement, and everything that must not open.
import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { describe, expect, test } from 'vitest';
import { generateSealingKeys, openShare, sealShare } from '../../engines/keys/sealing.ts';
import { concatBytes, fromHex, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { SHARE_BYTES } from '../../protocol/secagg/shamir.ts';
import { SEALED_SHARE_BYTES } from '../../protocol/secagg/shares.ts';
import { codeOf, keysOf, streamOf } from './secagg-fixtures.ts';

const keys = keysOf(1);
const context = utf8ToBytes('for this');
const plaintext = new Uint8Array(SHARE_BYTES).map((_, i) => i % 251);

test('a second implementation, from the text of the spec alone, opens it', async () => {
  const sealed = sealShare(keys.publicKey, plaintext, context);
  expect(keys.publicKey).toEqual(x25519.getPublicKey(keys.privateKey));
  const ephemeral = sealed.slice(0, 32);
  const secret = x25519.getSharedSecret(keys.privateKey, ephemeral);
  const salt = concatBytes(ephemeral, keys.publicKey);
  const raw = new Uint8Array(hkdf(nobleSha256, secret, salt, utf8ToBytes('concordat/1/share'), 32));
  const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['decrypt']);
  const algorithm = { name: 'AES-GCM', iv: new Uint8Array(12), additionalData: new Uint8Array(context) };
  expect(new Uint8Array(await crypto.subtle.decrypt(algorithm, key, sealed.slice(32)))).toEqual(plaintext);
});

test('opens to what was sealed; every sealing is fresh', () => {
  const sealed = sealShare(keys.publicKey, plaintext, context);
  expect(sealed).toHaveLength(SEALED_SHARE_BYTES);
  expect(openShare(keys, sealed, context)).toEqual(plaintext);
  expect(toHex(sealShare(keys.publicKey, plaintext, context))).not.toBe(toHex(sealed));
});

test('an empty plaintext is 48 bytes and opens', () => {
  const sealed = sealShare(keys.publicKey, new Uint8Array(), context);
  expect(sealed).toHaveLength(48);
  expect(openShare(keys, sealed, context)).toHaveLength(0);
});

test('any flipped byte, another recipient, another context, a cut or a longer one: unreadable', async () => {
  const sealed = sealShare(keys.publicKey, plaintext, context);
  for (const at of [0, 31, 32, 4_000, SEALED_SHARE_BYTES - 17, SEALED_SHARE_BYTES - 16, SEALED_SHARE_BYTES - 1]) {
    const bad = sealed.slice();
    bad[at] = (bad[at] ?? 0) ^ 1;
    expect(await codeOf(() => openShare(keys, bad, context))).toBe('SHARE_UNREADABLE');
  }
  expect(await codeOf(() => openShare(keysOf(2), sealed, context))).toBe('SHARE_UNREADABLE');
  expect(await codeOf(() => openShare(keys, sealed, utf8ToBytes('for that')))).toBe('SHARE_UNREADABLE');
  for (const length of [0, 1, 31, 32, 47, 48, SEALED_SHARE_BYTES - 1]) {
    expect(await codeOf(() => openShare(keys, sealed.subarray(0, length), context))).toBe('SHARE_UNREADABLE');
  }
  const longer = new Uint8Array(SEALED_SHARE_BYTES + 1);
  longer.set(sealed);
  expect(await codeOf(() => openShare(keys, longer, context))).toBe('SHARE_UNREADABLE');
});

describe('low-order points, which make the shared secret all zeros for everyone', () => {
  // the points of order 1, 2, 4 and 8 and their non-canonical forms (https://cr.yp.to/ecdh.html#validate)
  const points = [
    '0x0000000000000000000000000000000000000000000000000000000000000000',
    '0x0100000000000000000000000000000000000000000000000000000000000000',
    '0xe0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '0x5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    '0xecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0xedffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0xeeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ] as const;
  test.each(points)('%s is refused as recipient and as ephemeral key', async (point) => {
    expect(await codeOf(() => sealShare(fromHex(point), plaintext, context))).toBe('KEY_WEAK');
    const sealed = sealShare(keys.publicKey, plaintext, context);
    sealed.set(fromHex(point));
    expect(await codeOf(() => openShare(keys, sealed, context))).toBe('SHARE_UNREADABLE');
  });
});

test('a key of another length is refused as weak', async () => {
  expect(await codeOf(() => sealShare(new Uint8Array(31).fill(9), plaintext, context))).toBe('KEY_WEAK');
  expect(generateSealingKeys(streamOf('x'))).toEqual(generateSealingKeys(streamOf('x')));
});
