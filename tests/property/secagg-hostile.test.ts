// Secure aggregation on hostile bytes: nothing malformed reaches an engine, nothing crashes, nothing grows.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openShare } from '../../engines/keys/sealing.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { equalBytes } from '../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import {
  answerMessage,
  answerRequest,
  MAX_ANSWER_BYTES,
  MAX_ANSWER_REQUEST_BYTES,
} from '../../protocol/messages/answer.ts';
import { fingerprintMessage, MAX_FINGERPRINT_MESSAGE_BYTES } from '../../protocol/messages/fingerprint.ts';
import { MAX_UPLOAD_MESSAGE_BYTES, uploadMessage } from '../../protocol/messages/upload.ts';
import { MAX_VOUCH_BYTES, MAX_VOUCH_REQUEST_BYTES, vouchMessage, vouchRequest } from '../../protocol/messages/vouch.ts';
import { LIMITS, SECAGG } from '../../protocol/params.ts';
import { FINGERPRINT_BYTES, fingerprintsAddUp } from '../../protocol/secagg/fingerprint.ts';
import { decodeTestValue, TEST_VALUE_BYTES } from '../../protocol/secagg/linear-test.ts';
import { decodePayload } from '../../protocol/secagg/payload.ts';
import { ANSWER_BYTES, decodeAnswer, decodeShare } from '../../protocol/secagg/shamir.ts';
import { SEALED_SHARE_BYTES } from '../../protocol/secagg/shares.ts';
import { addressOf, keysOf } from '../unit/secagg-fixtures.ts';
import { messageMutation, mutateBytes, mutateMessage } from './mutations.ts';
import type { FuzzReport } from './payload-fuzz-child.ts';

const runs = (numRuns: number) => ({ numRuns, seed: 20_240_611, endOnFailure: true });
const MINUTE = 60_000;

describe('payloads', () => {
  const FUZZ = fileURLToPath(new URL('./payload-fuzz-child.ts', import.meta.url));

  test('100,000 mutated ones: refused for what is wrong, or exactly what they say; the sum of the honest stays', {
    timeout: 4 * MINUTE,
  }, async () => {
    const flags = ['--expose-gc', '--import', import.meta.resolve('tsx'), FUZZ];
    const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: PACKAGE_ROOT });
    const report = JSON.parse(stdout) as FuzzReport;
    expect(report).toMatchObject({ sumIsTrue: true, honestUntouched: true });
    expect(report.refused + report.taken + report.unchanged).toBe(100_000);
    expect(report.refused).toBeGreaterThan(40_000);
    expect(report.taken).toBeGreaterThan(10_000);
    expect(report.unchanged).toBeLessThan(5_000);
    // a leak of one block per payload would be 3.7 GB
    expect(report.heapGrowth).toBeLessThan(16 * 2 ** 20);
    expect(report.rssGrowth).toBeLessThan(128 * 2 ** 20);
  });
});

