// The frozen vectors of secure aggregation: the reference still gives them, and every engine agrees word for word.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { createAdder } from '../../coordinator/aggregate/sum.ts';
import { openSum } from '../../coordinator/opening/open.ts';
import { createSealer } from '../../edge-node/seal/seal.ts';
import { openShare } from '../../engines/keys/sealing.ts';
import type { RingOpener } from '../../engines/ring/open.ts';
import type { Ring } from '../../engines/ring/ring.ts';
import { sha256, toHex } from '../../protocol/bytes.ts';
import { RING_DEGREE } from '../../protocol/secagg/block.ts';
import { decodePayload } from '../../protocol/secagg/payload.ts';
import { addShares, decodeShare, encodeShare } from '../../protocol/secagg/shamir.ts';
import { sealedShareHash, shareAssociatedData } from '../../protocol/secagg/shares.ts';
import { ENGINES } from '../unit/secagg-fixtures.ts';
import { buildVectors, VECTOR, vectorKeys, vectorStream, vectorValues } from './secagg-build.ts';

type Vectors = ReturnType<typeof buildVectors>;
const frozen = JSON.parse(
  readFileSync(new URL('../../protocol/vectors/secagg.json', import.meta.url), 'utf8'),
) as Vectors;

test('the plain reference still gives the frozen vectors', () => {
  expect(JSON.parse(JSON.stringify(buildVectors()))).toEqual(frozen);
});

describe.each(ENGINES)('engine $name', ({ createRing, createOpener }) => {
  let ring: Ring;
  let opener: RingOpener;
  beforeAll(async () => {
    [ring, opener] = [await createRing(), await createOpener()];
  });

  const keyHolders = Array.from({ length: VECTOR.holders }, (_, i) => ({
    index: i + 1,
    publicKey: vectorKeys(i + 1).publicKey,
  }));
  const seal = () =>
    VECTOR.dealers.map((dealer) =>
      createSealer({ ring, random: vectorStream(dealer) }).seal({
        ...VECTOR,
        dealer,
        values: vectorValues(dealer),
        keyHolders,
      }),
    );

  test('seals the frozen payloads and shares', () => {
    seal().forEach((update, d) => {
      const expected = frozen.updates[d];
      expect(update.payloadHash).toBe(expected?.payloadHash);
      expect(update.sealedShares.map(sealedShareHash)).toEqual(expected?.sealedShareHashes);
      expect(update.sharesRoot).toBe(expected?.sharesRoot);
    });
  });

  test('adds, answers and opens to the frozen sum', () => {
    const updates = seal();
    const adder = createAdder({ ring }, 2);
    for (const { payload } of updates) adder.add(decodePayload(payload, 2));
    const { payload: aggregate, aggregateHash, dealers } = adder.finish();
    expect(aggregateHash).toBe(frozen.sum.aggregateHash);
    const answers = keyHolders.map(({ index }) => {
      const sum = new Uint16Array(RING_DEGREE);
      updates.forEach(({ payloadHash, sealedShares }, d) => {
        const dealer = VECTOR.dealers[d] ?? '0x';
        const data = shareAssociatedData({ ...VECTOR, dealer, payloadHash }, index);
        addShares(sum, decodeShare(openShare(vectorKeys(index), sealedShares[index - 1] ?? new Uint8Array(), data)));
      });
      return { index, bytes: encodeShare(sum) };
    });
    expect(answers.map(({ bytes }) => toHex(sha256(bytes)))).toEqual(frozen.sum.answers.map((a) => a.answerHash));
    const opened = openSum(opener, { ...VECTOR, aggregate, dealers, answers });
    expect([...opened.secretSum.subarray(0, 8)]).toEqual(frozen.sum.secretSum.prefix);
    expect([...opened.values.subarray(0, 8)]).toEqual(frozen.sum.values.prefix);
    const padded = new Uint32Array(2 * 3 * RING_DEGREE);
    padded.set(opened.values);
    expect(toHex(sha256(new Uint8Array(padded.buffer)))).toBe(frozen.sum.values.sha256);
    expect(opened.noise.maxAbs).toBe(frozen.sum.noise.maxAbs);
  });
});
