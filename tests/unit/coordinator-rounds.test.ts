// Whom a round waits for, and which uploads count.
import { expect, test } from 'vitest';
import { createUploads } from '../../coordinator/intake/uploads.ts';
import { requirePackingHolds } from '../../coordinator/layout.ts';
import { awaited } from '../../coordinator/rounds/waiting.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { packingProfile } from '../../protocol/secagg/packing.ts';

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
    signature: hash('cc'),
  };
  uploads.add(upload);
  expect(uploads.matching(3, dealer(1), upload)).toBe(upload);
  expect(uploads.matching(3, dealer(1), { ...upload, attempt: 1 })).toBeUndefined();
  expect(uploads.matching(3, dealer(1), { ...upload, payloadHash: hash('ab') })).toBeUndefined();
  expect(uploads.matching(3, dealer(1), { ...upload, sharesRoot: hash('bc') })).toBeUndefined();
  expect(uploads.matching(4, dealer(1), upload)).toBeUndefined();
  expect(uploads.matching(3, dealer(2), upload)).toBeUndefined();
});

test('a task whose packing is too narrow for the registered dealers is refused, with the packing that is not', () => {
  const narrow = packingProfile('5x15', 12); // 2^15 − 1 is eight values of 4,095, and a little more
  requirePackingHolds(0, narrow);
  requirePackingHolds(8, narrow);
  expect(() => requirePackingHolds(9, narrow)).toThrow(
    /TASK_INVALID: update\.packing: 5x15 holds .* 8 .*9 are registered: use 4x19/,
  );
  expect(() => requirePackingHolds(1_025, packingProfile('3x26', 16))).toThrow(/give fewer valueBits/);
});
