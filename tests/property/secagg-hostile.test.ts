// Secure aggregation on random and on hostile input: nothing malformed reaches an engine, nothing crashes.
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { createAdder } from '../../coordinator/aggregate/sum.ts';
import { openShare } from '../../engines/keys/sealing.ts';
import type { Ring } from '../../engines/ring/ring.ts';
import { createSealRing } from '../../engines/ring/seal.ts';
import { concatBytes, equalBytes, fromHex } from '../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { answerRequest, MAX_ANSWER_REQUEST_BYTES } from '../../protocol/messages/answer.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE, VALUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { addResidues, embed, extract, mulMod } from '../../protocol/secagg/coefficients.ts';
import { findOutliers } from '../../protocol/secagg/liars.ts';
import { createPackingProfile, packValues, unpackSums } from '../../protocol/secagg/packing.ts';
import { allocatePayload, decodePayload } from '../../protocol/secagg/payload.ts';
import { addShares, decodeShare, encodeShare, reconstruct, shareSecret } from '../../protocol/secagg/shamir.ts';
import { addressOf, keysOf, SEED, streamOf } from '../unit/secagg-fixtures.ts';

const runs = (numRuns: number) => ({ numRuns, seed: 20_240_611, endOnFailure: true });

describe('hostile bytes', () => {
  let ring: Ring;
  let honest: Uint8Array;
  beforeAll(async () => {
    ring = await createSealRing();
    const payload = allocatePayload(1);
    const values = new Uint16Array(VALUES_PER_BLOCK);
    const secret = new Int32Array(RING_DEGREE).fill(1);
    ring.seal({ seed: fromHex(SEED), secret, values, fillRandom: streamOf('e'), out: payload.residues });
    honest = payload.bytes;
  });

  /** Wraps the engine: counts what reaches it, and checks every word that does. */
  function guarded(): { ring: Ring; reached: number } {
    const guard = {
      reached: 0,
      ring: {
        ...ring,
        addInto: (acc: Uint32Array, block: Uint32Array) => {
          guard.reached += 1;
          if (block.some((x, i) => x >= (PRIMES[Math.floor(i / RING_DEGREE) % 3] ?? 0)))
            throw new Error('unchecked word');
          ring.addInto(acc, block);
        },
      },
    };
    return guard;
  }

  const mutation = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ kind: fc.constant('word' as const), at: fc.nat(), word: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }),
    fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
    fc.record({ kind: fc.constant('grow' as const), by: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ kind: fc.constant('shift' as const), by: fc.integer({ min: 1, max: 7 }) }),
  );

  function mutate(
    bytes: Uint8Array,
    steps: readonly (typeof mutation extends fc.Arbitrary<infer M> ? M : never)[],
  ): Uint8Array {
    let out = bytes.slice();
    for (const step of steps) {
      if (step.kind === 'set') out[step.at % Math.max(out.length, 1)] = step.byte;
      else if (step.kind === 'word' && out.length >= 4) {
        const at = step.at % (out.length - 3);
        new DataView(out.buffer, out.byteOffset).setUint32(at - (at % 4), step.word, true);
      } else if (step.kind === 'cut') out = out.slice(0, step.at % (out.length + 1));
      else if (step.kind === 'grow') out = concatBytes(out, new Uint8Array(step.by));
      else if (step.kind === 'shift') {
        const padded = new Uint8Array(out.length + step.by);
        padded.set(out, step.by);
        out = padded.subarray(step.by);
      }
    }
    return out;
  }

  test('3,000 mutated payloads: each is refused by name, or is a valid one that adds up', () => {
    const guard = guarded();
    const adder = createAdder({ ring: guard.ring }, 1);
    let [refused, added] = [0, 0];
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (steps) => {
        try {
          const payload = decodePayload(mutate(honest, steps), 1);
          if (adder.dealers < 1024) adder.add(payload);
          added += 1;
        } catch (error) {
          if (!(error instanceof ConcordatError) || error.code !== 'PAYLOAD_MALFORMED') throw error;
          refused += 1;
        }
      }),
      runs(3_000),
    );
    expect(refused).toBeGreaterThan(1_000);
    expect(added).toBeGreaterThan(100);
    expect(guard.reached).toBe(Math.min(added, 1024));
    // the engine is still whole
    const payload = allocatePayload(1);
    const job = {
      seed: fromHex(SEED),
      secret: new Int32Array(RING_DEGREE).fill(1),
      values: new Uint16Array(VALUES_PER_BLOCK),
    };
    ring.seal({ ...job, fillRandom: streamOf('e'), out: payload.residues });
    expect(payload.bytes).toEqual(honest);
  });

  test('random bytes are no payload, no share, no sealed share, no request', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const parse of [
          () => decodePayload(bytes, 1),
          () => decodeShare(bytes),
          () => openShare(keysOf(1), bytes, new Uint8Array()),
          () => decodeCbor(bytes, answerRequest, MAX_ANSWER_REQUEST_BYTES),
        ]) {
          expect(parse).toThrow(ConcordatError);
        }
      }),
      runs(1_000),
    );
  });

  test('a mutated answer request is refused by name or still canonical', () => {
    const share = { dealer: addressOf('d'), sealedShare: new Uint8Array(8240), shareHashes: [`0x${'ab'.repeat(32)}`] };
    const request = encodeCbor({ v: 'concordat/1/answer-request', round: 7, shares: [share] });
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (steps) => {
        const bytes = mutate(request, steps);
        try {
          const again = encodeCbor(decodeCbor(bytes, answerRequest, MAX_ANSWER_REQUEST_BYTES));
          expect(equalBytes(again, bytes)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(ConcordatError);
        }
      }),
      runs(1_000),
    );
  });
});

