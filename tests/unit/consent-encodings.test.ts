// Operations, subjects, log heads, records, quarters and grant rows: byte for byte against other implementations.
import { createHash } from 'node:crypto';
import { solidityPackedKeccak256 } from 'ethers';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { concatBytes, type Hex, toHex } from '../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import { encodeCanonicalJson } from '../../protocol/consent/canonical-json.ts';
import { grantsFor, grantsOfRows, rowsOfGrants, withoutScene } from '../../protocol/consent/grants.ts';
import { ZERO_WORD } from '../../protocol/consent/hex-schema.ts';
import { decodeEntry, EMPTY_LOG_HEAD, nextLogHead } from '../../protocol/consent/log.ts';
import {
  decodeOperation,
  encodeOperation,
  type Operation,
  operationHash,
  subjectOf,
} from '../../protocol/consent/operation.ts';
import { FIELD_ORDER, policyDigest } from '../../protocol/consent/policy.ts';
import { isoOfSeconds, quarterStart, roundExpiryDown, secondsOfIso } from '../../protocol/consent/quarter.ts';
import {
  type ConsentRecord,
  decodeRecord,
  encodeRecord,
  policyOfRecord,
  recordHash,
} from '../../protocol/consent/record.ts';
import { FIELD_CLASS_IDS, grantBit, SCENE_IDS } from '../../protocol/consent/scenes.ts';
import { customer, DEALER, faultOf, hash32, NOW, quotes, TRAINING } from './consent-world.ts';

const sha256 = (...parts: readonly Uint8Array[]): Hex => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return `0x${hash.digest('hex')}`;
};

const anna = customer('anna');
const submission = anna.submission(TRAINING);
const operation = decodeOperation(submission.operation);

describe('operation', () => {
  test('decodes to what was encoded, and its hash is the sha256 of the bytes', () => {
    expect(encodeOperation(operation)).toEqual(submission.operation);
    expect(toHex(operationHash(submission.operation))).toBe(sha256(submission.operation));
    expect(operation).toMatchObject({
      dealer: DEALER,
      seq: 1,
      oldDigest: 0n,
      recordHash: recordHash(submission.record),
    });
  });

  test('the subject is the packed keccak256 that a contract computes', () => {
    const types = ['bytes', 'bytes32', 'bytes32', 'address', 'bytes32'];
    const x = operation.publicKey.slice(0, 66);
    const y = `0x${operation.publicKey.slice(66)}`;
    const tag = new TextEncoder().encode('concordat/1/subject');
    expect(subjectOf(operation.publicKey, DEALER, operation.nonce)).toBe(
      solidityPackedKeccak256(types, [tag, x, y, DEALER, operation.nonce]),
    );
    expect(operation.subject).toBe(subjectOf(operation.publicKey, DEALER, operation.nonce));
  });

  test.each<[string, Partial<Operation>]>([
    ['a digest that equals the field order', { newDigest: FIELD_ORDER }],
    ['an old digest of 2^256-1', { oldDigest: 2n ** 256n - 1n }],
    ['sequence number 0', { seq: 0 }],
    ['a dealer of 19 bytes', { dealer: '0x00000000000000000000000000000000000000' }],
    ['a public key of 65 bytes', { publicKey: `${operation.publicKey}00` }],
  ])('[ENC-1] refuses %s', async (_, change) => {
    expect(await faultOf(() => decodeOperation(encodeOperation({ ...operation, ...change })))).toBe(
      'MESSAGE_MALFORMED',
    );
  });

  test('[ENC-1] refuses another encoding, a trailing byte, an unknown member, a missing one', async () => {
    const members = decodeCbor(submission.operation, z.record(z.string(), z.unknown()), 1000);
    const { nonce: _, ...without } = members;
    const malformed = [
      concatBytes(submission.operation, Uint8Array.of(0)),
      encodeCbor({ ...members, extra: 1 }),
      encodeCbor(without),
      encodeCbor({ ...members, v: 'concordat/2/operation' }),
      encodeCbor({ ...members, seq: 1.5 }),
      encodeCbor({ ...members, dealer: DEALER }),
    ];
    for (const bytes of malformed) expect(await faultOf(() => decodeOperation(bytes))).toBe('MESSAGE_MALFORMED');
    expect(await faultOf(() => decodeOperation(new Uint8Array(513)))).toBe('MESSAGE_TOO_LARGE');
  });
});

test('the log head chains operation and assertion hashes', () => {
  const decoded = decodeEntry(submission);
  const tag = new TextEncoder().encode('concordat/1/log');
  const once = sha256(tag, new Uint8Array(32), operationHash(submission.operation), hash(submission.assertion));
  expect(nextLogHead(EMPTY_LOG_HEAD, decoded)).toBe(once);
  const twice = nextLogHead(once, decoded);
  expect(twice).not.toBe(once);
});

const hash = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());

