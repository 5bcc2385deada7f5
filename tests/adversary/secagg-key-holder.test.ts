// A key-holder under attack: wrong sets, swapped and replayed shares, second questions, crashes.
import { once as eventOf } from 'node:events';
import { createServer } from 'node:http';
import { beforeAll, describe, expect, test } from 'vitest';
import type { SealedUpdate, SealRequest } from '../../edge-node/seal/seal.ts';
import { createSealer } from '../../edge-node/seal/seal.ts';
import { createSealRing } from '../../engines/ring/seal.ts';
import { createKeyHolderRouter } from '../../key-holder/api.ts';
import { type ChainView, createKeyHolder, type KeyHolderParts } from '../../key-holder/holder.ts';
import { createApp, problemHandler, request as send } from '../../kit/http.ts';
import { createLog } from '../../kit/log.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type AnswerRequest, answerMessage, MAX_ANSWER_BYTES } from '../../protocol/messages/answer.ts';
import { setHash } from '../../protocol/secagg/set.ts';
import { sealedShareHash, sharesRoot } from '../../protocol/secagg/shares.ts';
import {
  addressOf,
  CHAIN_ID,
  codeOf,
  honestAnswers,
  keysOf,
  LEDGER,
  memoryStore,
  type SealedRound,
  sealRound,
} from '../unit/secagg-fixtures.ts';

const ROUND = 7;
const INDEX = 2;
const HOLDER = addressOf('key-holder 2');

let sealed: SealedRound;
let sealer: ReturnType<typeof createSealer>;
beforeAll(async () => {
  const ring = await createSealRing();
  sealer = createSealer({ ring });
  sealed = sealRound(ring, { dealers: 4, holders: 3, threshold: 2, valueCount: 100, round: ROUND });
});

const at = <T>(items: readonly T[], i: number): T => {
  const item = items[i];
  if (item === undefined) throw new Error(`no item ${i}`);
  return item;
};

/** The chain as the honest round left it; tests change what they attack. */
function chainOf(change: Partial<ChainView> = {}): ChainView {
  return {
    chainId: CHAIN_ID,
    ledger: LEDGER,
    finalisedSet: async (round) => (round === ROUND ? sealed.dealers : undefined),
    commitmentOf: async (_round, dealer) => commitmentOf(at(sealed.updates, sealed.dealers.indexOf(dealer))),
    minCohort: async () => 3,
    registeredDealers: async () => sealed.dealers,
    ...change,
  };
}

const commitmentOf = (update: SealedUpdate, attempt = 1) => ({
  attempt,
  payloadHash: update.payloadHash,
  sharesRoot: update.sharesRoot,
});

function shareOf(dealer: Hex, update: SealedUpdate): AnswerRequest['shares'][number] {
  return {
    dealer,
    sealedShare: at(update.sealedShares, INDEX - 1) as Uint8Array<ArrayBuffer>,
    shareHashes: update.sealedShares.map(sealedShareHash),
  };
}

const honestRequest = (round = ROUND): AnswerRequest => ({
  v: 'concordat/1/answer-request',
  round,
  shares: sealed.dealers.map((dealer, d) => shareOf(dealer, at(sealed.updates, d))),
});

function holderWith(parts: Partial<KeyHolderParts> = {}) {
  return createKeyHolder({
    address: HOLDER,
    index: INDEX,
    keys: keysOf(INDEX),
    sign: async (statement) => toHex(sha256(encodeCbor({ ...statement }))).padEnd(132, '0') as Hex,
    chain: chainOf(),
    store: memoryStore(),
    ...parts,
  });
}

test('answers the sum of its shares over the set on chain, signed', async () => {
  const answer = decodeCbor(await holderWith().answer(honestRequest()), answerMessage, MAX_ANSWER_BYTES);
  const expected = at(honestAnswers(sealed), INDEX - 1).bytes;
  expect(answer).toMatchObject({
    keyHolder: HOLDER,
    index: INDEX,
    round: ROUND,
    setHash: setHash(ROUND, sealed.dealers),
  });
  expect(answer.answer).toEqual(expected);
  const statement = { keyHolder: HOLDER, round: ROUND, setHash: answer.setHash, answerHash: toHex(sha256(expected)) };
  expect(answer.signature).toBe(toHex(sha256(encodeCbor(statement))).padEnd(132, '0'));
});

