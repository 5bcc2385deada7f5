// Events and calldata: everything an auditor reads, typed; a watcher that loses and repeats nothing.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readRegistryCall } from '../../engines/chain/calldata.ts';
import { createChainClient } from '../../engines/chain/client.ts';
import { type ChainEvent, type EventName, readEvents } from '../../engines/chain/events.ts';
import { watchEvents } from '../../engines/chain/watch-events.ts';
import { toHex } from '../../protocol/bytes.ts';
import { requirementKey } from '../../protocol/consent/policy.ts';
import { openFlakyRpc } from './flaky-rpc.ts';
import {
  addressOf,
  BASE,
  claimOf,
  commitOf,
  consent,
  hash,
  openRound,
  openWorld,
  type Party,
  PUBLICATION,
  publishedRound,
  REQUIREMENT,
  sealingKey,
  selectionOf,
  stateOf,
  TASK,
  type World,
  witnessed,
} from './world.ts';

let world: World;
let operator: Party;
let coordinator: Party;
beforeAll(async () => {
  world = await openWorld();
});
beforeEach(async () => {
  await world.reset();
  operator = await world.party('operator');
  coordinator = await world.party('coordinator');
});
afterAll(() => world.stop());

const DEALERS = ['dealer-1', 'dealer-2', 'dealer-3'];
const contracts = () => [world.at.federation, world.at.registry, world.at.ledger];
const readAll = () => readEvents(operator.client, { address: contracts(), fromBlock: world.at.blockNumber });

/** A whole history: every event there is. */
async function everything(): Promise<readonly (readonly [Party, `0x${string}`])[]> {
  const dealers = await Promise.all(DEALERS.map(world.party));
  const rooted = [];
  for (const dealer of dealers) rooted.push([dealer, await consent(world, dealer)] as const);
  await publishedRound(world, coordinator, rooted, 9_400);
  const failed = await openRound(world, coordinator, { baseModelHash: hash('model 1') });
  await coordinator.ledger.failRound(failed, 'nobody came: “früh”');
  await operator.federation.removeDealer(addressOf('dealer-3'));
  await operator.federation.removeWitness(addressOf('witness-3'));
  await operator.federation.registerKeyHolder(addressOf('mistyped'));
  await operator.federation.replaceKeyHolder(addressOf('mistyped'), addressOf('key-holder-3'));
  await operator.federation.pause();
  await operator.federation.unpause();
  return rooted;
}

describe('reading', () => {
  test('every event of the three contracts is typed and complete', async () => {
    const [first] = await everything();
    const [dealer, root] = first ?? [operator, '0x'];
    const events = await readAll();
    const opened = await coordinator.ledger.roundOf(1);
    const one = (name: EventName) => events.find((event) => event.name === name);
    const key = requirementKey(REQUIREMENT);
    const bounds = { validUntil: 4_102_444_800, accuracyFloorBps: 0, privacyCapMilli: 2 ** 20 - 1 };
    const expected = [
      { name: 'ContractsSet', registry: world.at.registry, ledger: world.at.ledger },
      { name: 'CoordinatorSet', coordinator: coordinator.address },
      { name: 'DealerRegistered', dealer: addressOf('dealer-1') },
      { name: 'DealerRemoved', dealer: addressOf('dealer-3') },
      { name: 'WitnessRegistered', witness: addressOf('witness-1') },
      { name: 'WitnessRemoved', witness: addressOf('witness-3') },
      { name: 'KeyHolderRegistered', keyHolder: addressOf('key-holder-1'), index: 1 },
      {
        name: 'KeyHolderReplaced',
        keyHolder: addressOf('mistyped'),
        successor: addressOf('key-holder-3'),
        index: 3,
      },
      {
        name: 'KeyRotated',
        keyHolder: addressOf('key-holder-1'),
        index: 1,
        epoch: 1,
        publicKey: toHex(sealingKey('key-holder-1, first')),
      },
      { name: 'Paused', account: operator.address },
      { name: 'Unpaused', account: operator.address },
      { name: 'Anchored', dealer: dealer.address, root, ...stateOf(1) },
      { name: 'PoliciesAdmitted', dealer: dealer.address, requirementKey: key, digests: [1001n, 1002n], ...bounds },
      { name: 'SelectionAdmitted', dealer: dealer.address, root, requirementKey: key, memberCount: 10, bucketCount: 2 },
      {
        name: 'RoundOpened',
        round: 1,
        taskHash: TASK,
        requirementKey: key,
        baseModelHash: BASE,
        epsilonAfterMilli: 500,
        keysHash: opened?.keysHash,
      },
      { name: 'Committed', round: 1, dealer: dealer.address, anchoredRoot: root, attempt: 1, weight: 10 },
      { name: 'SetFinalised', round: 1, dealers: DEALERS.map(addressOf).toSorted() },
      { name: 'RoundFailed', round: 2, reason: 'nobody came: “früh”' },
      { ...PUBLICATION, name: 'Published', taskHash: TASK },
    ] as const;
    for (const event of expected) expect(one(event.name)).toMatchObject(event);
    expect(new Set(events.map(({ name }) => name))).toEqual(new Set(expected.map(({ name }) => name)));
    expect(one('Committed')).toMatchObject({ recordsRoot: hash('records'), sharesRoot: hash('shares') });
  });

  test('events come in the order of the chain, and ranges meet without overlap', async () => {
    await everything();
    const all = await readAll();
    const placeOf = ({ blockNumber, logIndex }: ChainEvent) => blockNumber * 1_000 + logIndex;
    expect(all.map(placeOf)).toEqual(all.map(placeOf).toSorted((a, b) => a - b));
    const middle = all[Math.floor(all.length / 2)]?.blockNumber ?? 0;
    const read = (fromBlock: number, toBlock: number) =>
      readEvents(operator.client, { address: contracts(), fromBlock, toBlock });
    const head = await operator.client.blockNumber();
    expect([...(await read(0, middle - 1)), ...(await read(middle, head))]).toEqual(all);
  });
});

