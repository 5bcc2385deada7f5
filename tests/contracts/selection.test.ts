// ConsentRegistry.admitSelection: which buckets, under which root, with which bounds.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Bucket } from '../../protocol/consent/bucket.ts';
import { requirementKey, requirementOf } from '../../protocol/consent/policy.ts';
import {
  BUCKETS,
  claimOf,
  expectRefusal,
  hash,
  openWorld,
  type Party,
  REQUIREMENT,
  selectionOf,
  stateOf,
  type World,
  witnessed,
} from './world.ts';

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
const [FIRST, SECOND] = BUCKETS as readonly [Bucket, Bucket];

async function anchor(epoch: number, buckets: readonly Bucket[]) {
  const state = stateOf(epoch, buckets);
  await dealer.registry.anchor(state, witnessed(world, dealer.address, state, ['witness-1', 'witness-2']));
}

describe('bounds', () => {
  test('[P-10] a selection sums the members and keeps the strictest bound of each kind', async () => {
    await anchor(1, BUCKETS);
    const claim = (digest: bigint, validUntil: number, accuracyFloorBps: number, privacyCapMilli: number) =>
      dealer.registry.admitPolicies(
        claimOf(world, dealer.address, { digests: [digest], validUntil, accuracyFloorBps, privacyCapMilli }),
      );
    await claim(FIRST.digest, 2_000_000_000, 0, 900);
    await claim(SECOND.digest, 1_990_000_000, 9_200, 5_000);
    await dealer.registry.admitSelection(selectionOf());
    const root = (await dealer.registry.currentAnchor(dealer.address))?.root;
    const both = { root, memberCount: 10, validUntil: 1_990_000_000, accuracyFloorBps: 9_200, privacyCapMilli: 900 };
    expect(await dealer.registry.selectionOf(dealer.address, KEY)).toEqual(both);

    // a tripped floor or cap is met by selecting without those buckets
    await dealer.registry.admitSelection(selectionOf(BUCKETS, [FIRST]));
    expect(await dealer.registry.selectionOf(dealer.address, KEY)).toEqual({
      ...both,
      memberCount: 7,
      validUntil: 2_000_000_000,
      accuracyFloorBps: 0,
    });
  });

  test.each([0, 1, 2])('[P-10] the strictest policy binds wherever its leaf stands: position %i', async (position) => {
    const three = [...BUCKETS, { digest: 1003n, membersRoot: hash('members of 1003'), memberCount: 1 }];
    await anchor(1, three);
    const selection = selectionOf(three);
    const strict = { validUntil: 1_900_000_000, accuracyFloorBps: 9_200, privacyCapMilli: 900 };
    const lax = { validUntil: 2_000_000_000, accuracyFloorBps: 100, privacyCapMilli: 5_000 };
    for (const [i, { digest }] of selection.buckets.entries()) {
      const bounds = i === position ? strict : lax;
      await dealer.registry.admitPolicies(claimOf(world, dealer.address, { digests: [digest], ...bounds }));
    }
    await dealer.registry.admitSelection(selection);
    expect(await dealer.registry.selectionOf(dealer.address, KEY)).toMatchObject({ ...strict, memberCount: 11 });
  });

  test('[P-10] any subset of many buckets proves, as @openzeppelin/merkle-tree orders it', async () => {
    const many = Array.from({ length: 13 }, (_, i) => ({
      digest: BigInt(i + 1),
      membersRoot: hash(`members ${i}`),
      memberCount: 2 ** i,
    }));
    await anchor(1, many);
    await dealer.registry.admitPolicies(claimOf(world, dealer.address, { digests: many.map(({ digest }) => digest) }));
    for (const mask of [1, 0x1000, 0x1fff, 0x0555, 0x1001, 0x0ff0]) {
      const chosen = many.filter(({ memberCount }) => (mask & memberCount) !== 0);
      await dealer.registry.admitSelection(selectionOf(many, chosen));
      expect((await dealer.registry.selectionOf(dealer.address, KEY))?.memberCount).toBe(mask);
    }
  });
});

