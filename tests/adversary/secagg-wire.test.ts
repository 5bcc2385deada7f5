// Liars over the wire: a real chain, the real coordinator and key-holders as processes, and a party that really does it.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RoundOutcome } from '../../coordinator/rounds/driver.ts';
import type { Sealer } from '../../edge-node/seal/seal.ts';
import { createSimdRing } from '../../engines/ring/simd.ts';
import { request } from '../../kit/http.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { CACHE_DIR } from '../helpers/command.ts';
import {
  alteredBlock,
  falseSharesFor,
  sharesOfAnotherSecret,
  stolenShares,
  unreadableShareFor,
} from '../helpers/wire/cheats.ts';
import { honestSealer, startDealer, type WireDealer } from '../helpers/wire/dealer.ts';
import { openWireWorld, until, type WireWorld } from '../helpers/wire/world.ts';

let world: WireWorld;
let dealers: WireDealer[];
let honest: Sealer;
beforeAll(async () => {
  world = await openWireWorld();
  honest = await honestSealer();
  dealers = await Promise.all(world.dealers.map((identity) => startDealer(world, identity)));
}, 120_000);
afterAll(async () => {
  for (const dealer of dealers ?? []) dealer.stop();
  await world?.stop();
});
beforeEach(() => {
  for (const { proxy } of world.keyHolders) proxy.lie({});
});

const [CHEAT, VICTIM] = [0, 1];
const at = (index: number): WireDealer => {
  const dealer = dealers[index];
  if (dealer === undefined) throw new Error(`no dealer ${index}`);
  return dealer;
};
const holder = (index: number) => {
  const found = world.keyHolders[index - 1];
  if (found === undefined) throw new Error(`no key-holder ${index}`);
  return found;
};

/** A round in which the first dealer seals with `cheat` and everybody else is honest. */
async function roundWith(cheat: Sealer): Promise<{ outcome: RoundOutcome; set: readonly Hex[] }> {
  const round = await world.openRound();
  await Promise.all(dealers.map((dealer, i) => dealer.takePart(round, i === CHEAT ? cheat : honest)));
  return ended(round);
}

async function ended(round: number): Promise<{ outcome: RoundOutcome; set: readonly Hex[] }> {
  const outcome = await world.outcome(round);
  const set = await at(VICTIM).chain.ledger.setOf(round);
  return { outcome, set: set?.dealers ?? [] };
}

/** The coordinator opens another round by itself after one that failed. */
async function honestRoundAfter(failed: number): Promise<RoundOutcome> {
  const round = failed + 1;
  await until(async () => (await at(VICTIM).chain.ledger.roundCount()) === round, 'the next round');
  await Promise.all(dealers.map((dealer) => dealer.takePart(round)));
  return world.outcome(round);
}

const everyone = (): Hex[] => dealers.map(({ address }) => address).sort();
const withoutCheat = (): Hex[] => everyone().filter((address) => address !== at(CHEAT).address);

/** Flips the lowest bit of the first residue: still a residue. */
const wrongSum = (answer: Uint8Array): Uint8Array => {
  const copy = answer.slice();
  copy[0] = (copy[0] ?? 0) ^ 1;
  return copy;
};
const wrongVouch = <V extends { readonly value: Uint8Array | null }>(vouch: V): V => ({
  ...vouch,
  value: vouch.value && wrongSum(vouch.value),
});

test('nobody lies: everybody is in, and nobody is suspected', async () => {
  const { outcome, set } = await roundWith(honest);
  expect(outcome).toMatchObject({ status: 'published', dealers: 5, suspects: [] });
  expect(set).toEqual(everyone());
});

