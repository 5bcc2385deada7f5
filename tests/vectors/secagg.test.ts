// The frozen vectors of secure aggregation: the references still give them, and the protocol and every engine agree.
import { readdirSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { openShare } from '../../engines/keys/sealing.ts';
import { fromHex, sha256, toHex } from '../../protocol/bytes.ts';
import { RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { createFingerprinter, fingerprintChallenge, fingerprintsAddUp } from '../../protocol/secagg/fingerprint.ts';
import { sharingHolds, testCombination, testValue } from '../../protocol/secagg/linear-test.ts';
import { createNoiseMeter } from '../../protocol/secagg/noise.ts';
import type { RingOpener } from '../../protocol/secagg/opener.ts';
import { blocksFor, packValues, unpackSums } from '../../protocol/secagg/packing.ts';
import { decodePayload, payloadHash } from '../../protocol/secagg/payload.ts';
import { expandA } from '../../protocol/secagg/public-a.ts';
import { packResidues, unpackResidues } from '../../protocol/secagg/residue-bits.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { sampleCbd } from '../../protocol/secagg/sampling.ts';
import { setHash } from '../../protocol/secagg/set.ts';
import { addShares, decodeShare, encodeShare, reconstruct } from '../../protocol/secagg/shamir.ts';
import { sealedShareHash, shareAssociatedData } from '../../protocol/secagg/shares.ts';
import { ENGINES, encodeResidues, type SealedInMemory, streamOf } from '../unit/secagg-fixtures.ts';
import { digest } from './digest.ts';
import { frozen, frozenRound, sealVectorRound, textOf, vectorKeys } from './frozen.ts';
import { buildVectors, toText, VECTORS } from './secagg-build.ts';
import { VECTOR_ROUNDS, type VectorRound, vectorStream, vectorValues } from './secagg-rounds.ts';

const MINUTE = 60_000;

test('built again, the vectors are the same files, byte for byte, and no others', { timeout: 2 * MINUTE }, async () => {
  const built = await buildVectors();
  for (const [name, vectors] of Object.entries(built)) expect(toText(vectors)).toBe(textOf(name));
  const files = readdirSync(VECTORS).filter((name) => name.startsWith('secagg'));
  expect(files.sort()).toEqual(Object.keys(built).sort());
});

const blockAt = (residues: Uint32Array, k: number): Uint32Array =>
  residues.subarray(k * RESIDUES_PER_BLOCK, (k + 1) * RESIDUES_PER_BLOCK);

describe('what all rounds share', () => {
  const { publicA, seed, cbd, bits } = frozen('secagg.json');

  test.each(publicA)('the public polynomials of block $block', ({ block, ntt }) => {
    const a = expandA(fromHex(seed), block);
    expect(ntt).toEqual([0, 1, 2].map((j) => digest(a.subarray(j * RING_DEGREE, (j + 1) * RING_DEGREE))));
  });

  test('random bytes to small numbers', () => {
    const [bytes, samples] = [new Uint8Array(10 * RING_DEGREE), new Int32Array(RING_DEGREE)];
    streamOf('vector cbd')(bytes);
    sampleCbd(bytes, samples);
    expect(digest(samples)).toEqual(cbd.samples);
  });

  test.each(bits.groups)('residues to words and back: $name', ({ residues, words }) => {
    const [packed, unpacked] = [new Uint32Array(15), new Uint32Array(16)];
    packResidues(Uint32Array.from(residues), packed);
    expect([...packed]).toEqual(words);
    unpackResidues(packed, unpacked);
    expect([...unpacked]).toEqual(residues);
  });
});

const contextOf = (round: VectorRound, dealer: number, hash: SealedInMemory['payloadHash']) => ({
  ...round,
  dealer: round.dealers[dealer] ?? '0x',
  payloadHash: hash,
});

describe.each(ENGINES)('engine $name', ({ createRing, createOpener }) => {
  let ring: Ring;
  let opener: RingOpener;
  beforeAll(async () => {
    [ring, opener] = [await createRing(), await createOpener()];
  });

  describe.each(VECTOR_ROUNDS)('packing $packing.name', (round) => {
    const { updates: expected, sum, keyHolders } = frozenRound(round);
    const blocks = blocksFor(round.valueCount, round.packing);
    let updates: readonly SealedInMemory[];
    let residues: readonly Uint32Array[];
    beforeAll(() => {
      updates = sealVectorRound(ring, round);
      residues = updates.map(({ payload }) => {
        const out = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
        unpackResidues(decodePayload(payload, blocks).words, out);
        return out;
      });
    });
    const sharesOf = (dealer: number) =>
      keyHolders.map((_, h) => {
        const { payloadHash: hash, sealedShares } = updates[dealer] as SealedInMemory;
        const data = shareAssociatedData(contextOf(round, dealer, hash), h + 1);
        expect(toHex(data)).toBe(expected[dealer]?.associatedData[h]);
        return decodeShare(openShare(vectorKeys(h + 1), sealedShares[h] ?? new Uint8Array(), data));
      });

    test('seals the frozen payloads from the frozen values, secrets and errors', () => {
      expect(keyHolders).toEqual(keyHolders.map((_, h) => toHex(sha256(vectorKeys(h + 1).publicKey))));
      expected.forEach((frozenUpdate, d) => {
        const random = vectorStream(round, frozenUpdate.dealer);
        const sample = () => {
          const [bytes, out] = [new Uint8Array(10 * RING_DEGREE), new Int32Array(RING_DEGREE)];
          random(bytes);
          sampleCbd(bytes, out);
          return digest(out);
        };
        const { payload, payloadHash: hash } = updates[d] as SealedInMemory;
        expect(digest(packValues(vectorValues(round, frozenUpdate.dealer), round.packing))).toEqual(
          frozenUpdate.values,
        );
        expect(sample()).toEqual(frozenUpdate.secret);
        frozenUpdate.blocks.forEach((block, k) => {
          expect(sample()).toEqual(block.error);
          expect(digest(blockAt(residues[d] ?? new Uint32Array(), k))).toEqual(block.residues);
        });
        expect(digest(decodePayload(payload, blocks).words)).toEqual(frozenUpdate.payload.words);
        expect([hash, payload.length]).toEqual([frozenUpdate.payload.sha256, frozenUpdate.payload.bytes]);
      });
    });

    test('deals and tests the frozen shares', () => {
      expected.forEach((frozenUpdate, d) => {
        const { payloadHash: hash, sealedShares, sharesRoot } = updates[d] as SealedInMemory;
        expect(sealedShares.map(sealedShareHash)).toEqual(frozenUpdate.sealedShareHashes);
        expect(sharesRoot).toBe(frozenUpdate.sharesRoot);
        const shares = sharesOf(d);
        expect(shares.map(digest)).toEqual(frozenUpdate.shares);
        const masks = shares.map((share, h) => ({ index: h + 1, share: share.slice(RING_DEGREE) }));
        const atZero = reconstruct(masks.slice(0, round.threshold)).subarray(0, 4);
        expect([...atZero].map((x) => (x + 65_521) % 65_521)).toEqual(frozenUpdate.masks);
        const combination = testCombination(contextOf(round, d, hash), sharesRoot);
        expect(combination.map(digest)).toEqual(frozenUpdate.combination);
        const values = shares.map((share) => testValue(share, combination));
        expect(values.map(toHex)).toEqual(frozenUpdate.testValues);
        const points = values.map((value, h) => ({ index: h + 1, value }));
        expect(sharingHolds(points, round.threshold)).toBe(true);
      });
    });

    test('adds, fingerprints, answers and opens to the frozen sum', () => {
      const aggregate = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
      for (const { payload } of updates) ring.addPacked(aggregate, decodePayload(payload, blocks).words);
      const aggregateHash = payloadHash(encodeResidues(aggregate));
      expect([digest(aggregate), aggregateHash]).toEqual([sum.residues, sum.aggregateHash]);
      expect(setHash(round.round, round.dealers)).toBe(sum.setHash);

      const payloadHashes = updates.map((update) => update.payloadHash);
      const challenge = fingerprintChallenge({ ...round, setHash: sum.setHash, payloadHashes, aggregateHash, blocks });
      expect(toHex(challenge)).toBe(sum.fingerprint.challenge);
      const fingerprintOf = (of: Uint32Array) => {
        const fingerprinter = createFingerprinter(challenge);
        for (let k = 0; k < blocks; k++) fingerprinter.addBlock(k, blockAt(of, k));
        return fingerprinter.finish();
      };
      const parts = residues.map(fingerprintOf);
      expect(parts.map(toHex)).toEqual(expected.map(({ fingerprint }) => fingerprint));
      expect(toHex(fingerprintOf(aggregate))).toBe(sum.fingerprint.ofAggregate);
      expect(fingerprintsAddUp(parts, fingerprintOf(aggregate))).toBe(true);

      const answers = keyHolders.map(() => new Uint16Array(RING_DEGREE));
      round.dealers.forEach((_, d) => {
        sharesOf(d).forEach((share, h) => {
          addShares(answers[h] ?? new Uint16Array(), share);
        });
      });
      expect(answers.map((share) => ({ ...digest(share), answerHash: toHex(sha256(encodeShare(share))) }))).toEqual(
        sum.answers,
      );
      const indexed = answers.map((share, h) => ({ index: h + 1, share }));
      const secretSum = reconstruct(indexed.slice(-round.threshold));
      expect(digest(secretSum)).toEqual(sum.secretSum);

      const values = new Uint32Array(blocks * round.packing.valuesPerBlock);
      const meter = createNoiseMeter(round.dealers.length);
      const noise: number[] = [];
      const onNoise = (error: Int32Array): void => {
        meter.add(error);
        noise.push(...error);
      };
      opener.open({ seed: fromHex(round.seed), secretSum, aggregate, packing: round.packing, values, onNoise });
      expect(digest(values)).toEqual(sum.values);
      expect(sum.noise).toMatchObject(digest(Int32Array.from(noise)));
      const { maxAbs, sumSquares, samples, expectedVariance } = sum.noise;
      expect(meter.report()).toMatchObject({ maxAbs, sumSquares, samples, expectedVariance, clean: true });
      expect(unpackSums(values, round.valueCount, round.dealers.length, round.packing)).toHaveLength(round.valueCount);
    });
  });
});
