// [CON-1]: a WebAuthn assertion counts only when every part of it is right.
import { Buffer } from 'node:buffer';
import { createPrivateKey, generateKeyPairSync, sign as nodeSign } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { describe, expect, test } from 'vitest';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import { createSoftwarePasskey } from '../../engines/keys/software-passkey.ts';
import { bytesToUint, concatBytes, type Hex, sha256, toHex, uintToBytes } from '../../protocol/bytes.ts';
import {
  type Assertion,
  base64url,
  decodeAssertion,
  encodeAssertion,
  signedMessage,
  verifyAssertion,
} from '../../protocol/consent/assertion.ts';
import { isLowSSignature, P256_ORDER, signatureFromDer, toLowS } from '../../protocol/consent/p256-signature.ts';
import { faultOf, hash32, hexToBuffer, ORIGIN, RELYING_PARTY, utf8 } from './consent-world.ts';

const challenge = hash32('an operation');
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = privateKey.export({ format: 'jwk' });
const publicKey: Hex = `0x${Buffer.from(`${jwk.x}`, 'base64url').toString('hex')}${Buffer.from(`${jwk.y}`, 'base64url').toString('hex')}`;

const FLAGS = 0x05;
const authenticatorData = (rpId: string, flags: number, tail = new Uint8Array()): Uint8Array =>
  concatBytes(sha256(utf8(rpId)), Uint8Array.of(flags), new Uint8Array(4), tail);
const clientData = (change: Record<string, unknown> = {}): Uint8Array =>
  utf8(
    JSON.stringify({
      type: 'webauthn.get',
      challenge: base64url(challenge),
      origin: ORIGIN,
      crossOrigin: false,
      ...change,
    }),
  );