function refusalOf(run: () => void): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('messages', () => {
  const hash = `0x${'ab'.repeat(32)}`;
  const signature = `0x${'cd'.repeat(65)}`;
  const [dealer, keyHolder] = [addressOf('d'), addressOf('k')];
  const share = { dealer, sealedShare: new Uint8Array(SEALED_SHARE_BYTES), shareHashes: [hash, hash], signature };
  const vouch = { dealer, attempt: 1, payloadHash: hash, sharesRoot: hash, value: new Uint8Array(TEST_VALUE_BYTES) };
  const upload = { dealer, round: 7, attempt: 1, payloadHash: hash, sealedShares: [share.sealedShare], signature };
  const fingerprint = { dealer, fingerprint: new Uint8Array(FINGERPRINT_BYTES), signature };
  const answer = new Uint8Array(ANSWER_BYTES);
  /** What each door takes: a schema, its limit, and a message that passes. */
  const DOORS = [
    ['upload', uploadMessage, MAX_UPLOAD_MESSAGE_BYTES, upload],
    ['vouch-request', vouchRequest, MAX_VOUCH_REQUEST_BYTES, { round: 7, shares: [share] }],
    [
      'vouch',
      vouchMessage,
      MAX_VOUCH_BYTES,
      { keyHolder, index: 1, round: 7, vouches: [vouch, { ...vouch, value: null }], signature },
    ],
    [
      'fingerprint',
      fingerprintMessage,
      MAX_FINGERPRINT_MESSAGE_BYTES,
      { ...fingerprint, round: 7, aggregateHash: hash },
    ],
    [
      'answer-request',
      answerRequest,
      MAX_ANSWER_REQUEST_BYTES,
      { round: 7, aggregateHash: hash, shares: [share], fingerprints: [fingerprint] },
    ],
    [
      'answer',
      answerMessage,
      MAX_ANSWER_BYTES,
      { keyHolder, index: 1, round: 7, setHash: hash, aggregateHash: hash, answer, signature },
    ],
  ] as const;

  test.each(DOORS)('a mutated %s is refused by name, or is one, in its only encoding', (name, schema, most, fields) => {
    const valid = { v: `concordat/1/${name}`, ...fields };
    expect(decodeCbor(encodeCbor(valid), schema, most)).toEqual(valid);
    const count = { refused: 0, taken: 0 };
    fc.assert(
      fc.property(fc.array(messageMutation, { minLength: 1, maxLength: 3 }), (mutations) => {
        const message: Record<string, unknown> = structuredClone(valid);
        for (const mutation of mutations) mutateMessage(message, mutation);
        const bytes = mutations.reduce(mutateBytes, encodeCbor(message));
        try {
          const decoded = decodeCbor(bytes, schema, most);
          expect(equalBytes(encodeCbor(decoded), bytes)).toBe(true);
          count.taken += 1;
        } catch (error) {
          const typed = error instanceof ConcordatError;
          if (!typed || !['MESSAGE_MALFORMED', 'MESSAGE_TOO_LARGE'].includes(error.code)) throw error;
          count.refused += 1;
        }
      }),
      runs(3_400),
    );
    expect(count.refused).toBeGreaterThan(2_000);
    expect(count.refused + count.taken).toBe(3_400);
  });

  test('nesting as deep as a reader’s stack, at every depth on the way, is malformed', () => {
    for (const unit of [[0x81], [0xa1, 0x61, 0x61]]) {
      for (let depth = 64; depth < 60_000; depth = Math.ceil(depth * 1.09)) {
        const bytes = new Uint8Array(unit.length * depth + 1).map((_, i) => unit[i % unit.length] ?? 0);
        bytes[bytes.length - 1] = 0;
        const refusal = refusalOf(() => decodeCbor(bytes, uploadMessage, MAX_UPLOAD_MESSAGE_BYTES));
        expect(refusal).toMatchObject({ code: 'MESSAGE_MALFORMED' });
      }
    }
  });

  test('random bytes are no payload, share, answer, test value, fingerprint or message', () => {
    const keys = keysOf(1);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const parse of [
          () => decodePayload(bytes, 1),
          () => decodeShare(bytes),
          () => decodeAnswer(bytes),
          () => openShare(keys, bytes, new Uint8Array()),
          ...DOORS.map(
            ([, schema, most]) =>
              () =>
                decodeCbor(bytes, schema, most),
          ),
        ]) {
          expect(parse).toThrow(ConcordatError);
        }
        // these two are short enough to be hit by chance: then they must be in range
        for (const parse of [() => decodeTestValue(bytes), () => fingerprintsAddUp([], bytes)]) {
          const refusal = refusalOf(parse);
          if (refusal === undefined) expect([TEST_VALUE_BYTES, FINGERPRINT_BYTES]).toContain(bytes.length);
          else expect(refusal).toMatchObject({ code: 'MESSAGE_MALFORMED' });
        }
      }),
      runs(2_000),
    );
  });

  test('the largest federation’s messages are within every door’s limit', () => {
    const all = <T>(item: T, count: number): T[] => new Array<T>(count).fill(item);
    const shares = all({ ...share, shareHashes: all(hash, LIMITS.maxKeyHolders) }, SECAGG.maxDealers);
    const late = { round: 2 ** 48, attempt: 2 ** 32 - 1 };
    const largest = {
      upload: { ...upload, ...late, sealedShares: all(share.sealedShare, LIMITS.maxKeyHolders) },
      'vouch-request': { round: late.round, shares },
      vouch: {
        keyHolder,
        index: 32,
        round: late.round,
        vouches: all({ ...vouch, attempt: late.attempt }, SECAGG.maxDealers),
        signature,
      },
      fingerprint: { ...fingerprint, round: late.round, aggregateHash: hash },
      'answer-request': {
        round: late.round,
        aggregateHash: hash,
        shares,
        fingerprints: all(fingerprint, SECAGG.maxDealers),
      },
      answer: { keyHolder, index: 32, round: late.round, setHash: hash, aggregateHash: hash, answer, signature },
    };
    for (const [name, schema, most] of DOORS) {
      const bytes = encodeCbor({ v: `concordat/1/${name}`, ...largest[name] });
      expect(bytes.length).toBeLessThanOrEqual(most);
      // and not so far within that a limit means nothing
      expect(2 * bytes.length).toBeGreaterThan(name === 'fingerprint' ? 0 : most);
      expect(() => decodeCbor(bytes, schema, most)).not.toThrow();
    }
  });
});
