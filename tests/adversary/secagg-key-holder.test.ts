// A key-holder under attack: wrong sets, swapped and replayed shares, second questions, crashes.
import { once as eventOf } from 'node:events';
import { createServer } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { SealRequest } from '../../edge-node/seal/seal.ts';
import { createKeyHolderRouter } from '../../key-holder/api.ts';
import { createApp, problemHandler, request as send } from '../../kit/http.ts';
import { createLog } from '../../kit/log.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import type { ConcordatError } from '../../protocol/errors.ts';
import { type AnswerRequest, answerMessage, MAX_ANSWER_BYTES } from '../../protocol/messages/answer.ts';
import { MAX_VOUCH_BYTES, vouchMessage } from '../../protocol/messages/vouch.ts';
import { setHash } from '../../protocol/secagg/set.ts';
import { SHARE_BYTES } from '../../protocol/secagg/shamir.ts';
import { addressOf, codeOf, honestAnswers, memoryStore, sealInMemory } from '../unit/secagg-fixtures.ts';
import {
  at,
  bareHolder,
  chainOf,
  chainWith,
  HOLDER,
  holderWith,
  honestRequest,
  INDEX,
  ROUND,
  refusal,
  sealed,
  sealer,
  shareOf,
  signatureOf,
  sum,
  uploadSignature,
  withShare,
} from './key-holder-world.ts';

test('answers the sum of its shares over the set on chain, signed', async () => {
  const holder = await holderWith();
  const answer = decodeCbor(await holder.answer(honestRequest()), answerMessage, MAX_ANSWER_BYTES);
  const expected = at(honestAnswers(sealed), INDEX - 1).bytes;
  expect(answer).toMatchObject({
    keyHolder: HOLDER,
    index: INDEX,
    round: ROUND,
    setHash: setHash(ROUND, sealed.dealers),
    aggregateHash: sum.aggregateHash,
  });
  expect(answer.answer).toEqual(expected);
  const { setHash: set, aggregateHash } = answer;
  const statement = {
    keyHolder: HOLDER,
    round: ROUND,
    setHash: set,
    aggregateHash,
    answerHash: toHex(sha256(expected)),
  };
  expect(answer.signature).toBe(signatureOf(statement));
});