describe('calldata', () => {
  test('the proof, the buckets and the witness signatures are found behind their events', async () => {
    const dealer = await world.party('dealer-1');
    await consent(world, dealer);
    const events = await readAll();
    const callOf = async (name: EventName) => {
      const event = events.find((e) => e.name === name);
      return readRegistryCall(operator.client, world.at.registry, event?.txHash ?? '0x');
    };
    const from = { dealer: dealer.address, registry: world.at.registry };
    const witnesses = ['witness-1', 'witness-2'];
    expect(await callOf('Anchored')).toMatchObject({
      ...from,
      method: 'anchor',
      state: stateOf(1),
      witnessSignatures: witnessed(world, dealer.address, stateOf(1), witnesses),
    });
    expect(await callOf('PoliciesAdmitted')).toMatchObject({
      ...from,
      method: 'admitPolicies',
      proof: claimOf(world, dealer.address),
    });
    expect(await callOf('SelectionAdmitted')).toMatchObject({
      ...from,
      method: 'admitSelection',
      request: selectionOf(),
    });
  });

  test('another contract’s transaction and an unknown one are refused', async () => {
    const { txHash } = await operator.federation.pause();
    const read = (hex: `0x${string}`) => readRegistryCall(operator.client, world.at.registry, hex);
    await expect(read(txHash)).rejects.toMatchObject({ code: 'CHAIN_WRONG' });
    await expect(read(hash('no transaction'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('watching', () => {
  const watched = async (events: AsyncIterable<ChainEvent>, count: number, stop: AbortController) => {
    const seen: ChainEvent[] = [];
    for await (const event of events) {
      seen.push(event);
      if (seen.length === count) stop.abort();
    }
    return seen;
  };

  test('old and new events arrive once and in order, through outages of the endpoint', async () => {
    const flaky = await openFlakyRpc(world.chain.rpcUrl);
    const reader = await createChainClient({ rpcUrl: flaky.url });
    const stop = new AbortController();
    const outages: string[] = [];
    const events = watchEvents(reader, contracts(), {
      fromBlock: world.at.blockNumber,
      pollMs: 5,
      signal: stop.signal,
      onOutage: (state) => outages.push(state),
    });
    // what openWorld did is there; then 30 more
    const before = (await readAll()).length;
    const watching = watched(events, before + 30, stop);
    for (let i = 0; i < 30; i++) {
      if (i === 10) flaky.away = true;
      if (i === 20) flaky.away = false;
      if (i === 15) await expect.poll(() => outages, { timeout: 5_000 }).toEqual(['away']);
      await operator.federation.registerDealer(addressOf(`watched-${i}`));
    }
    const seen = await watching;
    expect(seen).toEqual(await readAll());
    expect(seen.slice(before).map((event) => event.name === 'DealerRegistered' && event.dealer)).toEqual(
      Array.from({ length: 30 }, (_, i) => addressOf(`watched-${i}`)),
    );
    expect(outages).toEqual(['away', 'back']);
    await flaky.close();
  });

  test('it ends when told to, also while it waits', async () => {
    const stop = new AbortController();
    const head = await operator.client.blockNumber();
    const options = { fromBlock: head + 1, pollMs: 60_000, signal: stop.signal };
    const watching = watched(watchEvents(operator.client, contracts(), options), 1, stop);
    setTimeout(() => stop.abort(), 50);
    expect(await watching).toEqual([]);
  });

  describe('a chain that is not the one followed so far', () => {
    /** Follows to the end of a chain with one event more than the world has. */
    async function followed(lagToleranceMs: number) {
      await operator.federation.registerDealer(addressOf('to be forgotten'));
      const { signal } = new AbortController();
      const options = { fromBlock: world.at.blockNumber, pollMs: 5, signal, lagToleranceMs };
      const iterator = watchEvents(operator.client, contracts(), options)[Symbol.asyncIterator]();
      for (let left = (await readAll()).length; left > 0; left--) await iterator.next();
      return iterator;
    }

    test('one that stays shorter is not followed on', async () => {
      const iterator = await followed(50);
      await world.reset();
      await expect(iterator.next()).rejects.toMatchObject({ code: 'CHAIN_WRONG' });
    });

    test('one that has grown again over other blocks is not followed on', async () => {
      const iterator = await followed(60_000);
      await world.reset();
      const { federation } = await world.party('operator');
      for (const name of ['x', 'y', 'z']) await federation.registerDealer(addressOf(name));
      await expect(iterator.next()).rejects.toMatchObject({ code: 'CHAIN_WRONG' });
    });
  });
});

describe('the round’s own place in the chain', () => {
  test('a commit’s event carries its transaction', async () => {
    const dealer = await world.party('dealer-1');
    const root = await consent(world, dealer);
    const round = await openRound(world, coordinator);
    const receipt = await dealer.ledger.commit(commitOf(round, root));
    const [event] = await readEvents(operator.client, {
      address: world.at.ledger,
      fromBlock: receipt.blockNumber,
      toBlock: receipt.blockNumber,
    });
    expect(event).toMatchObject({ name: 'Committed', txHash: receipt.txHash, blockNumber: receipt.blockNumber });
  });
});
