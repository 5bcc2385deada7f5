// The keys of a round: read from events, held to the round's keysHash, whatever was rotated since or the endpoint says.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ChainClient } from '../../engines/chain/client.ts';
import { connectFederation } from '../../engines/chain/connect.ts';
import { readEvents } from '../../engines/chain/events.ts';
import type { RawLog } from '../../engines/chain/receipts.ts';
import { sealingKeysOf } from '../../engines/chain/sealing-keys.ts';
import { addressOf, hash, openRound, openWorld, type Party, sealingKey, type World } from './world.ts';

let world: World;
let coordinator: Party;
let holder: Party;
beforeAll(async () => {
  world = await openWorld();
});
beforeEach(async () => {
  await world.reset();
  coordinator = await world.party('coordinator');
  holder = await world.party('key-holder-2');
});
afterAll(() => world.stop());

const keyOf = (index: number, epoch: number, label: string) => ({
  keyHolder: addressOf(`key-holder-${index}`),
  index,
  epoch,
  publicKey: sealingKey(label),
});
const FIRST = [keyOf(1, 1, 'key-holder-1, first'), keyOf(2, 1, 'key-holder-2, first')];

test('[P-22] a round keeps the keys it opened under, whatever is rotated or registered later', async () => {
  const before = await openRound(world, coordinator);
  await holder.federation.rotateKey(sealingKey('second'));
  const between = await openRound(world, coordinator);
  const { federation } = await world.party('operator');
  await federation.registerKeyHolder(addressOf('key-holder-3'));
  await (await world.party('key-holder-3')).federation.rotateKey(sealingKey('third holder'));
  const after = await openRound(world, coordinator);
  const second = [FIRST[0], keyOf(2, 2, 'second')];
  expect(await sealingKeysOf(coordinator, before)).toEqual(FIRST);
  expect(await sealingKeysOf(coordinator, between)).toEqual(second);
  expect(await sealingKeysOf(coordinator, after)).toEqual([...second, keyOf(3, 1, 'third holder')]);
});

test('[P-22] in one block, a rotation before the opening counts and one after it does not', async () => {
  const { rpc } = coordinator.client;
  const deadline = (await world.now()) + 600;
  await rpc.call('evm_setAutomine', [false]);
  const first = holder.federation.rotateKey(sealingKey('before'));
  await expect.poll(() => pendingOf(rpc), { timeout: 5_000, interval: 5 }).toBe(1);
  const opening = openRound(world, coordinator, { deadline });
  await expect.poll(() => pendingOf(rpc), { timeout: 5_000, interval: 5 }).toBe(2);
  const second = holder.federation.rotateKey(sealingKey('after'));
  await expect.poll(() => pendingOf(rpc), { timeout: 5_000, interval: 5 }).toBe(3);
  await rpc.call('evm_mine', []);
  await rpc.call('evm_setAutomine', [true]);
  const [, round, { blockNumber }] = await Promise.all([first, opening, second]);
  const address = [world.at.federation, world.at.ledger];
  const events = await readEvents(coordinator.client, { address, fromBlock: blockNumber, toBlock: blockNumber });
  expect(events.map(({ name }) => name)).toEqual(['KeyRotated', 'RoundOpened', 'KeyRotated']);
  expect(await sealingKeysOf(coordinator, round)).toEqual([FIRST[0], keyOf(2, 2, 'before')]);
});

const pendingOf = async (rpc: ChainClient['rpc']) =>
  Number(((await rpc.call('txpool_status', [])) as { pending: string }).pending);

describe('refuses', () => {
  /** The endpoint tells something else about the federation's logs. */
  const lying = (tell: (logs: readonly RawLog[]) => readonly RawLog[]) => {
    const { client } = coordinator;
    const call = async (method: string, parameters: readonly unknown[]): Promise<unknown> => {
      const result = await client.rpc.call(method, parameters);
      const [filter] = parameters as readonly [{ address?: string }?];
      return method === 'eth_getLogs' && filter?.address === world.at.federation
        ? tell(result as readonly RawLog[])
        : result;
    };
    return { ...coordinator, client: { ...client, rpc: { ...client.rpc, call } } };
  };

  test('a round that does not exist', async () => {
    await expect(sealingKeysOf(coordinator, 1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a key with another byte, and a rotation kept back', async () => {
    await holder.federation.rotateKey(sealingKey('second'));
    const round = await openRound(world, coordinator);
    const altered = lying((logs) =>
      logs.map((log) => ({ ...log, data: `${log.data.slice(0, -1)}${flip(log.data.slice(-1))}` })),
    );
    await expect(sealingKeysOf(altered, round)).rejects.toMatchObject({ code: 'CHAIN_WRONG', fields: { round } });
    const keptBack = lying((logs) => logs.slice(0, -1));
    await expect(sealingKeysOf(keptBack, round)).rejects.toMatchObject({ code: 'CHAIN_WRONG' });
    await expect(
      sealingKeysOf(
        lying(() => []),
        round,
      ),
    ).rejects.toMatchObject({ code: 'CHAIN_WRONG' });
  });

  const flip = (digit: string) => (digit === '0' ? '1' : '0');
});

test('an address that is no federation is no chain to read from', async () => {
  const connecting = connectFederation(world.chain.rpcUrl, hash('nobody').slice(0, 42) as `0x${string}`);
  await expect(connecting).rejects.toMatchObject({ code: 'CHAIN_WRONG' });
});
