// Sealed shares: the key encapsulation against noble's and the draft's, and everything that must not open.
import { readFileSync } from 'node:fs';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { shake128 } from '@noble/hashes/sha3.js';
import { ml_kem768_x25519 as nobleXWing } from '@noble/post-quantum/hybrid.js';
import { describe, expect, test } from 'vitest';
import { forgetKeys, generateSealingKeys, openShare, sealingKeysFrom, sealShare } from '../../engines/keys/sealing.ts';
import { decapsulate, encapsulate, expandSeed } from '../../engines/keys/xwing.ts';
import { concatBytes, fromHex, type Hex, sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { SHARE_BYTES } from '../../protocol/secagg/shamir.ts';
import {
  ENCAPSULATION_BYTES,
  SEALED_SHARE_BYTES,
  SEALING_KEY_BYTES,
  shareAssociatedData,
} from '../../protocol/secagg/shares.ts';

interface Vectors {
  readonly xwing: readonly {
    readonly seed: Hex;
    readonly encapsulationSeed: Hex;
    readonly publicKeySha256: Hex;
    readonly ciphertextSha256: Hex;
    readonly secret: Hex;
  }[];
  readonly sealedShare: {
    readonly seed: Hex;
    readonly encapsulationSeed: Hex;
    readonly plaintextSha256: Hex;
    readonly context: {
      readonly chainId: number;
      readonly ledger: Hex;
      readonly round: number;
      readonly attempt: number;
      readonly dealer: Hex;
      readonly payloadHash: Hex;
    };
    readonly keyHolderIndex: number;
    readonly key: Hex;
    readonly sealed: Hex;
  };
}

const vectors = JSON.parse(
  readFileSync(new URL('../../protocol/vectors/sealed-share.json', import.meta.url), 'utf8'),
) as Vectors;

/** Deterministic bytes. */
const bytesOf = (label: string, length: number) => shake128(utf8ToBytes(label), { dkLen: length });
const keysOf = (label: string) => sealingKeysFrom(bytesOf(label, 32));
const fixed = (seed: Uint8Array) => (bytes: Uint8Array) => {
  bytes.set(seed);
};
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
  return 'nothing thrown';
};

const keys = keysOf('recipient');
const context = utf8ToBytes('for this');
const plaintext = new Uint8Array(SHARE_BYTES).map((_, i) => i % 251);

describe('X-Wing', () => {
  test.each(vectors.xwing)('the draft\u2019s vector $seed', (vector) => {
    const key = expandSeed(fromHex(vector.seed));
    const { ciphertext, secret } = encapsulate(key.publicKey, fromHex(vector.encapsulationSeed));
    expect(toHex(sha256(key.publicKey))).toBe(vector.publicKeySha256);
    expect(toHex(sha256(ciphertext))).toBe(vector.ciphertextSha256);
    expect(toHex(secret)).toBe(vector.secret);
    expect(toHex(decapsulate(key, ciphertext))).toBe(vector.secret);
  });

  test('noble opens what we encapsulate, and we open what noble does', () => {
    for (let i = 0; i < 8; i++) {
      const seed = bytesOf(`seed ${i}`, 32);
      const [ours, noble] = [expandSeed(seed), nobleXWing.keygen(seed)];
      expect(ours.publicKey).toEqual(noble.publicKey);
      const there = encapsulate(noble.publicKey, bytesOf(`there ${i}`, 64));
      expect(nobleXWing.decapsulate(there.ciphertext, noble.secretKey)).toEqual(there.secret);
      const back = nobleXWing.encapsulate(ours.publicKey, bytesOf(`back ${i}`, 64));
      expect(decapsulate(ours, back.cipherText)).toEqual(back.sharedSecret);
      const same = nobleXWing.encapsulate(noble.publicKey, bytesOf(`there ${i}`, 64));
      expect(same.cipherText).toEqual(there.ciphertext);
    }
  });

  test('a bit flipped in either half gives noble\u2019s secret too, and never the sealed one (implicit rejection)', () => {
    const seed = bytesOf('rejection', 32);
    const [ours, noble] = [expandSeed(seed), nobleXWing.keygen(seed)];
    const { ciphertext, secret } = encapsulate(ours.publicKey, bytesOf('rejected', 64));
    for (const at of [0, 500, ENCAPSULATION_BYTES - 33, ENCAPSULATION_BYTES - 32, ENCAPSULATION_BYTES - 2]) {
      const bad = ciphertext.slice();
      bad[at] = (bad[at] ?? 0) ^ 1;
      const got = decapsulate(ours, bad);
      expect(got).toEqual(nobleXWing.decapsulate(bad, noble.secretKey));
      expect(got).not.toEqual(secret);
    }
  });
});

