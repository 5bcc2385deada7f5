// The negative vectors of secure aggregation: everything in them is refused, by the error that they name.
import { beforeAll, describe, expect, test } from 'vitest';
import { openShare } from '../../engines/keys/sealing.ts';
import { fromHex, type Hex } from '../../protocol/bytes.ts';
import { PRIMES, RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { fingerprintsAddUp } from '../../protocol/secagg/fingerprint.ts';
import { decodeTestValue, sharingHolds } from '../../protocol/secagg/linear-test.ts';
import { createNoiseMeter } from '../../protocol/secagg/noise.ts';
import type { RingOpener } from '../../protocol/secagg/opener.ts';
import {
  checkValues,
  type PackingName,
  packingProfile,
  requireFits,
  unpackSums,
} from '../../protocol/secagg/packing.ts';
import { createPayloadParser, decodePayload } from '../../protocol/secagg/payload.ts';
import { unpackResidues } from '../../protocol/secagg/residue-bits.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { requireAnswerableSet } from '../../protocol/secagg/set.ts';
import { decodeAnswer, decodeShare, reconstruct } from '../../protocol/secagg/shamir.ts';
import { shareAssociatedData } from '../../protocol/secagg/shares.ts';
import { codeOf, ENGINES, type SealedInMemory } from '../unit/secagg-fixtures.ts';
import { frozen, frozenRound, sealVectorRound, vectorKeys } from './frozen.ts';
import type { ByteEdits } from './secagg-negative-build.ts';
import { VECTOR_ROUNDS, type VectorRound } from './secagg-rounds.ts';

const vectors = frozen('secagg-negative.json');
const sharings = frozen('secagg-sharings.json');
const round = VECTOR_ROUNDS[0] as VectorRound;
const truth = frozenRound(round);

/** Valid bytes with the edits of a vector. */
function edited(valid: Uint8Array, { length = valid.length, set = [] }: ByteEdits): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(valid.subarray(0, length));
  for (const { at, hex } of set) bytes.set(fromHex(hex as Hex), at);
  return bytes;
}

describe.each(ENGINES)('engine $name', ({ createRing, createOpener }) => {
  let updates: readonly SealedInMemory[];
  let ring: Ring;
  let opener: RingOpener;
  beforeAll(async () => {
    [ring, opener] = [await createRing(), await createOpener()];
    updates = sealVectorRound(ring, round);
  });
  const contextOf = (dealer: number) => ({
    ...round,
    dealer: round.dealers[dealer] ?? '0x',
    payloadHash: updates[dealer]?.payloadHash ?? '0x',
  });
  const openOwn = (dealer: number, index: number): Uint8Array => {
    const sealed = updates[dealer]?.sealedShares[index - 1] ?? new Uint8Array();
    return openShare(vectorKeys(index), sealed, shareAssociatedData(contextOf(dealer), index));
  };

  test.each(vectors.payloads)('payload: $name', async (edit) => {
    const valid = updates[0]?.payload ?? new Uint8Array();
    expect(() => decodePayload(valid, 2)).not.toThrow();
    const bytes = edited(valid, edit);
    const stream = (): void => {
      const parser = createPayloadParser(2, () => undefined);
      for (let at = 0; at < bytes.length; at += 10_007) parser.push(bytes.subarray(at, at + 10_007));
      parser.end();
    };
    for (const read of [() => decodePayload(bytes, 2), stream]) {
      expect(await codeOf(read)).toBe(edit.code);
      if ('fields' in edit && edit.fields !== undefined) {
        expect(read).toThrow(expect.objectContaining({ fields: edit.fields }));
      }
    }
  });

  test.each(vectors.shares)('share: $name', async (edit) => {
    expect(await codeOf(() => decodeShare(edited(openOwn(0, 1), edit)))).toBe(edit.code);
  });

  test.each(vectors.sealedShares)('sealed share: $name', async (edit) => {
    const { keyHolder = 1, attempt = round.attempt } = edit;
    const sealed = edited(updates[0]?.sealedShares[0] ?? new Uint8Array(), edit);
    const data = shareAssociatedData({ ...contextOf(0), attempt }, keyHolder);
    expect(await codeOf(() => openShare(vectorKeys(keyHolder), sealed, data))).toBe(edit.code);
  });

  test.each(vectors.falseOpenings)('opening: $name', ({ change, maxAbs, sumSquares, clean }) => {
    const aggregate = new Uint32Array(2 * RESIDUES_PER_BLOCK);
    const summed = updates.slice(change === 'payload' ? 1 : 0);
    for (const { payload } of summed) ring.addPacked(aggregate, decodePayload(payload, 2).words);
    if (change === 'residue') aggregate[7] = ((aggregate[7] ?? 0) + 1) % PRIMES[0];
    const secretSum = new Int32Array(4096);
    for (const d of [0, 1, 2]) {
      const shares = [1, 2, 3].map((index) => ({ index, share: decodeShare(openOwn(d, index)) }));
      reconstruct(shares).forEach((x, i) => {
        secretSum[i] = (secretSum[i] ?? 0) + x;
      });
    }
    if (change === 'secret') secretSum[0] = (secretSum[0] ?? 0) + 1;
    const values = new Uint32Array(2 * round.packing.valuesPerBlock);
    const meter = createNoiseMeter(round.dealers.length);
    const { packing } = round;
    opener.open({ seed: fromHex(round.seed), secretSum, aggregate, packing, values, onNoise: meter.add });
    expect(meter.report()).toMatchObject({ maxAbs, sumSquares, clean });
  });
});