describe('P2 refuses', () => {
  const changed = (i: number, change: Partial<AnswerRequest['shares'][number]>): AnswerRequest => ({
    ...honestRequest(),
    shares: honestRequest().shares.map((share, d) => (d === i ? { ...share, ...change } : share)),
  });

  test('a round that is not finalised', async () => {
    expect(await refusal(honestRequest(8))).toMatchObject({
      code: 'SET_REFUSED',
      fields: { reason: expect.stringMatching(/not finalised/) },
    });
  });
  test.each(['published', 'failed'] as const)('a round that is %s: it is over', async (status) => {
    const chain = chainOf({ statusOf: async () => status });
    expect(await refusal(honestRequest(), { chain })).toMatchObject({
      code: 'SET_REFUSED',
      fields: { reason: expect.stringMatching(/is over/) },
    });
  });
  test('a set below the minimum cohort, and of fewer than three whatever the chain says', async () => {
    const chain = (dealers: readonly Hex[], minCohort: number) =>
      chainOf({ finalisedSet: async () => dealers, minCohort: async () => minCohort });
    const shown = (count: number) => ({ ...honestRequest(), shares: honestRequest().shares.slice(0, count) });
    for (const [count, minCohort] of [
      [4, 5],
      [2, 2],
      [1, 1],
      [0, 0],
    ] as const) {
      // biome-ignore format: pairs
      const error = await refusal(shown(count), { chain: chain(sealed.dealers.slice(0, count), minCohort) });
      expect(error).toMatchObject({
        code: 'SET_REFUSED',
        fields: { reason: expect.stringMatching(/dealers, at least/) },
      });
    }
  });
  test('a set that holds one payload twice: a copied upload makes its owner\u2019s stand out', async () => {
    const [victim, copyist] = [at(sealed.dealers, 0), at(sealed.dealers, 2)];
    const copy = { ...at(sealed.updates, 2), payloadHash: at(sealed.updates, 0).payloadHash };
    expect(await refusal(honestRequest(), { chain: chainWith(copyist, copy) })).toMatchObject({
      code: 'SET_REFUSED',
      fields: { dealer: copyist, reason: expect.stringContaining(victim) },
    });
  });
  test('a dealer that is not registered', async () => {
    const chain = chainOf({ registeredDealers: async () => sealed.dealers.slice(1) });
    expect(await refusal(honestRequest(), { chain })).toMatchObject({
      code: 'SET_REFUSED',
      fields: { dealer: sealed.dealers[0] },
    });
  });
  test('a missing, an extra and a repeated dealer, whatever the coordinator says the set is', async () => {
    const { shares } = honestRequest();
    const extra = { ...at(shares, 0), dealer: addressOf('somebody') };
    for (const wrong of [shares.slice(1), [...shares, extra], [...shares, at(shares, 0)]]) {
      expect(await refusal({ ...honestRequest(), shares: wrong })).toMatchObject({ code: 'SET_REFUSED' });
    }
  });
  test('share hashes that are not under the root on chain', async () => {
    const hashes = [...at(honestRequest().shares, 1).shareHashes].reverse();
    expect(await refusal(changed(1, { shareHashes: hashes }))).toMatchObject({
      code: 'SET_REFUSED',
      fields: { dealer: sealed.dealers[1] },
    });
    expect(await refusal(changed(1, { shareHashes: hashes.slice(0, 1) }))).toMatchObject({ code: 'SET_REFUSED' });
  });
  test('another key-holder\u2019s or another dealer\u2019s share under the right root', async () => {
    const other = at(at(sealed.updates, 1).sealedShares, 0) as Uint8Array<ArrayBuffer>;
    const foreign = at(at(sealed.updates, 0).sealedShares, INDEX - 1) as Uint8Array<ArrayBuffer>;
    for (const sealedShare of [other, foreign]) {
      expect(await refusal(changed(1, { sealedShare }))).toMatchObject({ code: 'SET_REFUSED' });
    }
  });
  test('one flipped bit of a sealed share', async () => {
    const sealedShare = at(honestRequest().shares, 2).sealedShare.slice();
    sealedShare[100] = (sealedShare[100] ?? 0) ^ 1;
    expect(await refusal(changed(2, { sealedShare }))).toMatchObject({ fields: { dealer: sealed.dealers[2] } });
  });
  test('an upload that its dealer did not sign, whatever an endpoint shows of the chain', async () => {
    const [victim, honest] = [at(sealed.dealers, 1), at(sealed.updates, 1)];
    const other = at(sealed.updates, 0);
    // the same shares under another payload, sworn to by the endpoint and by another dealer
    const shown = { ...honest, payloadHash: toHex(sha256(new Uint8Array())) };
    const chain = chainWith(victim, shown);
    const reason = expect.stringMatching(/is not signed by it/);
    for (const signature of [
      uploadSignature(victim, honest),
      uploadSignature(victim, other),
      uploadSignature(at(sealed.dealers, 0), shown),
    ]) {
      const error = await refusal(changed(1, { signature }), { chain });
      expect(error).toMatchObject({ code: 'SET_REFUSED', fields: { dealer: victim, reason } });
    }
    expect(await refusal(changed(1, { signature: uploadSignature(victim, honest, 2) }))).toMatchObject({
      code: 'SET_REFUSED',
      fields: { dealer: victim, reason },
    });
  });
  test('a dealer without a commitment', async () => {
    const chain = chainOf({ commitmentOf: async () => undefined });
    expect(await refusal(honestRequest(), { chain })).toMatchObject({ code: 'SET_REFUSED' });
  });

  /**
   * Dealer 0 commits, in round 7, to shares that were sealed for something else: the root matches, the binding does not.
   * The sum is true: payloads are the honest ones.
   */
  const replay = async (change: Partial<SealRequest>): Promise<ConcordatError> => {
    const victim = at(sealed.dealers, 0);
    const { sealedShares, sharesRoot: root } = sealInMemory(sealer, { ...at(sealed.requests, 0), ...change });
    const update = { ...at(sealed.updates, 0), sealedShares, sharesRoot: root };
    return refusal(changed(0, shareOf(victim, update)), { chain: chainWith(victim, update) });
  };
  test.each([
    ['round', { round: 6 }],
    ['attempt', { attempt: 2 }],
    ['dealer', { dealer: addressOf('dealer 3') }],
    ['chain', { chainId: 1 }],
    ['ledger', { ledger: addressOf('another') }],
  ] as const)('a share sealed for another %s', async (_name, change) => {
    expect(await replay(change)).toMatchObject({ code: 'SHARE_UNREADABLE', fields: { dealer: sealed.dealers[0] } });
  });
  test('a share of the dealer\u2019s own other payload in the same attempt', async () => {
    expect(await replay({})).toMatchObject({ code: 'SHARE_UNREADABLE', fields: { dealer: sealed.dealers[0] } });
  });
  test('a copied share of another dealer beside an own payload', async () => {
    const [copied, own] = [at(sealed.updates, 1), at(sealed.updates, 0)];
    const mixed = { ...own, sealedShares: copied.sealedShares, sharesRoot: copied.sharesRoot };
    const victim = at(sealed.dealers, 0);
    const request = changed(0, shareOf(victim, mixed));
    expect(await refusal(request, { chain: chainWith(victim, mixed) })).toMatchObject({ code: 'SHARE_UNREADABLE' });
  });
  test.each([
    ['words beyond the field', new Uint8Array(SHARE_BYTES).fill(255)],
    ['too few words', new Uint8Array(SHARE_BYTES - 2)],
  ])('a share that opens but is no share vector: %s', async (_name, plaintext) => {
    const victim = at(sealed.dealers, 0);
    const evil = withShare(0, INDEX, plaintext);
    const error = await refusal(changed(0, shareOf(victim, evil)), { chain: chainWith(victim, evil) });
    expect(error).toMatchObject({ code: 'SHARE_UNREADABLE', fields: { dealer: victim } });
  });
});

