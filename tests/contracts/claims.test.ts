// ConsentRegistry.admitPolicies: whose proof, over which numbers.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PolicyProof } from '../../engines/chain/consent-registry.ts';
import {
  claimContext,
  FIELD_ORDER,
  NO_PRIVACY_CAP,
  requirementKey,
  requirementOf,
} from '../../protocol/consent/policy.ts';
import { addressOf, claimOf, expectRefusal, openWorld, type Party, REQUIREMENT, type World } from './world.ts';

let world: World;
let dealer: Party;
beforeAll(async () => {
  world = await openWorld();
});
beforeEach(async () => {
  await world.reset();
  dealer = await world.party('dealer-1');
});
afterAll(() => world.stop());

const KEY = requirementKey(REQUIREMENT);

/** The claim with one public signal replaced. */
function withSignal(position: number, value: bigint): PolicyProof {
  const claim = claimOf(world, dealer.address);
  return { ...claim, publicSignals: claim.publicSignals.with(position, value) };
}

describe('whose claim', () => {
  test('[P-08] a claim is stored for its sender, requirement and digests alone', async () => {
    const bounds = { validUntil: 1_900_000_000, accuracyFloorBps: 9_200, privacyCapMilli: 3_000 };
    await dealer.registry.admitPolicies(claimOf(world, dealer.address, { ...bounds, digests: [5n, 0n, 7n] }));
    const claims = (who: string, key = KEY) =>
      Promise.all([5n, 6n, 7n, 0n].map((digest) => dealer.registry.claimOf(addressOf(who), key, digest)));
    expect(await claims('dealer-1')).toEqual([bounds, undefined, bounds, undefined]);
    expect(await claims('dealer-2')).toEqual([undefined, undefined, undefined, undefined]);
    const weaker = requirementKey(requirementOf('lead-scoring', ['demographics'], 1));
    expect(await claims('dealer-1', weaker)).toEqual([undefined, undefined, undefined, undefined]);
  });

  test('[P-08] a full proof claims all sixteen', async () => {
    const digests = Array.from({ length: 16 }, (_, i) => BigInt(i + 1));
    await dealer.registry.admitPolicies(claimOf(world, dealer.address, { digests }));
    const claims = await Promise.all(digests.map((digest) => dealer.registry.claimOf(dealer.address, KEY, digest)));
    expect(claims.filter((claim) => claim !== undefined)).toHaveLength(16);
  });

  test('[P-08] a later claim replaces an earlier one', async () => {
    await dealer.registry.admitPolicies(claimOf(world, dealer.address, { digests: [5n], validUntil: 1_900_000_000 }));
    await dealer.registry.admitPolicies(claimOf(world, dealer.address, { digests: [5n], validUntil: 1_950_000_000 }));
    expect((await dealer.registry.claimOf(dealer.address, KEY, 5n))?.validUntil).toBe(1_950_000_000);
  });

  test('[P-08] another dealer’s proof is refused', async () => {
    const expected = String(claimContext(world.chain.chainId, world.at.registry, dealer.address));
    const stolen = claimOf(world, addressOf('dealer-2'));
    await expectRefusal(dealer.registry.admitPolicies(stolen), 'WrongContext', { expected });
  });

  test('[P-08] a proof for another chain or registry is refused', async () => {
    for (const ctx of [
      claimContext(1, world.at.registry, dealer.address),
      claimContext(world.chain.chainId, world.at.ledger, dealer.address),
    ]) {
      await expectRefusal(dealer.registry.admitPolicies(withSignal(0, ctx)), 'WrongContext', { given: String(ctx) });
    }
  });

  test('[P-08] the context on chain is the protocol’s', async () => {
    expect(await dealer.registry.claimContext(dealer.address)).toBe(
      claimContext(world.chain.chainId, world.at.registry, dealer.address),
    );
  });

  test('[P-08] a proof that the verifier does not accept is refused', async () => {
    const claim = { ...claimOf(world, dealer.address), a: [2n, 0n] as const };
    await expectRefusal(dealer.registry.admitPolicies(claim), 'ProofInvalid');
  });

  test('[P-08] a proof of nothing is refused, and so is a stranger’s', async () => {
    await expectRefusal(
      dealer.registry.admitPolicies(claimOf(world, dealer.address, { digests: [] })),
      'NothingClaimed',
    );
    const stranger = await world.party('stranger');
    await expectRefusal(stranger.registry.admitPolicies(claimOf(world, stranger.address)), 'NotADealer');
  });

  test('[P-20] nothing is claimed while the federation is paused', async () => {
    await (await world.party('operator')).federation.pause();
    await expectRefusal(dealer.registry.admitPolicies(claimOf(world, dealer.address)), 'FederationPaused');
  });
});

describe('ranges', () => {
  const BITS = [
    ['required0', 1, 96n],
    ['required1', 2, 96n],
    ['minEvidence', 3, 2n],
    ['validUntil', 4, 40n],
    ['accuracyFloor', 5, 14n],
    ['privacyCap', 6, 20n],
  ] as const;

  test.each(BITS)('[P-09] %s: the largest value is taken, one more is not', async (_, position, bits) => {
    await dealer.registry.admitPolicies(withSignal(position, (1n << bits) - 1n));
    const refused = dealer.registry.admitPolicies(withSignal(position, 1n << bits));
    await expectRefusal(refused, 'SignalOutOfRange', { position: String(position) });
  });

  test('[P-09] stored bounds keep their largest values', async () => {
    const bounds = { validUntil: 2 ** 40 - 1, accuracyFloorBps: 2 ** 14 - 1, privacyCapMilli: NO_PRIVACY_CAP };
    await dealer.registry.admitPolicies(claimOf(world, dealer.address, { ...bounds, digests: [FIELD_ORDER - 1n] }));
    expect(await dealer.registry.claimOf(dealer.address, KEY, FIELD_ORDER - 1n)).toEqual(bounds);
  });

  test.each(Array.from({ length: 23 }, (_, i) => i))(
    '[P-09] signal %i at or over the field order is refused',
    async (position) => {
      for (const value of [FIELD_ORDER, 2n ** 256n - 1n]) {
        const refused = dealer.registry.admitPolicies(withSignal(position, value));
        await expectRefusal(refused, 'SignalOutOfRange', { position: String(position) });
      }
    },
  );
});
