// The chain client: order of transactions, refusals that are mined, endpoints that are gone or lose an answer.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createChainClient } from '../../engines/chain/client.ts';
import { consentRegistryAt, federationAt } from '../../engines/chain/contracts.ts';
import { createFederation } from '../../engines/chain/federation.ts';
import { createNonceQueue } from '../../engines/chain/nonce-queue.ts';
import { createRpc, RpcError } from '../../engines/chain/rpc.ts';
import { openFlakyRpc } from './flaky-rpc.ts';
import {
  addressOf,
  commitOf,
  consent,
  expectRefusal,
  hash,
  keyOf,
  openRound,
  openWorld,
  type Party,
  type World,
} from './world.ts';

let world: World;
let operator: Party;
beforeAll(async () => {
  world = await openWorld();
});
beforeEach(async () => {
  await world.reset();
  operator = await world.party('operator');
});
afterAll(() => world.stop());

describe('transactions', () => {
  test('forty concurrent sends of one account all land, each in its turn', async () => {
    const names = Array.from({ length: 40 }, (_, i) => addressOf(`many-${i}`));
    const receipts = await Promise.all(names.map((name) => operator.federation.registerDealer(name)));
    expect(new Set(receipts.map(({ txHash }) => txHash)).size).toBe(40);
    expect((await operator.federation.dealers()).slice(4)).toEqual(names);
  });

  test('a send that fails holds up nothing behind it', async () => {
    const { federation } = operator;
    const results = await Promise.allSettled([
      federation.registerDealer(addressOf('a')),
      federation.registerDealer(addressOf('dealer-1')),
      federation.registerDealer(addressOf('b')),
      federation.removeDealer(addressOf('nobody')),
      federation.registerDealer(addressOf('c')),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
  });

  test('two clients with one key do not shut each other out', async () => {
    const twin = await world.party('operator');
    const names = Array.from({ length: 20 }, (_, i) => addressOf(`twin-${i}`));
    await Promise.all(names.map((name, i) => (i % 2 === 0 ? operator : twin).federation.registerWitness(name)));
    expect(await operator.federation.witnesses()).toHaveLength(23);
  });

  test('a receipt arrives within milliseconds of its block', async () => {
    await operator.federation.registerDealer(addressOf('warm-up'));
    const startedAt = performance.now();
    for (let i = 0; i < 10; i++) await operator.federation.registerDealer(addressOf(`quick-${i}`));
    expect((performance.now() - startedAt) / 10).toBeLessThan(1_000); // ethers polls every 4 s
  });

  test('a client without a key reads and does not send', async () => {
    const reader = await createChainClient({ rpcUrl: world.chain.rpcUrl });
    const federation = createFederation(reader, world.at.federation);
    expect(reader.address).toBeUndefined();
    expect(await federation.isDealer(addressOf('dealer-1'))).toBe(true);
    await expect(federation.registerDealer(addressOf('x'))).rejects.toThrow(/only reads/);
  });
});

describe('refusals', () => {
  test('a refusal is mined, with its reason and arguments', async () => {
    const coordinator = await world.party('coordinator');
    const dealer = await world.party('dealer-1');
    const root = await consent(world, dealer);
    const round = await openRound(world, coordinator);
    const refused = await dealer.ledger.commitExpectingRefusal(commitOf(round, hash('old root')));
    expect(refused).toMatchObject({ reason: 'StaleRoot', args: { given: hash('old root'), current: root }, logs: [] });
    const raw = (await dealer.client.rpc.call('eth_getTransactionReceipt', [refused.txHash])) as { status: string };
    expect(raw.status).toBe('0x0');
    // and the account goes on
    await dealer.ledger.commit(commitOf(round, root));
  });

  test('a transaction that was to be refused and is not, is an alarm', async () => {
    const sending = operator.client.sendExpectingRevert(federationAt(world.at.federation), 'pause', []);
    await expect(sending).rejects.toMatchObject({ code: 'CHAIN_ACCEPTED' });
  });

  test('one that is sent with a fixed limit and reverts once mined says so too', async () => {
    const contract = federationAt(world.at.federation);
    const sending = operator.client.send(contract, 'registerDealer', [addressOf('dealer-1')], { gasLimit: 100_000 });
    await expectRefusal(sending, 'AlreadyRegistered', { party: addressOf('dealer-1'), method: 'registerDealer' });
  });

  test('out of gas is told from a refusal', async () => {
    const contract = federationAt(world.at.federation);
    const refused = await operator.client.sendExpectingRevert(contract, 'registerDealer', [addressOf('x')], {
      gasLimit: 30_000,
    });
    expect(['OutOfGas', 'NoReason']).toContain(refused.reason);
  });

  test('an address without a contract, or with another, is named', async () => {
    const nowhere = createFederation(operator.client, addressOf('nowhere'));
    await expect(nowhere.operator()).rejects.toMatchObject({ code: 'CHAIN_WRONG' });
    const mistaken = operator.client.call(consentRegistryAt(world.at.federation), 'verifier', []);
    await expect(mistaken).rejects.toMatchObject({ code: 'CHAIN_REVERTED', fields: { reason: 'NoReason' } });
  });

  test('an account without funds is told by the endpoint’s own words', async () => {
    const poor = await createChainClient({ rpcUrl: world.chain.rpcUrl, privateKey: keyOf('poor') });
    const sending = poor.send(federationAt(world.at.federation), 'acceptOwnership', [], { gasLimit: 100_000 });
    await expect(sending).rejects.toMatchObject({ code: 'CHAIN_WRONG', detail: expect.stringMatching(/funds/i) });
  });
});

describe('endpoints', () => {
  test('nobody there is told within seconds', async () => {
    const startedAt = performance.now();
    const connecting = createChainClient({ rpcUrl: 'http://127.0.0.1:9' });
    await expect(connecting).rejects.toMatchObject({
      code: 'CHAIN_UNREACHABLE',
      fields: { url: 'http://127.0.0.1:9' },
    });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test('one that accepts and never answers is given up at the deadline', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const calling = createRpc(`http://127.0.0.1:${port}`, 200).call('eth_chainId', []);
    await expect(calling).rejects.toMatchObject({ code: 'CHAIN_UNREACHABLE' });
    silent.closeAllConnections();
    silent.close();
  });

  test('one that is no JSON-RPC endpoint is not taken for a chain', async () => {
    const page = createServer((_, response) => response.writeHead(404).end('<html>'));
    await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
    const { port } = page.address() as AddressInfo;
    const connecting = createChainClient({ rpcUrl: `http://127.0.0.1:${port}` });
    await expect(connecting).rejects.toMatchObject({
      code: 'CHAIN_UNREACHABLE',
      detail: expect.stringContaining('404'),
    });
    page.closeAllConnections();
    page.close();
  });

  test('a transaction whose answer is lost is found again, and not sent twice', async () => {
    const flaky = await openFlakyRpc(world.chain.rpcUrl);
    const client = await createChainClient({ rpcUrl: flaky.url, privateKey: keyOf('operator') });
    const federation = createFederation(client, world.at.federation);
    const before = await client.rpc.call('eth_getTransactionCount', [client.address, 'latest']);
    flaky.loseAnswerTo = 'eth_sendRawTransaction';
    await federation.registerDealer(addressOf('lost'));
    expect(flaky.seen.filter((method) => method === 'eth_sendRawTransaction')).toHaveLength(2);
    const after = await client.rpc.call('eth_getTransactionCount', [client.address, 'latest']);
    expect(Number(after) - Number(before)).toBe(1);
    await federation.registerDealer(addressOf('next'));
    await flaky.close();
  });
});

describe('the nonce queue', () => {
  const collision = () => new RpcError('eth_sendRawTransaction', { code: -32000, message: 'nonce too low' });

  test('counts on past an endpoint that counts late', async () => {
    const queue = createNonceQueue(async () => 7);
    expect(await Promise.all([1, 2, 3].map(() => queue.run(async (nonce) => nonce)))).toEqual([7, 8, 9]);
  });

  test('leaves no gap after a failure', async () => {
    const queue = createNonceQueue(async () => 7);
    const failing = queue.run(async () => {
      throw new Error('refused');
    });
    await expect(failing).rejects.toThrow('refused');
    expect(await queue.run(async (nonce) => nonce)).toBe(7);
  });

  test('takes a fresh number after a collision, twenty times', async () => {
    let count = 7;
    const queue = createNonceQueue(async () => count);
    const collideUntil = (last: number) =>
      queue.run(async (nonce) => {
        count++;
        if (nonce < last) throw collision();
        return nonce;
      });
    expect(await collideUntil(27)).toBe(27);
    await expect(collideUntil(99)).rejects.toThrow('nonce too low');
  });
});
