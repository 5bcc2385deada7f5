// Collecting: whose commit is looked for and how often, what is found at the last moment, and what is kept of rounds gone by.
import { expect, test } from 'vitest';
import { type AdmittedUpload, createUploads } from '../../coordinator/intake/uploads.ts';
import { collectUploads } from '../../coordinator/rounds/collect.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { Entry } from '../../protocol/transcript/entry.ts';
import { admittedOf, dealersOf, steppedClock } from './coordinator-world.ts';

const ROUND = 3;
const DEALERS = dealersOf(3).map(({ address }) => address);
const payload = (dealer: Hex, round: number) => new TextEncoder().encode(`${dealer}/${round}`);
const uploadOf = (dealer: Hex, round = ROUND, attempt = 1): AdmittedUpload =>
  admittedOf(dealer, payload(dealer, round), attempt, round);

function worldOf(commitsAtMs: ReadonlyMap<Hex, number>) {
  const clock = steppedClock();
  const startedMs = clock.nowMs();
  const uploads = createUploads([]);
  for (const dealer of DEALERS) uploads.add(uploadOf(dealer));
  const looks = new Map<Hex, number>();
  const commitOf = async (_: number, dealer: Hex) => {
    looks.set(dealer, (looks.get(dealer) ?? 0) + 1);
    const atMs = commitsAtMs.get(dealer);
    return atMs !== undefined && clock.nowMs() - startedMs >= atMs ? { ...uploadOf(dealer), weight: 1 } : undefined;
  };
  const signal = new AbortController().signal;
  const parts = {
    ledger: { commitOf },
    uploads,
    clock,
    present: () => new Set(DEALERS),
    declined: () => new Set<Hex>(),
    signal,
  };
  const collect = async (forMs: number) => {
    const collected = await collectUploads(ROUND, DEALERS, startedMs + forMs, parts);
    return { dealers: collected.map(({ dealer }) => dealer), tookMs: clock.nowMs() - startedMs, looks };
  };
  return { collect };
}

test('the chain is asked four times a second about a dealer that does not commit, and no more about one that did', async () => {
  const [early, late, never] = DEALERS as [Hex, Hex, Hex];
  const { dealers, looks } = await worldOf(
    new Map([
      [early, 0],
      [late, 1_000],
    ]),
  ).collect(10_000);
  expect(dealers).toEqual([early, late].sort());
  expect(looks.get(early)).toBe(2); // when it came, and at the end
  expect(looks.get(late)).toBeLessThanOrEqual(6);
  expect(looks.get(never)).toBeLessThanOrEqual(41);
  expect(looks.get(never)).toBeGreaterThan(30);
});

test('a commit shows within a quarter of a second, and the last moment before the deadline counts', async () => {
  const all = await worldOf(new Map(DEALERS.map((dealer) => [dealer, 1_000]))).collect(10_000);
  expect(all.dealers).toEqual(DEALERS);
  expect(all.tookMs).toBeLessThanOrEqual(1_300);
  const atTheLast = await worldOf(new Map(DEALERS.map((dealer) => [dealer, 9_990]))).collect(10_000);
  expect(atTheLast.dealers).toEqual(DEALERS);
});

test('of earlier rounds only the hashes of the payloads are kept, and of a late upload too', () => {
  const [first, second, third] = DEALERS as [Hex, Hex, Hex];
  const uploads = createUploads([]);
  uploads.add(uploadOf(first, 3));
  uploads.add(uploadOf(second, 3));
  expect(uploads.dealers(3)).toEqual([first, second]);
  uploads.add(uploadOf(first, 4));
  uploads.add(uploadOf(third, 3));
  expect([uploads.dealers(3), uploads.dealers(4)]).toEqual([[], [first]]);
  const old = [uploadOf(first, 3), uploadOf(second, 3), uploadOf(third, 3)];
  for (const upload of old) {
    const { round, dealer, attempt, payloadHash } = upload;
    expect(uploads.hasPayload(payloadHash)).toBe(true);
    expect(uploads.withPayload(payloadHash)).toBeUndefined();
    expect(uploads.matching(round, dealer, upload)).toBeUndefined();
    expect(uploads.ofAttempt(round, dealer, attempt)).toBeUndefined();
  }
  expect(uploads.matching(4, first, uploadOf(first, 4))).toEqual(uploadOf(first, 4));
});

test('and so after a restart, with the dealer’s signature of the last round', () => {
  const [first] = DEALERS as [Hex];
  const entries = [3, 4].map((round): Entry => {
    const { dealer, attempt, payloadHash, shareHashes, signature } = uploadOf(first, round);
    const sealedShares = [...shareHashes];
    const body = { type: 'upload' as const, round, dealer, attempt, payload: payloadHash, sealedShares, signature };
    return { v: 'concordat/1/entry', seq: round, prev: payloadHash, body };
  });
  const uploads = createUploads(entries);
  expect(uploads.dealers(3)).toEqual([]);
  expect(uploads.ofAttempt(4, first, 1)).toEqual(uploadOf(first, 4));
  expect(uploads.hasPayload(uploadOf(first, 3).payloadHash)).toBe(true);
});
