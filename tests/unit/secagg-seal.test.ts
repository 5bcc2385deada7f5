// Sealing an update and adding updates up: what comes out, and what a caller cannot get wrong.
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { createSealRing } from '../../auditor/ring/seal.ts';
import { createSealer, type Sealer, type SealRequest } from '../../edge-node/seal/seal.ts';
import { openShare, systemRandom } from '../../engines/keys/sealing.ts';
import { ENCAPSULATION_SEED_BYTES } from '../../engines/keys/xwing.ts';
import { equalBytes, fromHex, sha256, toHex } from '../../protocol/bytes.ts';
import { RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { packingProfile } from '../../protocol/secagg/packing.ts';
import { decodePayload } from '../../protocol/secagg/payload.ts';
import type { Ring, SealJob } from '../../protocol/secagg/ring.ts';
import { decodeShare, reconstruct } from '../../protocol/secagg/shamir.ts';
import { SEALED_SHARE_BYTES, sealedShareHash, shareAssociatedData, sharesRoot } from '../../protocol/secagg/shares.ts';
import { codeOf, encodeResidues, keysOf, sealInMemory, sealRound, streamOf, sumOf } from './secagg-fixtures.ts';

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
  const again = requests.flatMap((request) => [sealInMemory(sealer, request), sealInMemory(sealer, request)]);
  expect(new Set(again.map(({ payloadHash }) => payloadHash)).size).toBe(2);
  expect(new Set(again.map(({ sharesRoot: root }) => root)).size).toBe(2);
});

test('key-holders out of order, an impossible threshold, values or sums that do not fit are refused, nothing written', async () => {
  const sealer = createSealer({ ring });
  const request = sealRound(ring, shape).requests[0];
  if (request === undefined) throw new Error('no request');
  const { keyHolders, packing } = request;
  const narrow = packingProfile('5x15', 12);
  for (const change of [
    { keyHolders: [...keyHolders].reverse() },
    { keyHolders: keyHolders.slice(1) },
    { keyHolders: [] },
    { threshold: 4 },
    { threshold: 0 },
    { values: [65_536] },
    { values: [0, -1] },
    { values: [0.5] },
    { values: [] },
    { dealers: packing.maxDealers + 1 },
    { dealers: 0 },
    { packing: narrow, values: [4_096] },
    { packing: narrow, values: [4_095], dealers: narrow.maxDealers + 1 },
  ] satisfies Partial<SealRequest>[]) {
    let written = 0;
    const code = await codeOf(() =>
      sealer.seal({ ...request, ...change }, () => {
        written += 1;
      }),
    );
    expect([code, written]).toEqual(['VALUE_OUT_OF_RANGE', 0]);
  }
});

describe('a key that cannot be sealed to', () => {
  const secrets: Int32Array[] = [];
  const random = vi.fn(systemRandom);
  const sealerThatIsWatched = (): Sealer => {
    secrets.length = 0;
    const seal = (job: SealJob): void => {
      secrets.push(job.secret);
      ring.seal(job);
    };
    return createSealer({ ring: { ...ring, seal }, random });
  };
  /** As registered by key-holders who chose no key, or one of a low-order point. */
  const unusable = (keys: readonly number[]): SealRequest => {
    const request = sealRound(ring, shape).requests[0];
    if (request === undefined) throw new Error('no request');
    const weak = (publicKey: Uint8Array) => publicKey.slice().fill(0, publicKey.length - 32);
    const keyHolders = request.keyHolders.map(({ index, publicKey }) => ({
      index,
      publicKey: keys.includes(index) ? weak(publicKey) : publicKey,
    }));
    return { ...request, keyHolders };
  };

  test.each([1, 2, 3])('of key-holder %i keeps nobody from sealing: it gets noise, and the others open', (mute) => {
    const request = unusable([mute]);
    const update = sealInMemory(sealerThatIsWatched(), request);
    const opened = (index: number) => {
      const data = shareAssociatedData({ ...request, payloadHash: update.payloadHash }, index);
      return decodeShare(openShare(keysOf(index), update.sealedShares[index - 1] ?? new Uint8Array(), data));
    };
    const noise = update.sealedShares[mute - 1] ?? new Uint8Array();
    expect(update.sealedShares).toHaveLength(3);
    expect(noise).toHaveLength(SEALED_SHARE_BYTES);
    expect(() => opened(mute)).toThrow('does not open');
    // drawn for this, and for nothing else: what was dealt to it is nowhere in it
    expect(random.mock.calls.some(([bytes]) => equalBytes(bytes, noise))).toBe(true);
    expect(update.sharesRoot).toBe(sharesRoot(update.sealedShares.map(sealedShareHash)));
    const others = [1, 2, 3].filter((index) => index !== mute);
    expect(reconstruct(others.map((index) => ({ index, share: opened(index) }))).some((x) => x !== 0)).toBe(true);
    expect(secrets.map((secret) => secret.every((x) => x === 0))).toEqual([true]);
  });

  test('of so many that the threshold is out of reach is named, and the secret is gone by then', async () => {
    const sealing = sealerThatIsWatched();
    expect(() => sealing.seal(unusable([1, 3]), () => undefined)).toThrow(/key-holders 1, 3 cannot/);
    expect(secrets.map((secret) => secret.every((x) => x === 0))).toEqual([true]);
    expect(await codeOf(() => sealing.seal({ ...unusable([2]), threshold: 3 }, () => undefined))).toBe('KEY_WEAK');
  });

  test('is told from a sealing that fails for another reason', () => {
    const failing = createSealer({
      ring,
      random: (bytes) => {
        if (bytes.length === ENCAPSULATION_SEED_BYTES) throw new Error('no randomness');
        systemRandom(bytes);
      },
    });
    expect(() => failing.seal(unusable([]), () => undefined)).toThrow('no randomness');
  });
});

