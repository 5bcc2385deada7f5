// RoundLedger: opening, fixing the set, failing and publishing.
import { AbiCoder } from 'ethers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { roundLedgerAt } from '../../engines/chain/contracts.ts';
import { setHashOf } from '../../engines/chain/round-ledger.ts';
import { fromHex, type Hex, keccak256, toHex } from '../../protocol/bytes.ts';
import { NO_PRIVACY_CAP, requirementKey, splitGrants } from '../../protocol/consent/policy.ts';
import {
  addressOf,
  BASE,
  commitOf,
  consent,
  expectRefusal,
  firstAttempts,
  hash,
  openRound,
  openWorld,
  type Party,
  PUBLICATION,
  publishedRound,
  REQUIREMENT,
  TASK,
  type World,
} from './world.ts';

let world: World;
let coordinator: Party;
beforeAll(async () => {
  world = await openWorld();
});
beforeEach(async () => {
  await world.reset();
  coordinator = await world.party('coordinator');
});
afterAll(() => world.stop());

const WEEK_SECONDS = 604_800;
const ZERO: Hex = `0x${'00'.repeat(32)}`;

/** Three dealers with consent, and their roots. */
async function threeDealers(): Promise<readonly (readonly [Party, Hex])[]> {
  const dealers = await Promise.all(['dealer-1', 'dealer-2', 'dealer-3'].map(world.party));
  return Promise.all(dealers.map(async (dealer) => [dealer, await consent(world, dealer)] as const));
}

async function committedRound(): Promise<{ round: number; ascending: Hex[] }> {
  const dealers = await threeDealers();
  const round = await openRound(world, coordinator);
  for (const [dealer, root] of dealers) await dealer.ledger.commit(commitOf(round, root));
  return { round, ascending: dealers.map(([dealer]) => dealer.address).toSorted() };
}

/** Past the wrapper, which would sort. */
const finaliseAs = (round: number, dealers: readonly Hex[]) =>
  coordinator.client.send(roundLedgerAt(world.at.ledger), 'finaliseSet', [round, dealers, dealers.map(() => 1)]);

