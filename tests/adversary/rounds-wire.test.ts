// Rounds that come and go over the wire: the slow, the late, the dead that come back, and the removed. The coordinator and the
// key-holders are processes; a dealer that dies loses its link and all it had not committed.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RoundOutcome } from '../../coordinator/rounds/driver.ts';
import { createChainClient } from '../../engines/chain/client.ts';
import { createFederation, type Federation } from '../../engines/chain/federation.ts';
import { loadOrCreateIdentity } from '../../engines/keys/identity.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { startDealer, type WireDealer } from '../helpers/wire/dealer.ts';
import { openWireWorld, until, type WireWorld } from '../helpers/wire/world.ts';

const MIN_MS = 500;
const DEADLINE_MS = 60_000;

let world: WireWorld;
let federation: Federation;
const dealers = new Map<number, WireDealer>();

beforeAll(async () => {
  world = await openWireWorld((task) => {
    task.model.layers = [{ units: 1, activation: 'sigmoid' }];
    task.cohort = { min: 3, deadlineMs: DEADLINE_MS, adaptive: { quantile: 0.5, margin: 1.5, minMs: MIN_MS } };
  });
  const { privateKey } = await loadOrCreateIdentity(join(world.directory, 'operator'));
  const client = await createChainClient({ rpcUrl: world.chain.rpcUrl, privateKey });
  federation = createFederation(client, world.federation);
  for (const i of [0, 1, 2, 3]) await arrive(i);
}, 120_000);
afterAll(async () => {
  for (const dealer of dealers.values()) dealer.stop();
  await world?.stop();
});

async function arrive(i: number): Promise<WireDealer> {
  const identity = world.dealers[i] ?? (await loadOrCreateIdentity(join(world.directory, `dealer-${i + 1}`)));
  const dealer = await startDealer(world, identity);
  dealers.set(i, dealer);
  return dealer;
}

function die(i: number): void {
  dealers.get(i)?.stop();
  dealers.delete(i);
}

const addressOf = (...which: readonly number[]): Hex[] =>
  which.map((i) => dealers.get(i)?.address ?? world.dealers[i]?.address ?? '0x').sort();

async function takePart(round: number, which: readonly number[]): Promise<void> {
  await Promise.all(which.map(async (i) => dealers.get(i)?.takePart(round)));
}

interface Ended {
  readonly outcome: RoundOutcome;
  readonly set: readonly Hex[];
  readonly tookMs: number;
}

async function ended(round: number, sinceMs: number): Promise<Ended> {
  const outcome = await world.outcome(round);
  const set = await dealers.get(0)?.chain.ledger.setOf(round);
  return { outcome, set: set?.dealers ?? [], tookMs: performance.now() - sinceMs };
}

async function roundWith(...which: readonly number[]): Promise<Ended> {
  const sinceMs = performance.now();
  const round = await world.openRound();
  await takePart(round, which);
  return ended(round, sinceMs);
}

test('nobody waits for the one that is there and does nothing: the round is over long before its deadline', async () => {
  const { outcome, set, tookMs } = await roundWith(0, 1, 2);
  expect(outcome).toMatchObject({ status: 'published', dealers: 3 });
  expect(set).toEqual(addressOf(0, 1, 2));
  expect(tookMs).toBeLessThan(DEADLINE_MS / 2);
});

test('killed for two rounds: they go on without it, and it takes part again when it is back', async () => {
  die(3);
  expect((await roundWith(0, 1, 2)).set).toEqual(addressOf(0, 1, 2));
  const duringSecond = await roundWith(0, 1, 2);
  expect(duringSecond.outcome.status).toBe('published');
  await arrive(3);
  const { set, outcome } = await roundWith(0, 1, 2, 3);
  expect(outcome.status).toBe('published');
  expect(set).toEqual(addressOf(0, 1, 2, 3));
});

test('registered while a task runs, and started then: in from the next round on', async () => {
  const newcomer = await loadOrCreateIdentity(join(world.directory, 'dealer-6'));
  const sinceMs = performance.now();
  const round = await world.openRound();
  await world.chain.fund(newcomer.address, 10n ** 20n);
  await federation.registerDealer(newcomer.address);
  await arrive(5);
  await takePart(round, [0, 1, 2]);
  expect((await ended(round, sinceMs)).set).toEqual(addressOf(0, 1, 2));
  const { set } = await roundWith(0, 1, 2, 5);
  expect(set).toContain(addressOf(5)[0]);
});

test('too few: the round fails, the model stays, and the next round goes on from it', async () => {
  const ledger = dealers.get(0)?.chain.ledger;
  const before = await ledger?.lastModelOf(world.task.hash);
  const sinceMs = performance.now();
  const round = await world.openRound();
  for (const i of [2, 3, 5]) dealers.get(i)?.decline(round);
  await takePart(round, [0, 1]);
  const failed = await ended(round, sinceMs);
  expect(failed.outcome).toMatchObject({ status: 'failed', reason: expect.stringContaining('COHORT_TOO_SMALL') });
  expect(await ledger?.lastModelOf(world.task.hash)).toBe(before);
  // the coordinator opens another by itself
  await until(async () => (await ledger?.roundCount()) === round + 1, 'the next round');
  expect((await ledger?.roundOf(round + 1))?.baseModelHash).toBe(before);
  await takePart(round + 1, [0, 1, 2]);
  expect((await ended(round + 1, sinceMs)).outcome.status).toBe('published');
});

test('removed from the membership: neither its upload nor its commit is taken, and the rounds go on', async () => {
  const removed = dealers.get(3);
  if (removed === undefined) throw new Error('it is there');
  await federation.removeDealer(removed.address);
  const sinceMs = performance.now();
  const round = await world.openRound();
  const update = await removed.seal(round);
  await expect(removed.send(round, update)).rejects.toThrow('NOT_A_MEMBER');
  await expect(removed.commit(round, update)).rejects.toThrow('NotADealer');
  await takePart(round, [0, 1, 2]);
  const { outcome, set } = await ended(round, sinceMs);
  expect(outcome.status).toBe('published');
  expect(set).toEqual(addressOf(0, 1, 2));
});
