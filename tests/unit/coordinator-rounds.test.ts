// Whom a round waits for, and which uploads count.
import { expect, test } from 'vitest';
import { createUploads } from '../../coordinator/rounds/uploads.ts';
import { awaited } from '../../coordinator/rounds/waiting.ts';
import type { Hex } from '../../protocol/bytes.ts';

const dealer = (n: number): Hex => `0x${String(n).padStart(40, '0')}`;
const nobody: ReadonlySet<Hex> = new Set();

test('a dealer is awaited until it is in, declines, or has been away for three seconds', () => {
  const expected = new Set([1, 2, 3, 4, 5].map(dealer));
  const attendance = {
    expected,
    committed: new Set([dealer(1)]),
    declined: new Set([dealer(2)]),
    absentSinceMs: new Map([
      [dealer(3), 7_001],
      [dealer(4), 7_000],
    ]),
  };
  expect(awaited(attendance, 10_000)).toEqual([dealer(3), dealer(5)]);
  expect(awaited({ ...attendance, committed: expected, declined: nobody }, 10_000)).toEqual([]);
});

test('an upload counts only for the commit with its very hashes and attempt', () => {
  const hash = (byte: string): Hex => `0x${byte.repeat(32)}`;
  const uploads = createUploads([]);
  const upload = {
    round: 3,
    dealer: dealer(1),
    attempt: 2,
    payloadHash: hash('aa'),
    sharesRoot: hash('bb'),
    shareHashes: [],
    bytes: 1,
  };
  uploads.add(upload);
  expect(uploads.matching(3, dealer(1), upload)).toBe(upload);
  expect(uploads.matching(3, dealer(1), { ...upload, attempt: 1 })).toBeUndefined();
  expect(uploads.matching(3, dealer(1), { ...upload, payloadHash: hash('ab') })).toBeUndefined();
  expect(uploads.matching(3, dealer(1), { ...upload, sharesRoot: hash('bc') })).toBeUndefined();
  expect(uploads.matching(4, dealer(1), upload)).toBeUndefined();
  expect(uploads.matching(3, dealer(2), upload)).toBeUndefined();
});