describe('opening', () => {
  test('[P-11] rounds count from 1; the seed hangs on the block before', async () => {
    expect(await coordinator.ledger.roundOf(1)).toBeUndefined();
    const deadline = (await world.now()) + 600;
    const round = await openRound(world, coordinator, { deadline });
    expect(round).toBe(1);
    expect(await openRound(world, coordinator)).toBe(2);
    expect(await coordinator.ledger.roundCount()).toBe(2);
    const record = await coordinator.ledger.roundOf(1);
    expect(record).toMatchObject({
      status: 'open',
      taskHash: TASK,
      requirementKey: requirementKey(REQUIREMENT),
      baseModelHash: BASE,
      deadline,
      epsilonAfterMilli: 500,
      keysHash: await coordinator.federation.keysHash(),
      setHash: undefined,
      modelHash: undefined,
    });
    const before = `0x${((record?.openedAtBlock ?? 0) - 1).toString(16)}`;
    const parent = (await coordinator.client.rpc.call('eth_getBlockByNumber', [before, false])) as { hash: Hex };
    const encoded = AbiCoder.defaultAbiCoder().encode(
      ['bytes32', 'address', 'uint64'],
      [parent.hash, world.at.ledger, 1],
    ) as Hex;
    expect(record?.seed).toBe(toHex(keccak256(fromHex(encoded))));
  });

  test('[P-11] only the coordinator opens, finalises, fails and publishes', async () => {
    const stranger = await world.party('dealer-1');
    const round = await openRound(world, coordinator);
    const sender = { sender: stranger.address };
    await expectRefusal(openRound(world, stranger), 'NotTheCoordinator', sender);
    await expectRefusal(stranger.ledger.finaliseSet(round, []), 'NotTheCoordinator', sender);
    await expectRefusal(stranger.ledger.failRound(round, ''), 'NotTheCoordinator', sender);
    await expectRefusal(stranger.ledger.publish({ ...PUBLICATION, round }), 'NotTheCoordinator', sender);
  });

  test.each([
    ['no training row', [0n, 1n, 1]],
    ['another scene alone', [1n << 16n, 0n, 1]],
    ['a 97-bit word', [(1n << 96n) | 1n, 0n, 1]],
    ['a 97-bit second word', [1n, 1n << 96n, 1]],
    ['no evidence', [1n, 0n, 0]],
    ['a third bit of evidence', [1n, 0n, 4]],
  ])('[P-12] a requirement with %s is refused', async (_, requirement) => {
    const deadline = (await world.now()) + 600;
    const args = [TASK, ...requirement, BASE, 500, deadline];
    const sending = coordinator.client.send(roundLedgerAt(world.at.ledger), 'openRound', args);
    await expectRefusal(sending, 'RequirementInvalid');
  });

  test('[P-11] no base model, a deadline that has passed and an ε over 20 bits are refused', async () => {
    await expectRefusal(openRound(world, coordinator, { baseModelHash: ZERO }), 'ModelHashMissing');
    const deadline = await world.now();
    await expectRefusal(openRound(world, coordinator, { deadline }), 'DeadlinePassed', { deadline: String(deadline) });
    await openRound(world, coordinator, { epsilonAfterMilli: NO_PRIVACY_CAP });
    const beyond = openRound(world, coordinator, { epsilonAfterMilli: NO_PRIVACY_CAP + 1 });
    await expectRefusal(beyond, 'EpsilonOutOfRange', { given: String(NO_PRIVACY_CAP + 1) });
  });

  test('[P-11] a deadline a week ahead is the last one; a second more and the coordinator could hold the keys for ever', async () => {
    const opensAt = (await world.now()) + 1_000;
    const contract = roundLedgerAt(world.at.ledger);
    const args = (deadline: number) => [TASK, ...splitGrants(REQUIREMENT.required), 1, BASE, 500, deadline];
    await world.nextBlockAt(opensAt);
    const far = opensAt + WEEK_SECONDS;
    await coordinator.client.send(contract, 'openRound', args(far), { gasLimit: 500_000 });
    expect(await coordinator.ledger.roundOf(1)).toMatchObject({ deadline: far });
    await world.nextBlockAt(opensAt + 1);
    const refused = await coordinator.client.sendExpectingRevert(contract, 'openRound', args(far + 2));
    expect(refused).toMatchObject({ reason: 'DeadlineTooFar', args: { deadline: String(far + 2) } });
    await expectRefusal(openRound(world, coordinator, { deadline: 2 ** 40 }), 'DeadlineTooFar');
    expect(await coordinator.ledger.roundCount()).toBe(1);
  });

  test('[P-20] nothing is opened, finalised or published while paused, but a round may be failed', async () => {
    const { round, ascending } = await committedRound();
    const finalised = await openRound(world, coordinator);
    const { federation } = await world.party('operator');
    await federation.pause();
    await expectRefusal(openRound(world, coordinator), 'FederationPaused');
    await expectRefusal(coordinator.ledger.finaliseSet(round, firstAttempts(ascending)), 'FederationPaused');
    await expectRefusal(coordinator.ledger.publish({ ...PUBLICATION, round }), 'FederationPaused');
    await coordinator.ledger.failRound(finalised, 'paused');
    await expectRefusal(federation.pause(), 'EnforcedPause');
    await federation.unpause();
    await expectRefusal(federation.unpause(), 'ExpectedPause');
    await coordinator.ledger.finaliseSet(round, firstAttempts(ascending));
  });
});

