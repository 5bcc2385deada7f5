// Sealing an update and adding updates up: what comes out, and what a caller cannot get wrong.
import { beforeAll, expect, test } from 'vitest';
import { createAdder } from '../../coordinator/aggregate/sum.ts';
import { createSealer } from '../../edge-node/seal/seal.ts';
import { openShare } from '../../engines/keys/sealing.ts';
import type { Ring, SealJob } from '../../engines/ring/ring.ts';
import { createSealRing } from '../../engines/ring/seal.ts';
import { sha256, toHex } from '../../protocol/bytes.ts';
import { allocatePayload, decodePayload } from '../../protocol/secagg/payload.ts';
import { decodeShare, reconstruct } from '../../protocol/secagg/shamir.ts';
import { sealedShareHash, shareAssociatedData, sharesRoot } from '../../protocol/secagg/shares.ts';
import { codeOf, keysOf, sealRound, sumOf } from './secagg-fixtures.ts';

let ring: Ring;
beforeAll(async () => {
  ring = await createSealRing();
});

const shape = { dealers: 1, holders: 3, threshold: 2, valueCount: 20_000 };

test('hashes are over the bytes that leave', () => {
  const { updates } = sealRound(ring, shape);
  for (const update of updates) {
    expect(update.payloadHash).toBe(toHex(sha256(update.payload)));
    expect(update.sharesRoot).toBe(sharesRoot(update.sealedShares.map(sealedShareHash)));
    expect(decodePayload(update.payload, 2).blocks).toBe(2);
  }
});

test('the secret is zeroed after use, and is what the shares give', () => {
  const seen: { kept: Int32Array; copy: Int32Array }[] = [];
  const watching: Ring = {
    ...ring,
    seal: (job: SealJob) => {
      seen.push({ kept: job.secret, copy: job.secret.slice() });
      ring.seal(job);
    },
  };
  const { requests, updates } = sealRound(watching, shape);
  const [request, update] = [requests[0], updates[0]];
  if (request === undefined || update === undefined) throw new Error('nothing sealed');
  const shares = update.sealedShares.slice(1).map((sealed, i) => {
    const data = shareAssociatedData({ ...request, payloadHash: update.payloadHash }, i + 2);
    return { index: i + 2, share: decodeShare(openShare(keysOf(i + 2), sealed, data)) };
  });
  expect(seen).toHaveLength(1);
  expect(seen[0]?.kept.every((x) => x === 0)).toBe(true);
  expect(reconstruct(shares)).toEqual(seen[0]?.copy);
});

test('the secret is zeroed even when the engine fails', () => {
  let kept = new Int32Array(0);
  const failing: Ring = {
    ...ring,
    seal: (job) => {
      kept = job.secret as Int32Array<ArrayBuffer>;
      throw new Error('engine');
    },
  };
  expect(() => sealRound(failing, shape)).toThrow('engine');
  expect(kept.length).toBe(4096);
  expect(kept.every((x) => x === 0)).toBe(true);
});

test('two sealings of one request share neither payload nor shares: the secret is fresh each time', () => {
  const sealer = createSealer({ ring });
  const { requests } = sealRound(ring, shape);
  const again = requests.flatMap((request) => [sealer.seal(request), sealer.seal(request)]);
  expect(new Set(again.map(({ payloadHash }) => payloadHash)).size).toBe(2);
  expect(new Set(again.map(({ sharesRoot: root }) => root)).size).toBe(2);
});

test('key-holders out of order, too few for the threshold, or with a weak key are refused', async () => {
  const sealer = createSealer({ ring });
  const request = sealRound(ring, shape).requests[0];
  if (request === undefined) throw new Error('no request');
  const keyHolders = request.keyHolders;
  const seal = (change: Partial<typeof request>) => codeOf(() => sealer.seal({ ...request, ...change }));
  expect(await seal({ keyHolders: [...keyHolders].reverse() })).toBe('VALUE_OUT_OF_RANGE');
  expect(await seal({ keyHolders: keyHolders.slice(1) })).toBe('VALUE_OUT_OF_RANGE');
  expect(await seal({ threshold: 4 })).toBe('VALUE_OUT_OF_RANGE');
  expect(await seal({ threshold: 0 })).toBe('VALUE_OUT_OF_RANGE');
  expect(await seal({ values: [65_536] })).toBe('VALUE_OUT_OF_RANGE');
  expect(await seal({ values: [] })).toBe('VALUE_OUT_OF_RANGE');
  const weak = keyHolders.map((holder) => (holder.index === 2 ? { index: 2, publicKey: new Uint8Array(32) } : holder));
  expect(await seal({ keyHolders: weak })).toBe('KEY_WEAK');
});

test('the sum does not depend on the order, and is itself a valid payload', () => {
  const round = sealRound(ring, { ...shape, dealers: 3 });
  const forwards = sumOf(ring, round);
  const backwards = sumOf(ring, { ...round, updates: [...round.updates].reverse() });
  expect(backwards.aggregateHash).toBe(forwards.aggregateHash);
  expect(forwards.aggregateHash).toBe(toHex(sha256(forwards.payload.bytes)));
  expect(forwards.dealers).toBe(3);
});

test('an adder refuses another block count, a 1,025th dealer, and use after the end', async () => {
  const one = decodePayload(allocatePayload(1).bytes, 1);
  const adder = createAdder({ ring }, 1);
  expect(await codeOf(() => adder.add(decodePayload(allocatePayload(2).bytes, 2)))).toBe('PAYLOAD_MALFORMED');
  for (let dealer = 0; dealer < 1024; dealer++) adder.add(one);
  expect(adder.dealers).toBe(1024);
  expect(await codeOf(() => adder.add(one))).toBe('VALUE_OUT_OF_RANGE');
  adder.finish();
  expect(await codeOf(() => adder.add(one))).toBe('CONFLICT');
  expect(await codeOf(() => adder.finish())).toBe('CONFLICT');
});