describe('record', () => {
  const record = decodeRecord(submission.record);

  test('is canonical JSON whose sha256 the operation carries', () => {
    expect(encodeRecord(record)).toEqual(submission.record);
    expect(recordHash(submission.record)).toBe(sha256(submission.record));
    expect(record.prev).toBe(ZERO_WORD);
  });

  test('says the policy that the digest hides', () => {
    const policy = policyOfRecord(record);
    expect(policy).toEqual(TRAINING);
    const { salt, digest } = quotes.quote(policy);
    expect(policyDigest(policy, salt)).toBe(digest);
    expect(digest).toBe(operation.newDigest);
  });

  test('the policy ends at the start of the quarter the customer named', () => {
    const until = isoOfSeconds(quarterStart(NOW, 4) + 40 * 86_400);
    expect(policyOfRecord({ ...record, validity: { ...record.validity, until } })).toEqual(TRAINING);
  });

  const bad: readonly (readonly [string, unknown])[] = [
    ['a row of 15 marks', { ...record, grants: { ...record.grants, 'lead-scoring': '-'.repeat(15) } }],
    ['a mark that is neither', { ...record, grants: { ...record.grants, 'lead-scoring': `?${'-'.repeat(15)}` } }],
    ['a scene left out', { ...record, grants: { 'lead-scoring': '-'.repeat(16) } }],
    ['a scene nobody knows', { ...record, grants: { ...record.grants, gossip: '-'.repeat(16) } }],
    ['paper that claims a passkey', { ...record, event: { ...record.event, method: 'paper' } }],
    ['a passkey that claims paper', { ...record, evidence: 'attested' }],
    [
      'an end before its beginning',
      { ...record, validity: { from: record.validity.until, until: record.validity.from } },
    ],
    ['31 February', { ...record, event: { ...record.event, time: '2026-02-31T00:00:00Z' } }],
    ['an accuracy floor over 100 %', { ...record, conditions: { ...record.conditions, accuracyFloorBps: 10_001 } }],
    ['a privacy cap over 20 bits', { ...record, conditions: { ...record.conditions, privacyCapMilli: 2 ** 20 } }],
    ['upper-case hex', { ...record, prev: `0x${'AB'.repeat(32)}` }],
    ['an unknown member', { ...record, extra: 1 }],
    ['another schema', { ...record, schema: 'concordat/2/consent-record' }],
  ];
  test.each(bad)('refuses %s', async (_, value) => {
    expect(await faultOf(() => decodeRecord(encodeCanonicalJson(value as ConsentRecord)))).toBe('MESSAGE_MALFORMED');
  });
});

describe('quarters', () => {
  test.each([
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z'],
    ['2026-03-31T23:59:59Z', '2026-01-01T00:00:00Z'],
    ['2026-04-01T00:00:00Z', '2026-04-01T00:00:00Z'],
    ['2026-12-31T23:59:59Z', '2026-10-01T00:00:00Z'],
    ['2028-02-29T12:00:00Z', '2028-01-01T00:00:00Z'],
  ])('%s is rounded down to %s', (time, start) => {
    expect(isoOfSeconds(roundExpiryDown(secondsOfIso(time)))).toBe(start);
  });

  test('counting on crosses years', () => {
    expect(isoOfSeconds(quarterStart(secondsOfIso('2026-11-05T00:00:00Z'), 1))).toBe('2027-01-01T00:00:00Z');
    expect(isoOfSeconds(quarterStart(secondsOfIso('2026-11-05T00:00:00Z'), -4))).toBe('2025-10-01T00:00:00Z');
  });
});

describe('grant rows', () => {
  test('every cell has its own bit', () => {
    for (const scene of SCENE_IDS) {
      for (const [i, fieldClass] of FIELD_CLASS_IDS.entries()) {
        const rows = rowsOfGrants(grantBit(scene, fieldClass));
        expect(rows[scene]).toBe(`${'-'.repeat(i)}+${'-'.repeat(15 - i)}`);
        expect(Object.values(rows).join('').replaceAll('-', '')).toBe('+');
        expect(grantsOfRows(rows)).toBe(grantBit(scene, fieldClass));
      }
    }
  });

  test('switching a scene off leaves the others', () => {
    const all = grantsFor(SCENE_IDS, FIELD_CLASS_IDS);
    expect(all).toBe(2n ** 192n - 1n);
    const rows = rowsOfGrants(withoutScene(all, 'model-training'));
    expect(rows['model-training']).toBe('-'.repeat(16));
    expect(rows['third-party-sharing']).toBe('+'.repeat(16));
  });
});

test('salts are 31 bytes, differ by policy and by dealer, and are the same for the same rules', async () => {
  const { createQuotes } = await import('../../edge-node/consent/quotes.ts');
  const other = createQuotes(hash32('another dealer'));
  const first = quotes.quote(TRAINING);
  expect(first.salt < 2n ** 248n).toBe(true);
  expect(createQuotes(hash32('dealer secret')).quote({ ...TRAINING })).toEqual(first);
  expect(other.quote(TRAINING).digest).not.toBe(first.digest);
});
