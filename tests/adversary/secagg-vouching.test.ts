// A key-holder vouches: dealers who deal false shares stand out, nobody else does, and nothing is said of other uploads.
import { describe, expect, test } from 'vitest';
import type { ChainView } from '../../key-holder/round-facts.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { decodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { MAX_VOUCH_BYTES, type VouchRequest, vouchesHash, vouchMessage } from '../../protocol/messages/vouch.ts';
import { sharingHolds } from '../../protocol/secagg/linear-test.ts';
import { decodeShare, encodeShare, SHARE_BYTES } from '../../protocol/secagg/shamir.ts';
import { sharesRoot as rootOfHashes, sealedShareHash, shareAssociatedData } from '../../protocol/secagg/shares.ts';
import { codeOf, keysOf } from '../unit/secagg-fixtures.ts';
import {
  at,
  bareHolder,
  chainOf,
  chainWith,
  commitmentOf,
  HOLDER,
  INDEX,
  ROUND,
  sealed,
  shareOf,
  signatureOf,
  THRESHOLD,
  uploadSignature,
  withShare,
} from './key-holder-world.ts';

describe('vouching', () => {
  const open = (change: Partial<ChainView> = {}) => chainOf({ statusOf: async () => 'open', ...change });
  const requestFor = (index: number, shares = sealed.dealers.map((dealer, d) => shareOf(dealer, at(sealed.updates, d), index))): VouchRequest => ({ v: 'concordat/1/vouch-request', round: ROUND, shares }); // biome-ignore format: one thought
  const vouchesOf = async (index: number, request = requestFor(index), chain = open()) =>
    decodeCbor(await bareHolder({ index, chain }).vouch(request), vouchMessage, MAX_VOUCH_BYTES);

  test('of all key-holders, every dealer\u2019s values lie on one polynomial; they are signed, and the same for ever', async () => {
    const vouched = [await vouchesOf(1), await vouchesOf(2), await vouchesOf(3)];
    sealed.dealers.forEach((dealer, d) => {
      const points = vouched.map(({ index, vouches }) => ({ index, value: at(vouches, d).value ?? undefined }));
      expect(sharingHolds(points, THRESHOLD)).toBe(true);
      const { payloadHash, sharesRoot: root } = at(sealed.updates, d);
      expect(at(at(vouched, 0).vouches, d)).toMatchObject({ dealer, attempt: 1, payloadHash, sharesRoot: root });
    });
    const first = at(vouched, 0);
    const statement = { keyHolder: HOLDER, round: ROUND, vouchesHash: vouchesHash(first.vouches) };
    expect(first.signature).toBe(signatureOf(statement));
    expect(await vouchesOf(1)).toEqual(first);
  });

  test('one residue dealt wrongly to one key-holder takes the dealer\u2019s values off the polynomial, and nobody else\u2019s', async () => {
    const liar = at(sealed.dealers, 1);
    const context = { ...at(sealed.requests, 1), payloadHash: at(sealed.updates, 1).payloadHash };
    const { openShare } = await import('../../engines/keys/sealing.ts');
    const honest = decodeShare(
      openShare(keysOf(3), at(at(sealed.updates, 1).sealedShares, 2), shareAssociatedData(context, 3)),
    );
    honest[4_095] = ((honest[4_095] ?? 0) + 1) % 65_521;
    const evil = withShare(1, 3, encodeShare(honest));
    const vouched = await Promise.all(
      [1, 2, 3].map((index) => {
        const shares = sealed.dealers.map((dealer, d) =>
          shareOf(dealer, d === 1 ? evil : at(sealed.updates, d), index),
        );
        return vouchesOf(index, requestFor(index, shares), chainWith(liar, evil, { statusOf: async () => 'open' }));
      }),
    );
    const holds = sealed.dealers.map((_, d) =>
      sharingHolds(
        vouched.map(({ index, vouches }) => ({ index, value: at(vouches, d).value ?? undefined })),
        THRESHOLD,
      ),
    );
    expect(holds).toEqual([true, false, true, true]);
  });

  test('a share that does not open is said of its dealer alone', async () => {
    const liar = at(sealed.dealers, 2);
    const evil = withShare(2, INDEX, new Uint8Array(SHARE_BYTES).fill(255));
    const shares = sealed.dealers.map((dealer, d) => shareOf(dealer, d === 2 ? evil : at(sealed.updates, d)));
    const chain = chainWith(liar, evil, { statusOf: async () => 'open' });
    const { vouches } = await vouchesOf(INDEX, requestFor(INDEX, shares), chain);
    expect(vouches.map(({ value }) => value === null)).toEqual([false, false, true, false]);
  });

  test('about what a dealer has not committed to there is nothing to say', async () => {
    const [gone, moved] = [at(sealed.dealers, 0), at(sealed.dealers, 1)];
    const later = { ...commitmentOf(at(sealed.updates, 1), 2), sharesRoot: toHex(sha256(new Uint8Array())) };
    const commitments = open({
      commitmentOf: async (_round, dealer) => {
        if (dealer === gone) return undefined;
        return dealer === moved ? later : commitmentOf(at(sealed.updates, sealed.dealers.indexOf(dealer)));
      },
    });
    const { vouches } = await vouchesOf(INDEX, requestFor(INDEX), commitments);
    expect(vouches.map(({ dealer }) => dealer)).toEqual(sealed.dealers.slice(2));
    const none = open({ commitmentOf: async () => undefined });
    expect(await codeOf(() => vouchesOf(INDEX, requestFor(INDEX), none))).toBe('SET_REFUSED');
  });

  describe('about an upload that its dealer did not sign, whatever an endpoint shows of the chain', () => {
    const [victim, honest] = [at(sealed.dealers, 1), at(sealed.updates, 1)];
    /** The victim's true share, in an upload that the coordinator made up around it; the endpoint swears to it. */
    const claim = (
      shown: { payloadHash?: Hex; sharesRoot?: Hex; attempt?: number; shareHashes?: Hex[] },
      signature = uploadSignature(victim, honest),
    ) => {
      const { attempt, shareHashes = honest.sealedShares.map(sealedShareHash), ...hashes } = shown;
      const chain = open({
        commitmentOf: async (_round, dealer) =>
          dealer === victim
            ? { ...commitmentOf(honest, attempt), ...hashes }
            : commitmentOf(at(sealed.updates, sealed.dealers.indexOf(dealer))),
      });
      const forged = { ...shareOf(victim, honest), shareHashes, signature };
      return { chain, forged };
    };
    const otherHash = toHex(sha256(new Uint8Array()));
    const otherHashes = honest.sealedShares.map((share, i) => (i === INDEX - 1 ? sealedShareHash(share) : otherHash));
    const lies = {
      'another sharesRoot, over the same share of this key-holder': {
        sharesRoot: rootOfHashes(otherHashes),
        shareHashes: otherHashes,
      },
      'another payload': { payloadHash: otherHash },
      'another attempt': { attempt: 2 },
    } as const;

    test.each(Object.entries(lies))('%s: no second test value', async (_lie, shown) => {
      const { chain, forged } = claim(shown);
      const alone = requestFor(INDEX, [forged]);
      expect(await codeOf(() => vouchesOf(INDEX, alone, chain))).toBe('SET_REFUSED');
      // left out beside others, who get the very values they always get
      const beside = requestFor(INDEX).shares.with(1, forged);
      const { vouches } = await vouchesOf(INDEX, requestFor(INDEX, beside), chain);
      const known = (await vouchesOf(INDEX)).vouches;
      expect(vouches).toEqual(known.filter(({ dealer }) => dealer !== victim));
    });

    test('signed by another dealer in its place: nothing either', async () => {
      const shown = lies['another sharesRoot, over the same share of this key-holder'];
      const accomplice = at(sealed.dealers, 0);
      const { chain, forged } = claim(shown, uploadSignature(accomplice, { ...honest, sharesRoot: shown.sharesRoot }));
      expect(await codeOf(() => vouchesOf(INDEX, requestFor(INDEX, [forged]), chain))).toBe('SET_REFUSED');
    });

    test('and the true upload without its signature is not vouched for', async () => {
      const { chain, forged } = claim({}, uploadSignature(victim, { ...honest, payloadHash: otherHash }));
      expect(await codeOf(() => vouchesOf(INDEX, requestFor(INDEX, [forged]), chain))).toBe('SET_REFUSED');
      const signed = claim({});
      expect((await vouchesOf(INDEX, requestFor(INDEX, [signed.forged]), signed.chain)).vouches).toHaveLength(1);
    });
  });

  test('another key-holder\u2019s share is not vouched for, nor one dealer twice', async () => {
    expect(await codeOf(() => vouchesOf(INDEX, requestFor(3)))).toBe('SET_REFUSED');
    const [first] = requestFor(INDEX).shares;
    const twice = first === undefined ? [] : [first, first];
    expect(await codeOf(() => vouchesOf(INDEX, requestFor(INDEX, twice)))).toBe('SET_REFUSED');
  });

  test.each(['finalised', 'published', 'failed', undefined] as const)(
    'a round that is %s is not vouched for',
    async (status) => {
      expect(await codeOf(() => vouchesOf(INDEX, requestFor(INDEX), open({ statusOf: async () => status })))).toBe(
        'SET_REFUSED',
      );
    },
  );

  test('keys that are gone blame no dealer', async () => {
    const keyring = { withKeys: async () => Promise.reject(new ConcordatError('SET_REFUSED', 'erased')) };
    expect(await codeOf(() => bareHolder({ chain: open(), keyring }).vouch(requestFor(INDEX)))).toBe('SET_REFUSED');
  });
});