describe('key-holders', () => {
  test('[AGG-1] one answers wrongly: it is named, and the round opens', async () => {
    holder(2).proxy.lie({ answer: wrongSum });
    const { outcome } = await roundWith(honest);
    expect(outcome).toMatchObject({ status: 'published', dealers: 5, suspects: [2] });
  });

  test('two of five answer wrongly: trial openings find both, and the round opens', async () => {
    holder(1).proxy.lie({ answer: wrongSum });
    holder(4).proxy.lie({
      answer: (answer) => wrongSum(wrongSum(answer).map((byte, i) => (i === 2 ? byte ^ 1 : byte))),
    });
    const { outcome } = await roundWith(honest);
    expect(outcome).toMatchObject({ status: 'published', dealers: 5, suspects: [1, 4] });
  });

  test('two of five are down: the others suffice', async () => {
    holder(3).proxy.lie({ down: true });
    holder(5).proxy.lie({ down: true });
    const { outcome } = await roundWith(honest);
    expect(outcome).toMatchObject({ status: 'published', dealers: 5, suspects: [] });
  });

  test('one vouches falsely about one dealer: that dealer sits this round out, no more', async () => {
    const { address } = at(CHEAT);
    holder(2).proxy.lie({ vouch: (vouch) => (vouch.dealer === address ? wrongVouch(vouch) : vouch) });
    const { outcome, set } = await roundWith(honest);
    expect(outcome.status).toBe('published');
    expect(set).toEqual(withoutCheat());
  });

  test('one vouches falsely about everybody: it is the likelier liar, and nobody is left out', async () => {
    holder(2).proxy.lie({ vouch: wrongVouch });
    const { outcome, set } = await roundWith(honest);
    expect(outcome.status).toBe('published');
    expect(set).toEqual(everyone());
  });
});

describe('dealers', () => {
  test.each([
    ['a false share for one key-holder', (sealer: Sealer) => falseSharesFor(sealer, [3])],
    ['false shares for two key-holders', (sealer: Sealer) => falseSharesFor(sealer, [1, 5])],
    ['a share that does not open', (sealer: Sealer) => unreadableShareFor(sealer, 4)],
  ])('[AGG-7] %s: out before the set is fixed', async (_what, cheat) => {
    const { outcome, set } = await roundWith(cheat(honest));
    expect(outcome).toMatchObject({ status: 'published', dealers: 4 });
    expect(set).toEqual(withoutCheat());
  });

  test('shares of another secret, well dealt: what remains is no noise, the round fails and the model stays', async () => {
    const before = await at(VICTIM).chain.ledger.lastModelOf(world.task.hash);
    const { outcome } = await roundWith(sharesOfAnotherSecret(honest));
    expect(outcome).toMatchObject({ status: 'failed' });
    expect(outcome.reason).toContain('variance');
    expect(await at(VICTIM).chain.ledger.lastModelOf(world.task.hash)).toBe(before);
    expect(await honestRoundAfter(outcome.round)).toMatchObject({ status: 'published', dealers: 5 });
  });

  test('[AGG-1] a block altered after sealing: the same', async () => {
    const { outcome } = await roundWith(alteredBlock(await createSimdRing({ cacheDir: CACHE_DIR })));
    expect(outcome).toMatchObject({ status: 'failed' });
    expect(outcome.reason).toContain('variance');
    expect(await honestRoundAfter(outcome.round)).toMatchObject({ status: 'published', dealers: 5 });
  });

  test('[AGG-6] a copy of another dealer’s payload is refused at the door', async () => {
    const round = await world.openRound();
    const original = await at(VICTIM).takePart(round);
    const refused = await at(CHEAT)
      .send(round, original)
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ConcordatError);
    expect((refused as ConcordatError).code).toBe('CONFLICT');
    at(CHEAT).decline(round);
    await Promise.all(dealers.slice(2).map((dealer) => dealer.takePart(round)));
    const { set } = await ended(round);
    expect(set).toEqual(withoutCheat());
  });

  test('[AGG-4] another dealer’s sealed shares do not open under one’s own name', async () => {
    const round = await world.openRound();
    const original = await at(VICTIM).takePart(round);
    await at(CHEAT).takePart(round, stolenShares(honest, original));
    await Promise.all(dealers.slice(2).map((dealer) => dealer.takePart(round)));
    const { outcome, set } = await ended(round);
    expect(outcome).toMatchObject({ status: 'published', dealers: 4 });
    expect(set).toEqual(withoutCheat());
  });

  test('a dealer that dies after its commit is still opened: key-holders look at its payload themselves', async () => {
    const identity = at(CHEAT).identity;
    at(CHEAT).stop();
    const round = await world.openRound();
    await Promise.all(dealers.map((dealer) => dealer.takePart(round)));
    const { outcome, set } = await ended(round);
    expect(outcome).toMatchObject({ status: 'published', dealers: 5 });
    expect(set).toContain(identity.address);
    dealers[CHEAT] = await startDealer(world, identity);
  });
});

test('somebody who is no member cannot send a payload', async () => {
  const url = `${world.coordinator.url}/v1/payloads/0x${'ab'.repeat(32)}`;
  const refused = await request(url, { method: 'PUT', body: new Uint8Array(8) }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(ConcordatError);
});