describe('P2 refuses', () => {
  const refusal = async (request: AnswerRequest, parts: Partial<KeyHolderParts> = {}): Promise<ConcordatError> => {
    const store = memoryStore();
    const error = await holderWith({ store, ...parts })
      .answer(request)
      .catch((e: unknown) => e);
    if (!(error instanceof ConcordatError)) throw new Error('answered');
    expect(store.rows.size).toBe(0);
    return error;
  };
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
  test('a set below the minimum cohort, or of one', async () => {
    const chain = (dealers: readonly Hex[], minCohort: number) =>
      chainOf({ finalisedSet: async () => dealers, minCohort: async () => minCohort });
    expect(await refusal(honestRequest(), { chain: chain(sealed.dealers, 5) })).toMatchObject({ code: 'SET_REFUSED' });
    expect(await refusal(honestRequest(), { chain: chain(sealed.dealers.slice(3), 1) })).toMatchObject({
      code: 'SET_REFUSED',
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
  test('a dealer without a commitment', async () => {
    const chain = chainOf({ commitmentOf: async () => undefined });
    expect(await refusal(honestRequest(), { chain })).toMatchObject({ code: 'SET_REFUSED' });
  });

  /** Dealer 0 commits, in round 7, shares that were sealed for something else: the root matches, the binding does not. */
  const replay = async (change: Partial<SealRequest>): Promise<ConcordatError> => {
    const victim = at(sealed.dealers, 0);
    const update = sealer.seal({ ...at(sealed.requests, 0), ...change });
    const chain = chainOf({
      commitmentOf: async (_round, dealer) =>
        commitmentOf(dealer === victim ? update : at(sealed.updates, sealed.dealers.indexOf(dealer))),
    });
    return refusal(changed(0, shareOf(victim, update)), { chain });
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
    const victim = at(sealed.dealers, 0);
    const [own, other] = [at(sealed.updates, 0), sealer.seal(at(sealed.requests, 0))];
    const mixed = { ...own, payloadHash: other.payloadHash };
    const chain = chainOf({
      commitmentOf: async (_round, dealer) =>
        commitmentOf(dealer === victim ? mixed : at(sealed.updates, sealed.dealers.indexOf(dealer))),
    });
    expect(await refusal(honestRequest(), { chain })).toMatchObject({
      code: 'SHARE_UNREADABLE',
      fields: { dealer: victim },
    });
  });
  test('a copied share of another dealer beside an own payload', async () => {
    const [copied, own] = [at(sealed.updates, 1), at(sealed.updates, 0)];
    const mixed = { ...own, sealedShares: copied.sealedShares, sharesRoot: copied.sharesRoot };
    const chain = chainOf({
      commitmentOf: async (_r, d) =>
        commitmentOf(d === sealed.dealers[0] ? mixed : at(sealed.updates, sealed.dealers.indexOf(d))),
    });
    const request = changed(0, shareOf(at(sealed.dealers, 0), mixed));
    expect(await refusal(request, { chain })).toMatchObject({ code: 'SHARE_UNREADABLE' });
  });
  test('a share that opens but is no share vector', async () => {
    const { sealShare } = await import('../../engines/keys/sealing.ts');
    const { shareAssociatedData } = await import('../../protocol/secagg/shares.ts');
    const [request, update] = [at(sealed.requests, 0), at(sealed.updates, 0)];
    const data = shareAssociatedData({ ...request, payloadHash: update.payloadHash }, INDEX);
    const bad = sealShare(keysOf(INDEX).publicKey, new Uint8Array(8192).fill(255), data);
    const sealedShares = update.sealedShares.map((share, i) => (i === INDEX - 1 ? bad : share));
    const evil = { ...update, sealedShares, sharesRoot: sharesRoot(sealedShares.map(sealedShareHash)) };
    const chain = chainOf({
      commitmentOf: async (_r, d) =>
        commitmentOf(d === sealed.dealers[0] ? evil : at(sealed.updates, sealed.dealers.indexOf(d))),
    });
    const error = await refusal(changed(0, shareOf(at(sealed.dealers, 0), evil)), { chain });
    expect(error).toMatchObject({ code: 'SHARE_UNREADABLE', fields: { dealer: sealed.dealers[0] } });
  });
});

describe('P2 answers once', () => {
  test('repeats are byte-identical, also after a restart and with another request body', async () => {
    const store = memoryStore();
    const first = await holderWith({ store }).answer(honestRequest());
    const restarted = holderWith({ store });
    expect(await restarted.answer(honestRequest())).toEqual(first);
    expect(await restarted.answer({ ...honestRequest(), shares: honestRequest().shares.slice(0, 1) })).toEqual(first);
  });

  test('a second set in the round is refused for ever, even when the chain shows it', async () => {
    const store = memoryStore();
    const first = await holderWith({ store }).answer(honestRequest());
    const without = sealed.dealers.slice(1);
    const chain = chainOf({ finalisedSet: async () => without });
    const request = { ...honestRequest(), shares: honestRequest().shares.slice(1) };
    const error = await holderWith({ store, chain })
      .answer(request)
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'SET_REFUSED', fields: { reason: expect.stringMatching(/another set/) } });
    expect(await holderWith({ store }).answer(honestRequest())).toEqual(first);
  });

  test('a chain that changes its mind between two concurrent requests gets one answer', async () => {
    const store = memoryStore();
    let calls = 0;
    const chain = chainOf({
      finalisedSet: async () => {
        calls += 1;
        return calls === 1 ? sealed.dealers : sealed.dealers.slice(1);
      },
    });
    const holder = holderWith({ store, chain });
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
    await expect(holderWith({ store: dying }).answer(honestRequest())).rejects.toThrow('killed');
    const stored = [...rows.rows.values()][0];
    expect(await holderWith({ store: rows }).answer(honestRequest())).toEqual(stored);
    const chain = chainOf({ finalisedSet: async () => sealed.dealers.slice(1) });
    const smaller = { ...honestRequest(), shares: honestRequest().shares.slice(1) };
    expect(await codeOf(() => holderWith({ store: rows, chain }).answer(smaller))).toBe('SET_REFUSED');
  });

  test('nothing leaves when it cannot be stored', async () => {
    const rows = memoryStore();
    const full = { get: rows.get, write: async () => Promise.reject(new Error('disk full')) };
    await expect(holderWith({ store: full }).answer(honestRequest())).rejects.toThrow('disk full');
  });

  test('an answer in the store that is another key-holder\u2019s is not given out', async () => {
    const store = memoryStore();
    await holderWith({ store }).answer(honestRequest());
    expect(await codeOf(() => holderWith({ store, address: addressOf('other') }).answer(honestRequest()))).toBe(
      'STATE_CORRUPT',
    );
  });
});

describe('over HTTP', () => {
  async function serve<T>(run: (url: string) => Promise<T>): Promise<T> {
    const app = createApp();
    app.use(createKeyHolderRouter(holderWith()));
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
  const post = (url: string, body: Uint8Array, type = 'application/cbor') =>
    send(`${url}/v1/answers`, { method: 'POST', body, headers: { 'content-type': type } });

  test('identity, an answer, and its repeat', async () => {
    await serve(async (url) => {
      const identity = JSON.parse(new TextDecoder().decode(await send(`${url}/v1/identity`)));
      expect(identity).toEqual({ address: HOLDER, index: INDEX, sealingPublicKey: toHex(keysOf(INDEX).publicKey) });
      const body = encodeCbor(honestRequest());
      const first = await post(url, body);
      expect(decodeCbor(first, answerMessage, MAX_ANSWER_BYTES).round).toBe(ROUND);
      expect(await post(url, body)).toEqual(first);
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
      expect(await codeOf(() => post(url, new Uint8Array(12_000_000)))).toBe('MESSAGE_TOO_LARGE');
    });
  });
});