/** A signature that is valid over whatever is given: only the rule under test can refuse it. */
function assertionOf(data: Uint8Array, json: Uint8Array): Assertion {
  const unsigned = { authenticatorData: data, clientDataJSON: json };
  const raw = nodeSign('sha256', signedMessage(unsigned), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return { ...unsigned, signature: toLowS(new Uint8Array(raw)) };
}

const good = assertionOf(authenticatorData(RELYING_PARTY.rpId, FLAGS), clientData());
const check = (assertion: Assertion, key: Hex = publicKey) =>
  faultOf(() => verifyAssertion(assertion, challenge, key, RELYING_PARTY, verifyPasskeySignature));

describe('[CON-1] assertion', () => {
  test('a good one passes, also with backup flags, extensions and what browsers add to the client data', async () => {
    expect(await check(good)).toBe('no error');
    const withMore = clientData({ other_keys_can_be_added_here: 'do not compare clientDataJSON against a template' });
    expect(await check(assertionOf(authenticatorData(RELYING_PARTY.rpId, 0x1d), withMore))).toBe('no error');
    const extended = authenticatorData(RELYING_PARTY.rpId, FLAGS | 0x80, Uint8Array.of(0xa0));
    expect(await check(assertionOf(extended, clientData()))).toBe('no error');
  });

  const json = (text: string) => utf8(text);
  test.each<[string, string, Uint8Array, Uint8Array]>([
    ['a registration', 'type', authenticatorData(RELYING_PARTY.rpId, FLAGS), clientData({ type: 'webauthn.create' })],
    [
      'another challenge',
      'challenge',
      authenticatorData(RELYING_PARTY.rpId, FLAGS),
      clientData({ challenge: base64url(hash32('other')) }),
    ],
    [
      'a challenge in base64 with padding',
      'challenge',
      authenticatorData(RELYING_PARTY.rpId, FLAGS),
      clientData({ challenge: Buffer.from(challenge).toString('base64') }),
    ],
    [
      'another origin',
      'origin',
      authenticatorData(RELYING_PARTY.rpId, FLAGS),
      clientData({ origin: 'https://evil.example' }),
    ],
    [
      'the origin as a prefix',
      'origin',
      authenticatorData(RELYING_PARTY.rpId, FLAGS),
      clientData({ origin: `${ORIGIN}.evil.example` }),
    ],
    [
      'a frame in another page',
      'origin',
      authenticatorData(RELYING_PARTY.rpId, FLAGS),
      clientData({ crossOrigin: true }),
    ],
    ['no JSON', 'type', authenticatorData(RELYING_PARTY.rpId, FLAGS), json('{')],
    ['JSON null', 'type', authenticatorData(RELYING_PARTY.rpId, FLAGS), json('null')],
    [
      'a type said twice',
      'type',
      authenticatorData(RELYING_PARTY.rpId, FLAGS),
      json(`{"type":"webauthn.create",${new TextDecoder().decode(clientData()).slice(1)}`),
    ],
    [
      'members in another order',
      'type',
      authenticatorData(RELYING_PARTY.rpId, FLAGS),
      json(JSON.stringify({ origin: ORIGIN, challenge: base64url(challenge), type: 'webauthn.get' })),
    ],
    ['another relying party', 'rp-id', authenticatorData('dealer.example', FLAGS), clientData()],
    ['nobody present', 'user-present', authenticatorData(RELYING_PARTY.rpId, 0x04), clientData()],
    ['nobody verified', 'user-verified', authenticatorData(RELYING_PARTY.rpId, 0x01), clientData()],
    ['backed up but not eligible for it', 'flags', authenticatorData(RELYING_PARTY.rpId, 0x15), clientData()],
    ['attested credential data', 'flags', authenticatorData(RELYING_PARTY.rpId, 0x45), clientData()],
    [
      'a tail without its flag',
      'flags',
      authenticatorData(RELYING_PARTY.rpId, FLAGS, Uint8Array.of(0xa0)),
      clientData(),
    ],
    ['a flag without its tail', 'flags', authenticatorData(RELYING_PARTY.rpId, 0x85), clientData()],
  ])('%s is refused for its %s', async (_, fault, data, client) => {
    expect(await check(assertionOf(data, client))).toBe(`PASSKEY_REFUSED ${fault}`);
  });

  test('a high s is refused though it verifies mathematically', async () => {
    const { signature } = good;
    const s = bytesToUint(signature.subarray(32));
    const twin = concatBytes(signature.subarray(0, 32), uintToBytes(P256_ORDER - s, 32));
    expect(p256.verify(twin, signedMessage(good), hexToBuffer(`0x04${publicKey.slice(2)}`), { lowS: false })).toBe(
      true,
    );
    expect(await check({ ...good, signature: twin })).toBe('PASSKEY_REFUSED high-s');
    expect(verifyPasskeySignature(publicKey, signedMessage(good), twin)).toBe(false);
  });

  test('r or s of zero, or of the group order, is refused', async () => {
    const zero = new Uint8Array(32);
    const [r, s] = [good.signature.subarray(0, 32), good.signature.subarray(32)];
    for (const signature of [concatBytes(zero, s), concatBytes(r, zero), concatBytes(uintToBytes(P256_ORDER, 32), s)]) {
      expect(await check({ ...good, signature })).toBe('PASSKEY_REFUSED high-s');
    }
  });

  test('another key, a changed byte and a point off the curve do not verify', async () => {
    const stranger = createSoftwarePasskey({ rpId: RELYING_PARTY.rpId, origin: ORIGIN }).publicKey;
    const offCurve: Hex = `${publicKey.slice(0, -2)}${publicKey.endsWith('00') ? '01' : '00'}` as Hex;
    const counted = good.authenticatorData.with(36, 1);
    expect(await check(good, stranger)).toBe('PASSKEY_REFUSED signature');
    expect(await check({ ...good, authenticatorData: counted })).toBe('PASSKEY_REFUSED signature');
    expect(await check(good, offCurve)).toBe('PASSKEY_REFUSED signature');
    expect(await check(good, `0x${'00'.repeat(64)}`)).toBe('PASSKEY_REFUSED signature');
    expect(await check(good, `0x${'ff'.repeat(64)}`)).toBe('PASSKEY_REFUSED signature');
  });
});

describe('assertion CBOR', () => {
  test('round trip', () => {
    expect(decodeAssertion(encodeAssertion(good))).toEqual(good);
  });
  test('[ENC-1] refuses a DER signature, short authenticator data, too much of anything', async () => {
    const malformed = [
      { ...good, signature: good.signature.subarray(1) },
      { ...good, authenticatorData: good.authenticatorData.subarray(1) },
    ];
    for (const assertion of malformed) {
      expect(await faultOf(() => decodeAssertion(encodeAssertion(assertion)))).toBe('MESSAGE_MALFORMED');
    }
    const long = { ...good, clientDataJSON: new Uint8Array(2048) };
    expect(await faultOf(() => decodeAssertion(encodeAssertion(long)))).toBe('MESSAGE_TOO_LARGE');
  });
});

describe('signatures', () => {
  test('the software passkey signs what another P-256 implementation accepts, always with a low s', () => {
    const passkey = createSoftwarePasskey({ rpId: RELYING_PARTY.rpId, origin: ORIGIN, seed: hash32('seed') });
    for (let i = 0; i < 20; i++) {
      const assertion = passkey.sign(hash32(`challenge ${i}`));
      expect(isLowSSignature(assertion.signature)).toBe(true);
      const point = hexToBuffer(`0x04${passkey.publicKey.slice(2)}`);
      expect(p256.verify(assertion.signature, signedMessage(assertion), point)).toBe(true);
      expect(verifyPasskeySignature(passkey.publicKey, signedMessage(assertion), assertion.signature)).toBe(true);
    }
    const again = createSoftwarePasskey({ rpId: 'x', origin: 'y', seed: hash32('seed') });
    expect(again.publicKey).toBe(passkey.publicKey);
  });

  test('what an authenticator returns (DER) becomes the same r, with the lower s', () => {
    const key = createPrivateKey({ key: jwk, format: 'jwk' });
    for (let i = 0; i < 40; i++) {
      const message = utf8(`message ${i}`);
      const der = new Uint8Array(nodeSign('sha256', message, { key, dsaEncoding: 'der' }));
      const raw = signatureFromDer(der);
      expect(isLowSSignature(raw)).toBe(true);
      expect(verifyPasskeySignature(publicKey, message, raw)).toBe(true);
    }
  });

  test.each([
    ['nothing', ''],
    ['a set', '3106020101020101'],
    ['a trailing byte', '300602010102010100'],
    ['a length that lies', '3007020101020101'],
    ['a negative integer', '3006020181020101'],
    ['a padded integer', '300702020001020101'],
    ['an empty integer', '30050200020101'],
    ['a third integer', '3009020101020101020101'],
    ['an integer cut short', '3006020101020201'],
  ])('DER: %s is refused', async (_, hex) => {
    expect(await faultOf(() => signatureFromDer(hexToBuffer(`0x${hex}`)))).toBe('PASSKEY_REFUSED malformed');
  });

  test('base64url is that of RFC 4648 section 5', () => {
    for (let length = 0; length < 40; length++) {
      const bytes = hash32(`${length}`).subarray(0, length % 33);
      expect(base64url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
    }
    expect(toHex(challenge)).toHaveLength(66);
  });
});