describe('what a selection may hold', () => {
  beforeEach(async () => {
    await anchor(1, BUCKETS);
    await dealer.registry.admitPolicies(claimOf(world, dealer.address));
  });

  test('[P-10] an empty selection is refused', async () => {
    const empty = { requirement: REQUIREMENT, buckets: [], proof: [stateOf(1).bucketsRoot], proofFlags: [] };
    await expectRefusal(dealer.registry.admitSelection(empty), 'NothingSelected');
  });

  test('[P-10] a bucket counts once, and leaves must rise', async () => {
    const selection = selectionOf();
    const [low, high] = selection.buckets as readonly [Bucket, Bucket];
    const unsorted = { ...selection, buckets: [high, low] };
    await expectRefusal(dealer.registry.admitSelection(unsorted), 'BucketsNotAscending', { position: '1' });
    const twice = { ...selection, buckets: [low, low] };
    await expectRefusal(dealer.registry.admitSelection(twice), 'BucketsNotAscending', { position: '1' });
    const thrice = { ...selection, buckets: [low, high, high] };
    await expectRefusal(dealer.registry.admitSelection(thrice), 'BucketsNotAscending', { position: '2' });
  });

  test('[P-10] a policy without a claim is refused', async () => {
    const more = [...BUCKETS, { digest: 1003n, membersRoot: hash('members of 1003'), memberCount: 1 }];
    await anchor(2, more);
    await expectRefusal(dealer.registry.admitSelection(selectionOf(more)), 'PolicyNotClaimed', { digest: '1003' });
  });

  test.each([
    ['fewer field classes', requirementOf('lead-scoring', ['demographics'], 1)],
    ['another scene', requirementOf('churn-retention', ['demographics', 'insurance'], 1)],
    ['stronger evidence', requirementOf('lead-scoring', ['demographics', 'insurance'], 2)],
  ])('[P-10] a claim does not serve another requirement: %s', async (_, other) => {
    const selection = selectionOf(BUCKETS, BUCKETS, other);
    await expectRefusal(dealer.registry.admitSelection(selection), 'PolicyNotClaimed');
  });

  test('[P-10] a claim for a weaker requirement does not serve a stronger one', async () => {
    const weaker = requirementOf('lead-scoring', ['demographics'], 1);
    const fresh = await world.party('dealer-2');
    const state = stateOf(1);
    await fresh.registry.anchor(state, witnessed(world, fresh.address, state, ['witness-1', 'witness-2']));
    await fresh.registry.admitPolicies(claimOf(world, fresh.address, { requirement: weaker }));
    await fresh.registry.admitSelection(selectionOf(BUCKETS, BUCKETS, weaker));
    await expectRefusal(fresh.registry.admitSelection(selectionOf()), 'PolicyNotClaimed');
  });

  test('[P-10] a bucket with other members, another count or another tree is not under the root', async () => {
    const bucketsRoot = stateOf(1).bucketsRoot;
    for (const inflated of [
      [{ ...FIRST, memberCount: 8 }, SECOND],
      [{ ...FIRST, membersRoot: hash('others') }, SECOND],
    ]) {
      await expectRefusal(dealer.registry.admitSelection(selectionOf(inflated)), 'BucketsNotUnderRoot', {
        bucketsRoot,
      });
    }
  });

  test('[P-10] last epoch’s buckets are not under this epoch’s root', async () => {
    const before = selectionOf();
    const moved = [{ ...FIRST, memberCount: 6, membersRoot: hash('one withdrew') }, SECOND];
    await anchor(2, moved);
    await expectRefusal(dealer.registry.admitSelection(before), 'BucketsNotUnderRoot');
    await dealer.registry.admitSelection(selectionOf(moved));
    expect((await dealer.registry.selectionOf(dealer.address, KEY))?.memberCount).toBe(9);
  });

  test('[P-10] a multiproof of the wrong shape is refused', async () => {
    const broken = { ...selectionOf(), proofFlags: [] };
    await expectRefusal(dealer.registry.admitSelection(broken), 'MerkleProofInvalidMultiproof');
  });

  test('[P-10] another dealer’s claims and root are no use', async () => {
    const other = await world.party('dealer-2');
    await expectRefusal(other.registry.admitSelection(selectionOf()), 'PolicyNotClaimed');
    await other.registry.admitPolicies(claimOf(world, other.address));
    await expectRefusal(other.registry.admitSelection(selectionOf()), 'BucketsNotUnderRoot');
    const stranger = await world.party('stranger');
    await expectRefusal(stranger.registry.admitSelection(selectionOf()), 'NotADealer');
  });

  test('[P-20] nothing is selected while the federation is paused', async () => {
    const operator = await world.party('operator');
    await operator.federation.pause();
    await expectRefusal(dealer.registry.admitSelection(selectionOf()), 'FederationPaused');
    await operator.federation.unpause();
    await dealer.registry.admitSelection(selectionOf());
  });
});