describe('P2 answers once', () => {
  test('repeats are byte-identical, also after a restart and with another request body', async () => {
    const store = memoryStore();
    const first = await (await holderWith({ store })).answer(honestRequest());
    const restarted = bareHolder({ store });
    expect(await restarted.answer(honestRequest())).toEqual(first);
    expect(await restarted.answer({ ...honestRequest(), shares: honestRequest().shares.slice(0, 1) })).toEqual(first);
  });

  test('a second set in the round is refused for ever, even when the chain shows it', async () => {
    const store = memoryStore();
    const first = await (await holderWith({ store })).answer(honestRequest());
    const without = sealed.dealers.slice(1);
    const chain = chainOf({ finalisedSet: async () => without });
    const request = { ...honestRequest(), shares: honestRequest().shares.slice(1) };
    const error = await bareHolder({ store, chain })
      .answer(request)
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'SET_REFUSED', fields: { reason: expect.stringMatching(/another set/) } });
    expect(await (await holderWith({ store })).answer(honestRequest())).toEqual(first);
  });

  test('a chain that changes its mind between two concurrent requests gets one answer', async () => {
    const store = memoryStore();
    let calls = 0;
    const chain = chainOf({
      finalisedSet: async () => {
        calls += 1;
        // the first look is for the sum that is streamed
        return calls <= 2 ? sealed.dealers : sealed.dealers.slice(1);
      },
    });
    const holder = await holderWith({ store, chain });
    const smaller = { ...honestRequest(), shares: honestRequest().shares.slice(1) };
    const outcomes = await Promise.allSettled([holder.answer(honestRequest()), holder.answer(smaller)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(store.rows.size).toBe(1);
  });

  test('killed after the answer is on disk and before it is sent: the same bytes, and no other set', async () => {
    const rows = memoryStore();
    const dying = {
      get: rows.get,
      write: async (writes: Parameters<typeof rows.write>[0]) => {
        await rows.write(writes);
        throw new Error('killed');
      },
    };
    await expect((await holderWith({ store: dying })).answer(honestRequest())).rejects.toThrow('killed');
    const stored = [...rows.rows.values()][0];
    expect(await bareHolder({ store: rows }).answer(honestRequest())).toEqual(stored);
    const chain = chainOf({ finalisedSet: async () => sealed.dealers.slice(1) });
    const smaller = { ...honestRequest(), shares: honestRequest().shares.slice(1) };
    expect(await codeOf(() => bareHolder({ store: rows, chain }).answer(smaller))).toBe('SET_REFUSED');
  });

  test('another sum of the same set is refused for ever', async () => {
    const store = memoryStore();
    const first = await (await holderWith({ store })).answer(honestRequest());
    const another = { ...honestRequest(), aggregateHash: toHex(sha256(first)) };
    const error = await bareHolder({ store })
      .answer(another)
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'SET_REFUSED', fields: { reason: expect.stringMatching(/another sum/) } });
  });

  test('the same bytes are given again when the round is over, and its keys are erased', async () => {
    const store = memoryStore();
    const first = await (await holderWith({ store })).answer(honestRequest());
    const keyring = { withKeys: async () => Promise.reject(new Error('erased')) };
    const chain = chainOf({ statusOf: async () => 'published' });
    expect(await bareHolder({ store, keyring, chain }).answer(honestRequest())).toEqual(first);
  });

  test('nothing leaves when it cannot be stored', async () => {
    const rows = memoryStore();
    const full = { get: rows.get, write: async () => Promise.reject(new Error('disk full')) };
    await expect((await holderWith({ store: full })).answer(honestRequest())).rejects.toThrow('disk full');
  });

  test('an answer in the store that is another key-holder\u2019s is not given out', async () => {
    const store = memoryStore();
    await (await holderWith({ store })).answer(honestRequest());
    expect(await codeOf(() => bareHolder({ store, address: addressOf('other') }).answer(honestRequest()))).toBe(
      'STATE_CORRUPT',
    );
  });
});