test('a disk that fails half-way leaves no secret behind', () => {
  const seen: Int32Array[] = [];
  const watching: Ring = {
    ...ring,
    seal: (job) => {
      seen.push(job.secret);
      ring.seal(job);
    },
  };
  const request = sealRound(ring, shape).requests[0];
  if (request === undefined) throw new Error('no request');
  const full = (part: Uint8Array): void => {
    if (part.length > 8) throw new Error('disk full');
  };
  expect(() => createSealer({ ring: watching }).seal(request, full)).toThrow('disk full');
  expect(seen.map((secret) => secret.every((x) => x === 0))).toEqual([true]);
});

test('a payload comes in parts of at most 16 blocks, and is what one call of the engine gives', () => {
  const packing = packingProfile('5x15', 12);
  const values = new Uint16Array(17 * packing.valuesPerBlock - 5).map((_, i) => i % 4_096);
  const request = { ...sealRound(ring, shape).requests[0], packing, values } as SealRequest;
  const parts: number[] = [];
  const jobs: Pick<SealJob, 'secret' | 'firstBlock' | 'out'>[] = [];
  const watching: Ring = {
    ...ring,
    seal: (job) => {
      ring.seal(job);
      jobs.push({ secret: job.secret.slice(), firstBlock: job.firstBlock ?? 0, out: job.out.slice() });
    },
  };
  const sealer = createSealer({ ring: watching, random: streamOf('parts') });
  sealer.seal(request, (part) => parts.push(part.length));
  expect(parts).toEqual([8, 16 * 46_080, 46_080]);
  expect(jobs.map(({ firstBlock }) => firstBlock)).toEqual([0, 16]);

  // the same random stream, the errors of all 17 blocks after the secret's, in one call
  const random = streamOf('parts');
  random(new Uint8Array(10 * RING_DEGREE));
  const whole = new Uint32Array(17 * RESIDUES_PER_BLOCK);
  const padded = new Uint16Array(17 * packing.valuesPerBlock);
  padded.set(values);
  const secret = jobs[0]?.secret ?? new Int32Array(RING_DEGREE);
  ring.seal({ seed: fromHex(request.seed), secret, packing, values: padded, fillRandom: random, out: whole });
  expect(jobs[0]?.out).toEqual(whole.subarray(0, 16 * RESIDUES_PER_BLOCK));
  expect(jobs[1]?.out).toEqual(whole.subarray(16 * RESIDUES_PER_BLOCK));
});

test('the sum does not depend on the order, and is itself a valid payload', () => {
  const round = sealRound(ring, { ...shape, dealers: 3 });
  const forwards = sumOf(ring, round);
  const backwards = sumOf(ring, { ...round, updates: [...round.updates].reverse() });
  expect(backwards.aggregateHash).toBe(forwards.aggregateHash);
  expect(forwards.aggregateHash).toBe(toHex(sha256(forwards.bytes)));
  const decoded = decodePayload(forwards.bytes, forwards.blocks);
  expect(encodeResidues(forwards.residues)).toEqual(decoded.bytes);
});