describe('the set', () => {
  test('[P-18] the set on chain hashes as key-holders hash it', async () => {
    const { round, ascending } = await committedRound();
    expect(await coordinator.ledger.setOf(round)).toBeUndefined();
    await coordinator.ledger.finaliseSet(round, firstAttempts(ascending.toReversed()));
    const set = await coordinator.ledger.setOf(round);
    expect(set).toEqual({ setHash: setHashOf(round, ascending), dealers: ascending });
    expect(await coordinator.ledger.roundOf(round)).toMatchObject({ status: 'finalised', setSize: 3 });
  });

  test('[P-18] descending and repeated dealers are refused', async () => {
    const { round, ascending } = await committedRound();
    const [low = ZERO, middle = ZERO, high = ZERO] = ascending;
    await expectRefusal(finaliseAs(round, [middle, low, high]), 'DealersNotAscending', { position: '1' });
    await expectRefusal(finaliseAs(round, [low, low, high]), 'DealersNotAscending', { position: '1' });
    await expectRefusal(finaliseAs(round, [low, middle, high, high]), 'DealersNotAscending', { position: '3' });
    const zeroAddress: Hex = `0x${'00'.repeat(20)}`;
    await expectRefusal(finaliseAs(round, [zeroAddress, low, high]), 'DealersNotAscending', { position: '0' });
  });

  test('[P-18] fewer than the minimum cohort are refused', async () => {
    const { round, ascending } = await committedRound();
    const two = ascending.slice(0, 2);
    await expectRefusal(coordinator.ledger.finaliseSet(round, firstAttempts(two)), 'CohortTooSmall', {
      given: '2',
      minCohort: '3',
    });
    await expectRefusal(coordinator.ledger.finaliseSet(round, []), 'CohortTooSmall', { given: '0' });
  });

  test('[P-18] a dealer who has not committed to this round is refused', async () => {
    const { ascending } = await committedRound();
    const another = await openRound(world, coordinator);
    await expectRefusal(coordinator.ledger.finaliseSet(another, firstAttempts(ascending)), 'DealerNotCommitted');
    const strange = [...ascending, addressOf('dealer-4')];
    const refused = coordinator.ledger.finaliseSet(1, firstAttempts(strange));
    await expectRefusal(refused, 'DealerNotCommitted', { dealer: addressOf('dealer-4') });
  });

  test('[P-18] a dealer that has committed again is named, and the set is not fixed over its back', async () => {
    const dealers = await threeDealers();
    const round = await openRound(world, coordinator);
    for (const [dealer, root] of dealers) await dealer.ledger.commit(commitOf(round, root));
    const looked = firstAttempts(dealers.map(([{ address }]) => address));
    const [mover, root] = dealers[1] ?? dealers[0] ?? [coordinator, ZERO];
    await mover.ledger.commit(commitOf(round, root, { attempt: 3, payloadHash: hash('moved') }));
    const moved = { dealer: mover.address, given: '1', standing: '3' };
    await expectRefusal(coordinator.ledger.finaliseSet(round, looked), 'CommitMoved', moved);
    expect(await coordinator.ledger.setOf(round)).toBeUndefined();
    const withAttempt = (attempt: number) =>
      looked.map((member) => (member.dealer === mover.address ? { ...member, attempt } : member));
    // neither one that was never committed, nor one to come
    for (const attempt of [0, 2, 4]) {
      const refused = coordinator.ledger.finaliseSet(round, withAttempt(attempt));
      await expectRefusal(refused, 'CommitMoved', { given: String(attempt), standing: '3' });
    }
    await coordinator.ledger.finaliseSet(round, withAttempt(3));
    expect((await coordinator.ledger.setOf(round))?.dealers).toHaveLength(3);
  });

  test('[P-18] attempts go with their dealers: one for each, in the same order', async () => {
    const dealers = await threeDealers();
    const round = await openRound(world, coordinator);
    const attempts = new Map(dealers.map(([{ address }], i) => [address, i + 1]));
    for (const [dealer, root] of dealers) {
      await dealer.ledger.commit(commitOf(round, root, { attempt: attempts.get(dealer.address) ?? 0 }));
    }
    const ascending = [...attempts.keys()].toSorted();
    const inOrder = ascending.map((dealer) => attempts.get(dealer) ?? 0);
    const send = (given: readonly number[], of: readonly Hex[] = ascending) =>
      coordinator.client.send(roundLedgerAt(world.at.ledger), 'finaliseSet', [round, of, given]);
    for (const given of [[], inOrder.slice(1), [...inOrder, 1]]) {
      const lengths = { dealers: '3', attempts: String(given.length) };
      await expectRefusal(send(given), 'AttemptsMismatch', lengths);
    }
    await expectRefusal(send([1], []), 'AttemptsMismatch', { dealers: '0', attempts: '1' });
    await expectRefusal(send(inOrder.toReversed()), 'CommitMoved', { dealer: ascending[0] ?? '' });
    // the wrapper sorts pairs, in whatever order they come
    const members = dealers.map(([{ address: dealer }]) => ({ dealer, attempt: attempts.get(dealer) ?? 0 }));
    await coordinator.ledger.finaliseSet(round, members.toReversed());
    expect((await coordinator.ledger.setOf(round))?.dealers).toEqual(ascending);
  });

  test('[P-18] a set is fixed once', async () => {
    const { round, ascending } = await committedRound();
    await coordinator.ledger.finaliseSet(round, firstAttempts(ascending));
    await expectRefusal(coordinator.ledger.finaliseSet(round, firstAttempts(ascending)), 'RoundNotOpen', {
      round: String(round),
    });
  });
});