describe('over HTTP', () => {
  async function serve<T>(run: (url: string) => Promise<T>, chain = chainOf()): Promise<T> {
    const app = createApp();
    app.use(createKeyHolderRouter(bareHolder({ chain })));
    app.use(problemHandler(createLog('test', 'silent')));
    const server = createServer(app).listen(0, '127.0.0.1');
    await eventOf(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    try {
      return await run(`http://127.0.0.1:${address.port}`);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  }
  const post = (url: string, body: Uint8Array, type = 'application/cbor', door = 'answers') =>
    send(`${url}/v1/${door}`, { method: 'POST', body, headers: { 'content-type': type } });
  const put = (url: string, path: string, body: Uint8Array, type = 'application/octet-stream') =>
    send(`${url}/v1/rounds/${path}`, { method: 'PUT', body, headers: { 'content-type': type } });
  const pathOf = (hash: Hex, aggregate = sum.aggregateHash) => `${ROUND}/payloads/${hash}?aggregate=${aggregate}`;

  test('identity, the sum, an answer, and its repeat', async () => {
    await serve(async (url) => {
      const identity = JSON.parse(new TextDecoder().decode(await send(`${url}/v1/identity`)));
      expect(identity).toEqual({ address: HOLDER, index: INDEX });
      const body = encodeCbor(honestRequest());
      expect(await codeOf(() => post(url, body))).toBe('PAYLOAD_NEEDED');
      expect(await put(url, pathOf(sum.aggregateHash), sum.bytes)).toHaveLength(0);
      const first = await post(url, body);
      expect(decodeCbor(first, answerMessage, MAX_ANSWER_BYTES).round).toBe(ROUND);
      expect(await post(url, body)).toEqual(first);
    });
  });

  test('vouches while the round is open', async () => {
    const body = encodeCbor({ v: 'concordat/1/vouch-request', round: ROUND, shares: honestRequest().shares });
    const vouch = (url: string) => post(url, body, 'application/cbor', 'vouches');
    await serve(
      async (url) => {
        expect(decodeCbor(await vouch(url), vouchMessage, MAX_VOUCH_BYTES).vouches).toHaveLength(4);
        expect(await codeOf(() => post(url, encodeCbor({}), 'application/cbor', 'vouches'))).toBe('MESSAGE_MALFORMED');
      },
      chainOf({ statusOf: async () => 'open' }),
    );
    await serve(async (url) => expect(await codeOf(() => vouch(url))).toBe('SET_REFUSED'));
  });

  test('why a payload is not taken reaches its sender, however much of it is still to come', async () => {
    await serve(async (url) => {
      const { aggregateHash, bytes } = sum;
      const large = new Uint8Array(8_000_000);
      const foreign = toHex(sha256(large));
      expect(await codeOf(() => put(url, pathOf(foreign), large))).toBe('SET_REFUSED');
      expect(await codeOf(() => put(url, pathOf(aggregateHash), large))).toBe('PAYLOAD_MALFORMED');
      expect(await codeOf(() => put(url, pathOf(aggregateHash), bytes, 'application/cbor'))).toBe('MESSAGE_MALFORMED');
      for (const path of [
        `0/payloads/${aggregateHash}?aggregate=${aggregateHash}`,
        `x/payloads/${aggregateHash}?aggregate=${aggregateHash}`,
        `${ROUND}/payloads/${aggregateHash}`,
        `${ROUND}/payloads/0x12?aggregate=${aggregateHash}`,
        `${ROUND}/payloads/${aggregateHash}?aggregate=${aggregateHash}&aggregate=${aggregateHash}`,
      ]) {
        expect(await codeOf(() => put(url, path, bytes))).toBe('MESSAGE_MALFORMED');
      }
      expect(await put(url, pathOf(aggregateHash), bytes)).toHaveLength(0);
    });
  });

  test('what is not a canonical request is refused with its code', async () => {
    await serve(async (url) => {
      const body = encodeCbor(honestRequest());
      const trailing = new Uint8Array([...body, 0]);
      expect(await codeOf(() => post(url, trailing))).toBe('MESSAGE_MALFORMED');
      expect(await codeOf(() => post(url, new Uint8Array()))).toBe('MESSAGE_MALFORMED');
      expect(await codeOf(() => post(url, body, 'application/json'))).toBe('MESSAGE_MALFORMED');
      expect(await codeOf(() => post(url, encodeCbor({ ...honestRequest(), set: [] })))).toBe('MESSAGE_MALFORMED');
      expect(await codeOf(() => post(url, encodeCbor(honestRequest(8))))).toBe('SET_REFUSED');
      expect(await codeOf(() => post(url, new Uint8Array(13_000_000)))).toBe('MESSAGE_TOO_LARGE');
    });
  });
});