describe('a sealed share', () => {
  test('the frozen vector, from noble\u2019s X-Wing: sealed to the byte, and opened', () => {
    const { seed, encapsulationSeed, plaintextSha256, context: of, keyHolderIndex, sealed } = vectors.sealedShare;
    const own = sealingKeysFrom(fromHex(seed));
    const data = shareAssociatedData(of, keyHolderIndex);
    const share = openShare(own, fromHex(sealed), data);
    expect(toHex(sha256(share))).toBe(plaintextSha256);
    expect(toHex(sealShare(own.publicKey, share, data, fixed(fromHex(encapsulationSeed))))).toBe(sealed);
  });

  test('a second implementation, from the text of the spec alone, opens it', async () => {
    const sealed = sealShare(keys.publicKey, plaintext, context);
    const ciphertext = sealed.slice(0, ENCAPSULATION_BYTES);
    const secret = nobleXWing.decapsulate(ciphertext, keys.privateKey);
    const salt = nobleSha256(concatBytes(ciphertext, keys.publicKey));
    const raw = new Uint8Array(hkdf(nobleSha256, secret, salt, utf8ToBytes('concordat/1/share'), 32));
    const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['decrypt']);
    const algorithm = { name: 'AES-GCM', iv: new Uint8Array(12), additionalData: new Uint8Array(context) };
    const opened = await crypto.subtle.decrypt(algorithm, key, sealed.slice(ENCAPSULATION_BYTES));
    expect(new Uint8Array(opened)).toEqual(plaintext);
  });

  test('opens to what was sealed; every sealing is fresh', () => {
    const sealed = sealShare(keys.publicKey, plaintext, context);
    expect(keys.publicKey).toHaveLength(SEALING_KEY_BYTES);
    expect(sealed).toHaveLength(SEALED_SHARE_BYTES);
    expect(openShare(keys, sealed, context)).toEqual(plaintext);
    const again = sealShare(keys.publicKey, plaintext, context);
    expect(again.subarray(0, 32)).not.toEqual(sealed.subarray(0, 32));
    expect(again.subarray(-32)).not.toEqual(sealed.subarray(-32));
  });

  test('an empty plaintext is a ciphertext and a tag, and opens', () => {
    const sealed = sealShare(keys.publicKey, new Uint8Array(), context);
    expect(sealed).toHaveLength(ENCAPSULATION_BYTES + 16);
    expect(openShare(keys, sealed, context)).toHaveLength(0);
  });

  const PARTS = [
    0,
    1_087,
    1_088,
    1_118,
    1_120,
    5_000,
    SEALED_SHARE_BYTES - 17,
    SEALED_SHARE_BYTES - 16,
    SEALED_SHARE_BYTES - 1,
  ];
  test.each(PARTS)('with byte %i flipped it is unreadable', (at) => {
    const bad = sealShare(keys.publicKey, plaintext, context);
    bad[at] = (bad[at] ?? 0) ^ 1;
    expect(codeOf(() => openShare(keys, bad, context))).toBe('SHARE_UNREADABLE');
  });

  test('even where X25519 does not see the flip: the top bit of its key is bound as well', () => {
    const bad = sealShare(keys.publicKey, plaintext, context);
    bad[ENCAPSULATION_BYTES - 1] = (bad[ENCAPSULATION_BYTES - 1] ?? 0) ^ 0x80;
    expect(codeOf(() => openShare(keys, bad, context))).toBe('SHARE_UNREADABLE');
  });

  test('for another recipient, in another context, cut or longer it is unreadable', () => {
    const sealed = sealShare(keys.publicKey, plaintext, context);
    expect(codeOf(() => openShare(keysOf('another'), sealed, context))).toBe('SHARE_UNREADABLE');
    expect(codeOf(() => openShare(keys, sealed, utf8ToBytes('for that')))).toBe('SHARE_UNREADABLE');
    for (const length of [0, 1, 1_119, 1_120, 1_135, 1_136, SEALED_SHARE_BYTES - 1]) {
      expect(codeOf(() => openShare(keys, sealed.subarray(0, length), context))).toBe('SHARE_UNREADABLE');
    }
    expect(codeOf(() => openShare(keys, concatBytes(sealed, Uint8Array.of(0)), context))).toBe('SHARE_UNREADABLE');
  });

  test('keys that were forgotten open nothing, and their seed is overwritten', () => {
    const seed = bytesOf('forgotten', 32);
    const own = sealingKeysFrom(seed);
    const sealed = sealShare(own.publicKey, plaintext, context);
    forgetKeys(own);
    expect(codeOf(() => openShare(own, sealed, context))).toBe('SHARE_UNREADABLE');
    expect(seed).toEqual(new Uint8Array(32));
  });
});

describe('low-order points, which make X25519\u2019s part all zeros for everyone', () => {
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
  test.each(points)('%s is refused as recipient and as ephemeral key', (point) => {
    const weak = keys.publicKey.slice();
    weak.set(fromHex(point), SEALING_KEY_BYTES - 32);
    expect(codeOf(() => sealShare(weak, plaintext, context))).toBe('KEY_WEAK');
    const sealed = sealShare(keys.publicKey, plaintext, context);
    sealed.set(fromHex(point), ENCAPSULATION_BYTES - 32);
    expect(codeOf(() => openShare(keys, sealed, context))).toBe('SHARE_UNREADABLE');
  });
});

test('a key of another length, and one with a coefficient beyond ML-KEM\u2019s modulus, are refused as weak', () => {
  for (const length of [0, 32, 1_184, 1_215, 1_217]) {
    expect(codeOf(() => sealShare(new Uint8Array(length).fill(9), plaintext, context))).toBe('KEY_WEAK');
  }
  const beyond = keys.publicKey.slice();
  beyond.fill(255, 0, 3);
  expect(codeOf(() => sealShare(beyond, plaintext, context))).toBe('KEY_WEAK');
});

test('a pair of keys follows from its random bytes alone', () => {
  const seed = bytesOf('seed', 32);
  expect(generateSealingKeys(fixed(seed))).toEqual(sealingKeysFrom(seed));
  expect(generateSealingKeys().privateKey).not.toEqual(generateSealingKeys().privateKey);
});
