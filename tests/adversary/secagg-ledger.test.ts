// What a key-holder takes from its ledger: each round's facts, as often as they may change, and from no other ledger.
import { describe, expect, test } from 'vitest';
import type { RoundStatus } from '../../engines/chain/round-ledger.ts';
import { bindToLedger } from '../../key-holder/bound-store.ts';
import type { KeyHolder } from '../../key-holder/holder.ts';
import type { ChainView } from '../../key-holder/round-facts.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { addressOf, CHAIN_ID, codeOf, LEDGER, memoryStore } from '../unit/secagg-fixtures.ts';
import {
  at,
  bareHolder,
  chainOf,
  chunksOf,
  commitmentOf,
  holderWith,
  honestRequest,
  ROUND,
  sealed,
  sum,
} from './key-holder-world.ts';

describe('the chain is asked', () => {
  /** As often as it is asked about each thing. */
  function counted(change: Partial<ChainView> = {}) {
    const chain = chainOf(change);
    const calls = { statusOf: 0, finalisedSet: 0, commitmentOf: 0 };
    const counting: ChainView = {
      ...chain,
      statusOf: (round) => {
        calls.statusOf += 1;
        return chain.statusOf(round);
      },
      finalisedSet: (round) => {
        calls.finalisedSet += 1;
        return chain.finalisedSet(round);
      },
      commitmentOf: (round, dealer) => {
        calls.commitmentOf += 1;
        return chain.commitmentOf(round, dealer);
      },
    };
    return { chain: counting, calls };
  }
  const take = (holder: KeyHolder, { payload, payloadHash }: { payload: Uint8Array; payloadHash: Hex }) =>
    holder.takePayload(ROUND, payloadHash, sum.aggregateHash, chunksOf(payload));

  test('once a set for what each dealer committed to, however many payloads are streamed', async () => {
    const { chain, calls } = counted();
    const holder = await holderWith({ chain });
    for (const update of sealed.updates) await take(holder, update);
    expect(await codeOf(() => holder.answer({ ...honestRequest(), fingerprints: [] }))).toBe('nothing thrown');
    // the sum, four payloads, an answer
    expect(calls).toEqual({ statusOf: 6, finalisedSet: 6, commitmentOf: sealed.dealers.length });
  });

  test('each time for the round and its set: one that ends meanwhile takes no payload and gets no answer', async () => {
    let status: RoundStatus = 'finalised';
    const { chain, calls } = counted({ statusOf: async () => status });
    const holder = await holderWith({ chain });
    status = 'failed';
    expect(await codeOf(() => take(holder, at(sealed.updates, 0)))).toBe('SET_REFUSED');
    expect(await codeOf(() => holder.answer(honestRequest()))).toBe('SET_REFUSED');
    expect(calls.statusOf).toBe(3);
  });

  test('again for another set, and for a set that could not be read', async () => {
    let [set, away] = [sealed.dealers, true];
    const { chain, calls } = counted({
      finalisedSet: async () => set,
      commitmentOf: async (_round, dealer) => {
        if (away) throw new Error('the endpoint is away');
        return commitmentOf(at(sealed.updates, sealed.dealers.indexOf(dealer)));
      },
    });
    const holder = bareHolder({ chain });
    await expect(take(holder, at(sealed.updates, 0))).rejects.toThrow('away');
    away = false;
    await take(holder, at(sealed.updates, 0));
    set = sealed.dealers.slice(1);
    await take(holder, at(sealed.updates, 1));
    expect(calls.commitmentOf).toBe(4 + 4 + 3);
    expect(await codeOf(() => take(holder, at(sealed.updates, 0)))).toBe('SET_REFUSED');
  });
});

describe('a folder', () => {
  test('belongs to the ledger that it was first used with, over restarts, and to no other', async () => {
    const store = memoryStore();
    await bindToLedger(store, CHAIN_ID, LEDGER);
    await (await holderWith({ store })).answer(honestRequest());
    await bindToLedger(store, CHAIN_ID, LEDGER.toUpperCase().replace('0X', '0x') as Hex);
    const others = [
      [CHAIN_ID, addressOf('another ledger')],
      [CHAIN_ID + 1, LEDGER],
    ] as const;
    for (const [chainId, ledger] of others) {
      const rows = new Map(store.rows);
      const error = await bindToLedger(store, chainId, ledger).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: 'STATE_CORRUPT', message: expect.stringContaining(LEDGER) });
      expect(store.rows).toEqual(rows);
    }
    await bindToLedger(store, CHAIN_ID, LEDGER);
  });
});
