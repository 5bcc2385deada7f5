// RoundLedger.commit: the sender's customers allow it now, or nothing is committed.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Hex } from '../../protocol/bytes.ts';
import { NO_PRIVACY_CAP, requirementOf } from '../../protocol/consent/policy.ts';
import {
  claimOf,
  commitOf,
  consent,
  expectRefusal,
  firstAttempts,
  hash,
  openRound,
  openWorld,
  type Party,
  publishedRound,
  REQUIREMENT,
  selectionOf,
  stateOf,
  TASK,
  type World,
  witnessed,
} from './world.ts';

let world: World;
let coordinator: Party;
let dealer: Party;
beforeAll(async () => {
  world = await openWorld();
});
beforeEach(async () => {
  await world.reset();
  coordinator = await world.party('coordinator');
  dealer = await world.party('dealer-1');
});
afterAll(() => world.stop());

const ZERO: Hex = `0x${'00'.repeat(32)}`;

describe('the round', () => {
  test('[P-13] a commit that stands is stored and told', async () => {
    const root = await consent(world, dealer);
    const round = await openRound(world, coordinator);
    expect(await dealer.ledger.commitOf(round, dealer.address)).toBeUndefined();
    await dealer.ledger.commit(commitOf(round, root));
    expect(await dealer.ledger.commitOf(round, dealer.address)).toEqual({
      attempt: 1,
      weight: 10,
      payloadHash: hash('payload'),
      sharesRoot: hash('shares'),
    });
  });

  test('[P-13] attempts rise strictly, from 1', async () => {
    const root = await consent(world, dealer);
    const round = await openRound(world, coordinator);
    const attempt = (n: number) =>
      dealer.ledger.commit(commitOf(round, root, { attempt: n, payloadHash: hash(`${n}`) }));
    await expectRefusal(attempt(0), 'AttemptNotRising', { given: '0', last: '0' });
    await attempt(2);
    await expectRefusal(attempt(2), 'AttemptNotRising', { given: '2', last: '2' });
    await expectRefusal(attempt(1), 'AttemptNotRising', { given: '1', last: '2' });
    await attempt(3);
    expect((await dealer.ledger.commitOf(round, dealer.address))?.payloadHash).toBe(hash('3'));
  });

  test('[P-13] only a registered dealer commits', async () => {
    const root = await consent(world, dealer);
    const round = await openRound(world, coordinator);
    await expectRefusal(coordinator.ledger.commit(commitOf(round, root)), 'NotADealer');
    await (await world.party('operator')).federation.removeDealer(dealer.address);
    await expectRefusal(dealer.ledger.commit(commitOf(round, root)), 'NotADealer', { sender: dealer.address });
  });

  test('[P-13] the last second before the deadline is in time, the deadline is not', async () => {
    const root = await consent(world, dealer);
    const deadline = (await world.now()) + 100;
    const round = await openRound(world, coordinator, { deadline });
    await world.nextBlockAt(deadline - 1);
    await dealer.ledger.commit(commitOf(round, root), { gasLimit: 300_000 });
    await world.nextBlockAt(deadline);
    const late = await dealer.ledger.commitExpectingRefusal(commitOf(round, root, { attempt: 2 }));
    expect(late).toMatchObject({ reason: 'DeadlinePassed', args: { deadline: String(deadline) } });
  });

  test('[P-13] a round that is unknown, finalised or failed takes none', async () => {
    const root = await consent(world, dealer);
    await expectRefusal(dealer.ledger.commit(commitOf(1, root)), 'RoundNotOpen', { round: '1' });
    const failed = await openRound(world, coordinator);
    await coordinator.ledger.failRound(failed, 'test');
    await expectRefusal(dealer.ledger.commit(commitOf(failed, root)), 'RoundNotOpen');
    const second = await world.party('dealer-2');
    const finalised = await openRound(world, coordinator);
    await dealer.ledger.commit(commitOf(finalised, root));
    const third = await world.party('dealer-3');
    for (const other of [second, third]) await other.ledger.commit(commitOf(finalised, await consent(world, other)));
    await coordinator.ledger.finaliseSet(finalised, firstAttempts([dealer.address, second.address, third.address]));
    await expectRefusal(dealer.ledger.commit(commitOf(finalised, root, { attempt: 2 })), 'RoundNotOpen');
  });

  test('[P-20] nothing is committed while the federation is paused', async () => {
    const root = await consent(world, dealer);
    const round = await openRound(world, coordinator);
    await (await world.party('operator')).federation.pause();
    await expectRefusal(dealer.ledger.commit(commitOf(round, root)), 'FederationPaused');
  });
});