describe('arithmetic', () => {
  const residue = (p: number) => fc.oneof(fc.integer({ min: 0, max: p - 1 }), fc.integer({ min: p - 5, max: p - 1 }));

  test('products agree with BigInt', () => {
    for (const p of PRIMES) {
      fc.assert(
        fc.property(residue(p), residue(p), (a, b) => mulMod(a, b, p) === Number((BigInt(a) * BigInt(b)) % BigInt(p))),
        runs(3_000),
      );
    }
  });

  test('embedding, adding and splitting give the sums of values and of errors', () => {
    const dealer = fc.record({
      values: fc.array(fc.integer({ min: 0, max: 65_535 }), { minLength: 9, maxLength: 9 }),
      errors: fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 3, maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(dealer, { minLength: 1, maxLength: 5 }), (dealers) => {
        const acc = new Uint32Array(RESIDUES_PER_BLOCK);
        for (const { values, errors } of dealers) {
          const [padded, error] = [new Uint16Array(VALUES_PER_BLOCK), new Int32Array(RING_DEGREE)];
          padded.set(values);
          error.set(errors);
          const block = new Uint32Array(RESIDUES_PER_BLOCK);
          embed(block, error, padded, block);
          addResidues(acc, block);
        }
        const [sums, error] = [new Uint32Array(VALUES_PER_BLOCK), new Int32Array(RING_DEGREE)];
        extract(acc, sums, error);
        const total = (pick: (d: (typeof dealers)[number]) => number | undefined) =>
          dealers.reduce((sum, d) => sum + (pick(d) ?? 0), 0);
        expect([...sums.subarray(0, 9)]).toEqual(Array.from({ length: 9 }, (_, j) => total((d) => d.values[j])));
        expect([...error.subarray(0, 3)]).toEqual(Array.from({ length: 3 }, (_, j) => total((d) => d.errors[j])));
        expect(sums.subarray(9).every((x) => x === 0)).toBe(true);
      }),
      runs(60),
    );
  });

  test('packing and unpacking give back any values', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 65_535 }), { minLength: 1, maxLength: 60 }), (values) => {
        const packed = packValues(values, createPackingProfile());
        expect([...unpackSums(Uint32Array.from(packed), values.length, 1, createPackingProfile())]).toEqual(values);
      }),
      runs(200),
    );
  });
});

describe('sharing', () => {
  const scheme = fc.integer({ min: 1, max: 12 }).chain((n) =>
    fc.record({
      n: fc.constant(n),
      t: fc.integer({ min: 1, max: n }),
      coins: fc.string(),
      pick: fc.shuffledSubarray([...Array(n).keys()]),
    }),
  );

  test('any t or more of any scheme agree and reconstruct the sum of two secrets', () => {
    fc.assert(
      fc.property(scheme, ({ n, t, coins, pick }) => {
        const [a, b] = [1, 2].map((k) => Int32Array.from({ length: RING_DEGREE }, (_, i) => ((i * k * 31) % 81) - 40));
        if (a === undefined || b === undefined) return;
        const left = shareSecret(a, n, t, streamOf(coins));
        const right = shareSecret(b, n, t, streamOf(`${coins}.`));
        const sums = left.map((share, i) => {
          addShares(share, right[i] ?? new Uint16Array());
          return { index: i + 1, share: decodeShare(encodeShare(share)) };
        });
        const chosen = sums.filter((_, i) => pick.includes(i));
        if (chosen.length < t) return;
        expect(findOutliers(chosen, t)).toEqual({ agreeing: chosen, outliers: [] });
        expect(reconstruct(chosen.slice(-t))).toEqual(a.map((x, i) => x + (b[i] ?? 0)));
      }),
      runs(60),
    );
  });

  test('up to floor((m-t)/2) random liars are exactly the ones named', () => {
    const lies = fc.record({
      t: fc.integer({ min: 1, max: 8 }),
      liars: fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 5 }),
      amounts: fc.array(fc.integer({ min: 1, max: 65_520 }), { minLength: 5, maxLength: 5 }),
      places: fc.array(fc.nat({ max: RING_DEGREE - 1 }), { minLength: 5, maxLength: 5 }),
    });
    fc.assert(
      fc.property(lies, ({ t, liars, amounts, places }) => {
        const named = liars.slice(0, Math.floor((12 - t) / 2)).sort((a, b) => a - b);
        const answers = shareSecret(new Int32Array(RING_DEGREE).fill(-7), 12, t, streamOf('coins')).map((share, i) => {
          const liar = named.indexOf(i + 1);
          const place = places[liar];
          if (place !== undefined) share[place] = ((share[place] ?? 0) + (amounts[liar] ?? 0)) % 65_521;
          return { index: i + 1, share };
        });
        expect(findOutliers(answers, t).outliers).toEqual(named);
      }),
      runs(100),
    );
  });
});
