// A key-holder opens the true sum of the set's payloads only: false sums, false fingerprints, payloads that are none.
import { describe, expect, test } from 'vitest';
import type { ChainView } from '../../key-holder/round-facts.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { decodeCbor } from '../../protocol/codec.ts';
import type { ConcordatError } from '../../protocol/errors.ts';
import { type AnswerRequest, answerMessage, MAX_ANSWER_BYTES } from '../../protocol/messages/answer.ts';
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { createPayloadParser, payloadHeader } from '../../protocol/secagg/payload.ts';
import { addressOf, codeOf, encodeResidues, honestAnswers } from '../unit/secagg-fixtures.ts';
import {
  at,
  bareHolder,
  chainOf,
  challengeOf,
  chunksOf,
  fingerprintOf,
  holderWith,
  honestFingerprints,
  honestRequest,
  INDEX,
  ROUND,
  refusal,
  sealed,
  signedFingerprint,
  sum,
} from './key-holder-world.ts';

describe('P2 opens the true sum only', () => {
  const payloadsOf = (error: ConcordatError) => error.fields.payloads;
  /** Asks about a false sum, everything else about it as the protocol says. */
  async function askedFor(residues: Uint32Array): Promise<string> {
    const bytes = encodeResidues(residues);
    const aggregateHash = toHex(sha256(bytes));
    const holder = bareHolder();
    await holder.takePayload(ROUND, aggregateHash, aggregateHash, chunksOf(bytes));
    const request = { ...honestRequest(), aggregateHash, fingerprints: honestFingerprints({ aggregateHash }) };
    return codeOf(() => holder.answer(request));
  }
  const residuesOf = (d: number): Uint32Array => {
    const residues = new Uint32Array(sum.blocks * RESIDUES_PER_BLOCK);
    const parser = createPayloadParser(sum.blocks, (index, _words, block) => residues.set(block, index * block.length));
    parser.push(at(sealed.updates, d).payload);
    return residues;
  };

  test('one dealer\u2019s payload in place of the sum', async () => {
    expect(await askedFor(residuesOf(0))).toBe('AGGREGATE_MISMATCH');
  });
  test('a sum off by one in one residue', async () => {
    const residues = sum.residues.slice();
    residues[4_711] = residues[4_711] === 0 ? 1 : 0;
    expect(await askedFor(residues)).toBe('AGGREGATE_MISMATCH');
  });
  test('the true sum with a zero block more, which changes no inner product', async () => {
    const padded = new Uint32Array(sum.residues.length + RESIDUES_PER_BLOCK);
    padded.set(sum.residues);
    expect(await askedFor(padded)).toBe('AGGREGATE_MISMATCH');
    // nor from the payloads themselves, when nobody has signed anything
    const bytes = encodeResidues(padded);
    const aggregateHash = toHex(sha256(bytes));
    const holder = bareHolder();
    await holder.takePayload(ROUND, aggregateHash, aggregateHash, chunksOf(bytes));
    for (const { payload, payloadHash } of sealed.updates) {
      await holder.takePayload(ROUND, payloadHash, aggregateHash, chunksOf(payload));
    }
    const request = { ...honestRequest(), aggregateHash, fingerprints: [] };
    expect(await codeOf(() => holder.answer(request))).toBe('AGGREGATE_MISMATCH');
  });
  test('the sum itself passes the same way', async () => {
    expect(await askedFor(sum.residues)).toBe('nothing thrown');
  });

  test('before the sum was streamed it is asked for, with the payloads nobody signed for', async () => {
    const request = { ...honestRequest(), fingerprints: honestFingerprints().slice(1, 3) };
    const error = await bareHolder().answer(request).catch((e: unknown) => e); // biome-ignore format: one line
    const unsigned = [0, 3].map((d) => at(sealed.updates, d).payloadHash);
    expect(error).toMatchObject({ code: 'PAYLOAD_NEEDED', fields: { round: ROUND } });
    expect(payloadsOf(error as ConcordatError)).toEqual([sum.aggregateHash, ...unsigned]);
    expect(payloadsOf(await refusal(request))).toEqual(unsigned);
  });

  test('a dealer that has gone away is answered for from its payload alone', async () => {
    const holder = await holderWith();
    const request = { ...honestRequest(), fingerprints: honestFingerprints().slice(1) };
    const { payload, payloadHash } = at(sealed.updates, 0);
    await holder.takePayload(ROUND, payloadHash, sum.aggregateHash, chunksOf(payload, 7_777));
    const answer = decodeCbor(await holder.answer(request), answerMessage, MAX_ANSWER_BYTES);
    expect(answer.answer).toEqual(at(honestAnswers(sealed), INDEX - 1).bytes);
  });

  test('a dealer that signs a false fingerprint stops nobody: its payload overrules it', async () => {
    const holder = await holderWith();
    const lie = fingerprintOf(at(sealed.updates, 1).payload, challengeOf());
    const request = { ...honestRequest(), fingerprints: honestFingerprints().with(0, signedFingerprint(at(sealed.dealers, 0), lie)) }; // biome-ignore format: one thought
    expect(await codeOf(() => holder.answer(request))).toBe('AGGREGATE_MISMATCH');
    const { payload, payloadHash } = at(sealed.updates, 0);
    await holder.takePayload(ROUND, payloadHash, sum.aggregateHash, chunksOf(payload));
    expect(await codeOf(() => holder.answer(request))).toBe('nothing thrown');
  });

  test('a fingerprint that another signed, that is signed for another sum, or that is a stranger\u2019s, does not count', async () => {
    const [first, second, ...rest] = honestFingerprints();
    if (first === undefined || second === undefined) throw new Error('too few');
    const asked = (fingerprints: AnswerRequest['fingerprints']) => refusal({ ...honestRequest(), fingerprints });
    const stolen = { ...first, signature: second.signature };
    expect(await asked([stolen, second, ...rest])).toMatchObject({
      code: 'SIGNATURE_INVALID',
      fields: { dealer: first.dealer },
    });
    const elsewhere = signedFingerprint(first.dealer, first.fingerprint, toHex(sha256(first.fingerprint)));
    expect(await asked([elsewhere, second, ...rest])).toMatchObject({ code: 'SIGNATURE_INVALID' });
    const stranger = signedFingerprint(addressOf('stranger'), first.fingerprint);
    expect(await asked([stranger, second, ...rest])).toMatchObject({ code: 'SET_REFUSED' });
    expect(await asked([first, first, ...rest])).toMatchObject({ code: 'SET_REFUSED' });
  });

  test('the fingerprint of a sum is worth nothing for another set', async () => {
    let dealers = sealed.dealers;
    const holder = await holderWith({ chain: chainOf({ finalisedSet: async () => dealers }) });
    dealers = sealed.dealers.slice(1);
    const request = { ...honestRequest(), shares: honestRequest().shares.slice(1), fingerprints: [] };
    expect(await codeOf(() => holder.answer(request))).toBe('PAYLOAD_NEEDED');
  });

  describe('a stream', () => {
    const taken = (bytes: Uint8Array, change: { hash?: Hex; size?: number; chain?: ChainView; round?: number } = {}) =>
      codeOf(() =>
        bareHolder(change.chain && { chain: change.chain }).takePayload(
          change.round ?? ROUND,
          change.hash ?? sum.aggregateHash,
          sum.aggregateHash,
          chunksOf(bytes, change.size),
        ),
      );

    test.each([1_000_000, 46_080, 4_096, 61])('in pieces of %i bytes is the same payload', async (size) => {
      expect(await taken(sum.bytes, { size })).toBe('nothing thrown');
    });
    test('cut short, too long or altered is none', async () => {
      const altered = sum.bytes.slice();
      altered[20_000] = (altered[20_000] ?? 0) ^ 1;
      const long = new Uint8Array(sum.bytes.length + 1);
      long.set(sum.bytes);
      for (const bytes of [sum.bytes.slice(0, -1), sum.bytes.slice(0, 7), new Uint8Array(), altered, long]) {
        expect(await taken(bytes)).toBe('PAYLOAD_MALFORMED');
      }
    });
    test('that states no blocks, or more than a model may have, ends at its header', async () => {
      expect(await taken(payloadHeader(0))).toBe('PAYLOAD_MALFORMED');
      expect(await taken(payloadHeader(1_025))).toBe('MESSAGE_TOO_LARGE');
      expect(await taken(payloadHeader(2 ** 32 - 1))).toBe('MESSAGE_TOO_LARGE');
    });
    test('of a payload that is neither the sum nor in the set is not read', async () => {
      const hash = toHex(sha256(sum.bytes.slice(1)));
      expect(await taken(sum.bytes, { hash })).toBe('SET_REFUSED');
      const others = chainOf({ finalisedSet: async () => sealed.dealers.slice(1) });
      const left = at(sealed.updates, 0);
      expect(await taken(left.payload, { hash: left.payloadHash, chain: others })).toBe('SET_REFUSED');
    });
    test('for a round that is not finalised, or over, is not read', async () => {
      expect(await taken(sum.bytes, { round: 8 })).toBe('SET_REFUSED');
      expect(await taken(sum.bytes, { chain: chainOf({ statusOf: async () => 'failed' }) })).toBe('SET_REFUSED');
    });
    test('is forgotten with its round', async () => {
      const holder = await holderWith();
      holder.forget(ROUND);
      expect(await codeOf(() => holder.answer(honestRequest()))).toBe('PAYLOAD_NEEDED');
    });
  });
});