describe('the root', () => {
  test('[P-14] after a withdrawal is anchored, the old root is refused on chain at once', async () => {
    const root = await consent(world, dealer);
    const round = await openRound(world, coordinator);
    const state = stateOf(2);
    await dealer.registry.anchor(state, witnessed(world, dealer.address, state, ['witness-1', 'witness-2']));
    const current = (await dealer.registry.currentAnchor(dealer.address))?.root;
    const refused = await dealer.ledger.commitExpectingRefusal(commitOf(round, root));
    expect(refused).toMatchObject({ reason: 'StaleRoot', args: { given: root, current } });
    expect(refused.blockNumber).toBe(await dealer.client.blockNumber());
    // naming the new root does not help while the selection is of the old one
    const claimed = dealer.ledger.commit(commitOf(round, current ?? ZERO));
    await expectRefusal(claimed, 'StaleRoot', { given: root, current: current ?? '' });
    await dealer.registry.admitSelection(selectionOf());
    await dealer.ledger.commit(commitOf(round, current ?? ZERO));
  });

  test('[P-14] no anchor, no selection, another dealer’s root: none commits', async () => {
    const other = await world.party('dealer-2');
    const root = await consent(world, dealer);
    const round = await openRound(world, coordinator);
    await expectRefusal(other.ledger.commit(commitOf(round, ZERO)), 'StaleRoot', { given: ZERO, current: ZERO });
    await expectRefusal(other.ledger.commit(commitOf(round, root)), 'StaleRoot', { current: ZERO });
    const state = stateOf(1);
    await other.registry.anchor(state, witnessed(world, other.address, state, ['witness-1', 'witness-2']));
    const current = (await other.registry.currentAnchor(other.address))?.root ?? ZERO;
    await expectRefusal(other.ledger.commit(commitOf(round, root)), 'StaleRoot', { given: root, current });
    await expectRefusal(other.ledger.commit(commitOf(round, current)), 'StaleRoot', { given: ZERO, current });
  });

  test('[P-14] a selection for another requirement does not serve the round', async () => {
    const root = await consent(world, dealer);
    const requirement = requirementOf('churn-retention', ['demographics', 'insurance'], 1);
    const round = await openRound(world, coordinator, { requirement });
    await expectRefusal(dealer.ledger.commit(commitOf(round, root)), 'StaleRoot', { given: ZERO, current: root });
  });
});

