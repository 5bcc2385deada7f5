// The auditor's own signatures and passkeys, against the implementations that the rest of the house signs and checks with.
import { p256 } from '@noble/curves/nist.js';
import { describe, expect, test } from 'vitest';
import { recoverSigner } from '../../auditor/chain/signer.ts';
import { createBulkVerifier, verifyPasskey } from '../../auditor/passkey.ts';
import { recoverTypedStruct, signTypedStruct } from '../../engines/chain/typed-data.ts';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import {
  bytesToUint,
  concatBytes,
  fromHex,
  type Hex,
  sha256,
  toHex,
  uintToBytes,
  utf8ToBytes,
} from '../../protocol/bytes.ts';
import { P256_ORDER } from '../../protocol/consent/p256-signature.ts';
import type { StructName, StructValues } from '../../protocol/messages/typed-data.ts';
import { codeOf } from './secagg-fixtures.ts';

const KEY = toHex(sha256(utf8ToBytes('a party')));
const DOMAIN = { chainId: 11_155_111, federation: `0x${'a1'.repeat(20)}` } as const;
const address: Hex = `0x${'0b'.repeat(20)}`;
const hash = (n: number): Hex => `0x${n.toString(16).padStart(2, '0').repeat(32)}`;

const VALUES: StructValues = {
  Anchor: {
    ...{ dealer: address, epoch: Number.MAX_SAFE_INTEGER, bucketsRoot: hash(1), subjectsRoot: hash(2) },
    ...{ logHead: hash(3), operationCount: 0 },
  },
  Receipts: { dealer: address, root: hash(4) },
  Upload: { dealer: address, round: 7, attempt: 4_294_967_295, payloadHash: hash(5), sharesRoot: hash(6) },
  Opening: { dealer: address, round: 7, attempt: 1, packageHash: hash(7) },
  Answer: { keyHolder: address, round: 7, setHash: hash(8), aggregateHash: hash(9), answerHash: hash(10) },
  Vouch: { keyHolder: address, round: 7, vouchesHash: hash(11) },
  Fingerprint: { dealer: address, round: 7, aggregateHash: hash(12), fingerprint: '0x' },
  Hello: { party: address, issuedAtMs: 1_780_000_000_000, nonce: hash(13) },
};

describe('who signed a struct', () => {
  test.each(Object.keys(VALUES) as StructName[])('%s: the same address as ethers recovers', (name) => {
    const signature = signTypedStruct(KEY, DOMAIN, name, VALUES[name]);
    const signer = recoverTypedStruct(DOMAIN, name, VALUES[name], signature);
    expect(recoverSigner(DOMAIN, name, VALUES[name], signature)).toBe(signer);
    expect(recoverSigner({ ...DOMAIN, chainId: 1 }, name, VALUES[name], signature)).not.toBe(signer);
  });

  const good = signTypedStruct(KEY, DOMAIN, 'Receipts', VALUES.Receipts);
  const body = good.slice(0, -2);
  const SECP256K1_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const s = bytesToUint(fromHex(`0x${body.slice(66)}`));
  const high = toHex(uintToBytes(SECP256K1_ORDER - s, 32)).slice(2);
  test.each([
    ['v as 0', `${body}00`],
    ['64 bytes', body],
    ['a byte more', `${good}00`],
    ['r of zero', `0x${'00'.repeat(32)}${good.slice(66)}`],
    ['s in its upper half', `${body.slice(0, 66)}${high}${good.endsWith('1b') ? '1c' : '1b'}`],
    ['capitals', `0x${good.slice(2).toUpperCase()}`],
  ])('refuses %s, as the contract does', async (_, signature) => {
    const code = await codeOf(() => recoverSigner(DOMAIN, 'Receipts', VALUES.Receipts, signature as Hex));
    expect(code).toBe('SIGNATURE_INVALID');
  });

  test.each([
    ['a number that its type does not hold', { ...VALUES.Upload, attempt: 2 ** 32 }],
    ['a number below zero', { ...VALUES.Upload, round: -1 }],
    ['a hash of 31 bytes', { ...VALUES.Upload, payloadHash: hash(5).slice(0, -2) as Hex }],
    ['an address of 32', { ...VALUES.Upload, dealer: hash(1) }],
  ])('refuses to hash %s', async (_, values) => {
    expect(await codeOf(() => recoverSigner(DOMAIN, 'Upload', values, good))).toBe('MESSAGE_MALFORMED');
  });
});

describe('a passkey’s signature', () => {
  const secret = sha256(utf8ToBytes('a passkey'));
  const publicKey = toHex(p256.getPublicKey(secret, false).subarray(1));
  const message = utf8ToBytes('what the customer signs');
  const signature = p256.sign(message, secret, { lowS: true });
  const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
  const highS = concatBytes(r, uintToBytes(P256_ORDER - bytesToUint(s), 32));
  const flip = (bytes: Uint8Array) => bytes.map((byte, i) => (i === 9 ? byte ^ 1 : byte));

  test.each<[string, boolean, Hex, Uint8Array, Uint8Array]>([
    ['as it was made', true, publicKey, message, signature],
    ['another message', false, publicKey, flip(message), signature],
    ['another signature', false, publicKey, message, flip(signature)],
    ['the other form of it', false, publicKey, message, highS],
    ['s of zero', false, publicKey, message, concatBytes(r, new Uint8Array(32))],
    ['r of the order', false, publicKey, message, concatBytes(uintToBytes(P256_ORDER, 32), s)],
    ['a byte less', false, publicKey, message, signature.subarray(1)],
    ['a key off the curve', false, toHex(flip(fromHex(publicKey))), message, signature],
    ['a key of half the length', false, publicKey.slice(0, 66) as Hex, message, signature],
    ['a key of zeros', false, `0x${'00'.repeat(64)}`, message, signature],
    ['no key', false, '0x', message, signature],
  ])('%s: noble and OpenSSL agree', (_, holds, key, signed, bytes) => {
    expect([verifyPasskey(key, signed, bytes), verifyPasskeySignature(key, signed, bytes)]).toEqual([holds, holds]);
  });

  test('of many: an OpenSSL that takes anything is found out at the first, and at the seventeenth', () => {
    const lenient = createBulkVerifier(() => true);
    expect(() => lenient(publicKey, flip(message), signature)).toThrow('PROCESS_FAILED');
    for (let i = 0; i < 15; i++) expect(lenient(publicKey, flip(message), signature)).toBe(true);
    expect(() => lenient(publicKey, flip(message), signature)).toThrow('PROCESS_FAILED');
    expect(createBulkVerifier()(publicKey, message, highS)).toBe(false);
  });
});