describe('the end of a round', () => {
  test('[P-19] publishing attests the base model’s accuracy and moves the task on', async () => {
    const dealers = await threeDealers();
    expect(await coordinator.ledger.lastModelOf(TASK)).toBeUndefined();
    expect(await coordinator.ledger.attestationOf(TASK)).toBeUndefined();
    const round = await publishedRound(world, coordinator, dealers, 9_400);
    expect(await coordinator.ledger.roundOf(round)).toMatchObject({ status: 'published', modelHash: hash('model 1') });
    expect(await coordinator.ledger.lastModelOf(TASK)).toBe(hash('model 1'));
    expect(await coordinator.ledger.attestationOf(TASK)).toEqual({
      round,
      accuracyBps: 9_400,
      aucBps: 7_500,
      attestedAt: await world.now(),
    });
  });

  test('[P-19] a round is not published before its set is fixed, nor twice, nor after it failed', async () => {
    const { round, ascending } = await committedRound();
    const publish = () => coordinator.ledger.publish({ ...PUBLICATION, round });
    await expectRefusal(publish(), 'RoundNotFinalised', { round: String(round) });
    await coordinator.ledger.finaliseSet(round, firstAttempts(ascending));
    await publish();
    await expectRefusal(publish(), 'RoundNotFinalised');
    await expectRefusal(coordinator.ledger.failRound(round, 'late'), 'RoundOver', { round: String(round) });
  });

  test('[P-19] a finalised round may still fail, and a failed one is over', async () => {
    const { round, ascending } = await committedRound();
    await coordinator.ledger.finaliseSet(round, firstAttempts(ascending));
    await coordinator.ledger.failRound(round, 'too few key-holders');
    expect((await coordinator.ledger.roundOf(round))?.status).toBe('failed');
    await expectRefusal(coordinator.ledger.publish({ ...PUBLICATION, round }), 'RoundNotFinalised');
    await expectRefusal(coordinator.ledger.failRound(round, 'again'), 'RoundOver');
    await expectRefusal(coordinator.ledger.failRound(99, 'unknown'), 'RoundOver');
    // the model is unchanged; the next round starts from the same base
    await openRound(world, coordinator);
  });

  test('[P-19] a publication without a model, or with more than all right, is refused', async () => {
    const { round, ascending } = await committedRound();
    await coordinator.ledger.finaliseSet(round, firstAttempts(ascending));
    const publish = (change: object) => coordinator.ledger.publish({ ...PUBLICATION, round, ...change });
    await expectRefusal(publish({ modelHash: ZERO }), 'ModelHashMissing');
    await expectRefusal(publish({ accuracyBps: 10_001 }), 'MetricOutOfRange', { given: '10001' });
    await expectRefusal(publish({ aucBps: 10_001 }), 'MetricOutOfRange', { given: '10001' });
    await publish({ accuracyBps: 10_000, aucBps: 10_000 });
  });

  test('[P-11] the next round starts from the last published model and from no other', async () => {
    await publishedRound(world, coordinator, await threeDealers(), 9_400);
    const given = { given: BASE, last: hash('model 1') };
    await expectRefusal(openRound(world, coordinator), 'BaseModelNotLast', given);
    await openRound(world, coordinator, { baseModelHash: hash('model 1') });
    // another task starts from any
    await openRound(world, coordinator, { taskHash: hash('another task') });
  });

  test('[P-19] of two rounds on the same base, one is published', async () => {
    const dealers = await threeDealers();
    const overtaken = await openRound(world, coordinator);
    for (const [dealer, root] of dealers) await dealer.ledger.commit(commitOf(overtaken, root));
    await coordinator.ledger.finaliseSet(overtaken, firstAttempts(dealers.map(([dealer]) => dealer.address))); // biome-ignore format: one thought
    await publishedRound(world, coordinator, dealers, 9_400);
    const publish = coordinator.ledger.publish({ ...PUBLICATION, round: overtaken, modelHash: hash('model 1b') });
    await expectRefusal(publish, 'BaseModelNotLast', { given: BASE, last: hash('model 1') });
  });
});