describe('conditions', () => {
  test('[P-15] a policy covers the second before its expiry and not the second itself', async () => {
    const validUntil = (await world.now()) + 200;
    const root = await consent(world, dealer, 1, { validUntil });
    const round = await openRound(world, coordinator);
    await world.nextBlockAt(validUntil - 1);
    await dealer.ledger.commit(commitOf(round, root), { gasLimit: 300_000 });
    await world.nextBlockAt(validUntil);
    const late = await dealer.ledger.commitExpectingRefusal(commitOf(round, root, { attempt: 2 }));
    expect(late).toMatchObject({ reason: 'ConsentExpired', args: { validUntil: String(validUntil) } });
  });

  /** Three dealers without conditions publish round 1, attesting this accuracy; then dealer-4 has a floor. */
  async function floorMeets(
    accuracyBps: number,
    floorBps: number,
  ): Promise<{ fourth: Party; root: Hex; round: number }> {
    const others = [dealer, await world.party('dealer-2'), await world.party('dealer-3')];
    const rooted = await Promise.all(others.map(async (other) => [other, await consent(world, other)] as const));
    await publishedRound(world, coordinator, rooted, accuracyBps);
    const fourth = await world.party('dealer-4');
    const root = await consent(world, fourth, 1, { accuracyFloorBps: floorBps });
    const deadline = (await world.now()) + 86_400;
    return { fourth, root, round: await openRound(world, coordinator, { baseModelHash: hash('model 1'), deadline }) };
  }

  test('[P-16] an accuracy of exactly the floor is enough', async () => {
    const { fourth, root, round } = await floorMeets(9_200, 9_200);
    await fourth.ledger.commit(commitOf(round, root));
  });

  test('[P-16] one basis point less freezes the dealer’s commit', async () => {
    const { fourth, root, round } = await floorMeets(9_199, 9_200);
    const refused = fourth.ledger.commit(commitOf(round, root));
    await expectRefusal(refused, 'AccuracyUnderFloor', { accuracyBps: '9199', floorBps: '9200' });
  });

  test('[P-16] a metric never attested counts as a breach', async () => {
    const root = await consent(world, dealer, 1, { accuracyFloorBps: 1 });
    const round = await openRound(world, coordinator);
    const refused = dealer.ledger.commit(commitOf(round, root));
    await expectRefusal(refused, 'MetricStale', { attestedAt: '0', maxAgeSeconds: '3600' });
  });

  test('[P-16] a metric is fresh to the second of its greatest age, and not after', async () => {
    const { fourth, root, round } = await floorMeets(9_300, 9_200);
    const attestedAt = (await fourth.ledger.attestationOf(TASK))?.attestedAt ?? 0;
    await world.nextBlockAt(attestedAt + 3_600);
    await fourth.ledger.commit(commitOf(round, root), { gasLimit: 300_000 });
    await world.nextBlockAt(attestedAt + 3_601);
    const late = await fourth.ledger.commitExpectingRefusal(commitOf(round, root, { attempt: 2 }));
    expect(late).toMatchObject({ reason: 'MetricStale', args: { attestedAt: String(attestedAt) } });
  });

  test('[P-16] another task’s accuracy does not count', async () => {
    const { fourth, root } = await floorMeets(9_900, 9_200);
    const round = await openRound(world, coordinator, { taskHash: hash('another task') });
    await expectRefusal(fourth.ledger.commit(commitOf(round, root)), 'MetricStale');
  });

  test('[P-17] an ε of exactly the cap is within it, a thousandth more is not', async () => {
    const root = await consent(world, dealer, 1, { privacyCapMilli: 1_500 });
    const within = await openRound(world, coordinator, { epsilonAfterMilli: 1_500 });
    await dealer.ledger.commit(commitOf(within, root));
    const beyond = await openRound(world, coordinator, { epsilonAfterMilli: 1_501 });
    const refused = dealer.ledger.commit(commitOf(beyond, root));
    await expectRefusal(refused, 'PrivacyCapExceeded', { epsilonAfterMilli: '1501', capMilli: '1500' });
  });

  test('[P-17] a task without differential privacy is met by "no cap" alone', async () => {
    const root = await consent(world, dealer);
    const round = await openRound(world, coordinator, { epsilonAfterMilli: NO_PRIVACY_CAP });
    await dealer.ledger.commit(commitOf(round, root));
    const second = await world.party('dealer-2');
    const capped = await consent(world, second, 1, { privacyCapMilli: NO_PRIVACY_CAP - 1 });
    await expectRefusal(second.ledger.commit(commitOf(round, capped)), 'PrivacyCapExceeded');
  });

  test('[P-17] a weight of every selected member is taken, one more or none is not', async () => {
    const root = await consent(world, dealer);
    const round = await openRound(world, coordinator);
    const weigh = (weight: number) => dealer.ledger.commit(commitOf(round, root, { weight }));
    await expectRefusal(weigh(11), 'WeightExceedsConsent', { weight: '11', memberCount: '10' });
    await expectRefusal(weigh(0), 'WeightExceedsConsent', { weight: '0', memberCount: '10' });
    await weigh(10);
  });
});

describe('cost', () => {
  test('[P-21] a commit costs the same behind 2 policies and 10 customers as behind 64 and a million', async () => {
    const round = await openRound(world, coordinator);
    const few = await consent(world, dealer);
    const small = await dealer.ledger.commit(commitOf(round, few));
    const other = await world.party('dealer-2');
    const many = Array.from({ length: 64 }, (_, i) => ({
      digest: BigInt(i + 1),
      membersRoot: hash(`many ${i}`),
      memberCount: 15_625,
    }));
    const state = stateOf(1, many);
    await other.registry.anchor(state, witnessed(world, other.address, state, ['witness-1', 'witness-2']));
    for (let from = 0; from < many.length; from += 16) {
      const digests = many.slice(from, from + 16).map(({ digest }) => digest);
      await other.registry.admitPolicies(claimOf(world, other.address, { digests }));
    }
    await other.registry.admitSelection(selectionOf(many, many, REQUIREMENT));
    const root = (await other.registry.currentAnchor(other.address))?.root ?? ZERO;
    const large = await other.ledger.commit(commitOf(round, root, { weight: 1_000_000 }));
    // a few calldata bytes of the weight differ
    expect(Math.abs(large.gasUsed - small.gasUsed)).toBeLessThan(500);
  });
});