test.each(vectors.answers)('answer: $name', async (edit) => {
  expect(await codeOf(() => decodeAnswer(edited(new Uint8Array(8_192).fill(1), edit)))).toBe(edit.code);
});

test.each(vectors.testValues)('test value $value', async ({ value, code }) => {
  expect(await codeOf(() => decodeTestValue(fromHex(value as Hex)))).toBe(code);
});

test.each(sharings.cases)('sharing: $name', ({ values, holds }) => {
  const points = values.map(({ index, value }) => ({ index, value: value === null ? undefined : fromHex(value) }));
  expect(sharingHolds(points, sharings.of.threshold)).toBe(holds);
});

test.each(vectors.fingerprints)('fingerprint $fingerprint', async ({ fingerprint, code }) => {
  expect(await codeOf(() => fingerprintsAddUp([], fromHex(fingerprint as Hex)))).toBe(code);
  expect(await codeOf(() => fingerprintsAddUp([fromHex(fingerprint as Hex)], new Uint8Array(48)))).toBe(code);
});

test.each(vectors.falseSums)('sum: $name', ({ whole, addsUp }) => {
  const parts = truth.updates.map(({ fingerprint }) => fromHex(fingerprint));
  expect(fingerprintsAddUp(parts, fromHex(truth.sum.fingerprint.ofAggregate))).toBe(true);
  expect(fingerprintsAddUp(parts, fromHex(whole))).toBe(addsUp);
});

describe('numbers', () => {
  const profile = (packing: unknown, valueBits: unknown) => packingProfile(packing as PackingName, Number(valueBits));

  test.each(vectors.packings)('packing $packing of $valueBits-bit values', async ({ packing, valueBits, code }) => {
    expect(await codeOf(() => profile(packing, valueBits))).toBe(code);
  });
  test.each(vectors.dealers)('$dealers dealers in $packing of $valueBits bits', async (vector) => {
    const packing = profile(vector.packing, vector.valueBits);
    expect(await codeOf(() => requireFits(Number(vector.dealers), packing))).toBe(vector.code);
  });
  test.each(vectors.values)('value $value in $packing of $valueBits bits', async (vector) => {
    const packing = profile(vector.packing, vector.valueBits);
    expect(await codeOf(() => checkValues([Number(vector.value)], packing))).toBe(vector.code);
  });
  test.each(vectors.slots)('slot $index of $packing holds $sum', async ({ packing, valueBits, index, sum, code }) => {
    const slots = new Uint32Array(profile(packing, valueBits).valuesPerBlock);
    const unpack = () => unpackSums(slots, 10, 3, profile(packing, valueBits));
    expect(unpack).not.toThrow();
    slots[Number(index)] = Number(sum);
    expect(await codeOf(unpack)).toBe(code);
  });
});

test.each(vectors.sets)('set: $name', async ({ finalised, registered, minCohort, code }) => {
  const facts = { round: 7, finalised: finalised ?? undefined, registered, minCohort } as Parameters<
    typeof requireAnswerableSet
  >[0];
  expect(await codeOf(() => requireAnswerableSet(facts))).toBe(code);
});

test('unpacking never fails: it is the check of the residues that refuses', () => {
  const residues = new Uint32Array(RESIDUES_PER_BLOCK);
  expect(() => unpackResidues(new Uint32Array(11_520).fill(0xffff_ffff), residues)).not.toThrow();
  expect(residues.every((residue) => residue === 2 ** 30 - 1)).toBe(true);
});
