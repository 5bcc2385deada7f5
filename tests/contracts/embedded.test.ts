// The embedded chain: it keeps its state, and it never outlives whoever started it.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createChainClient } from '../../engines/chain/client.ts';
import { deployFederation } from '../../engines/chain/deploy.ts';
import { type EmbeddedChain, startEmbeddedChain } from '../../engines/chain/embedded.ts';
import { readEvents } from '../../engines/chain/events.ts';
import { createFederation } from '../../engines/chain/federation.ts';
import { waitForPredecessor } from '../../engines/chain/supervise.ts';
import { addressOf, keyOf, PARAMETERS, testArtifacts } from './world.ts';

let dir: string;
let stateFile: string;
const started: { stop(): Promise<void> }[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'concordat-embedded-'));
  stateFile = join(dir, 'state.json');
});
afterEach(async () => {
  for (const chain of started.splice(0)) await chain.stop();
  await rm(dir, { recursive: true, force: true });
});

async function start(options: { port?: number; snapshotEveryMs?: number } = {}): Promise<EmbeddedChain> {
  const chain = await startEmbeddedChain({ dir, stateFile, ...options });
  started.push(chain);
  return chain;
}

async function operatorOn(rpcUrl: string) {
  return createChainClient({ rpcUrl, privateKey: keyOf('operator') });
}

async function deployOn(chain: EmbeddedChain) {
  await chain.fund(addressOf('operator'), 10n ** 20n);
  const client = await operatorOn(chain.rpcUrl);
  const options = { operator: addressOf('operator'), parameters: PARAMETERS, setup: 'single-operator' } as const;
  return { client, at: await deployFederation(client, await testArtifacts(), options) };
}

describe('state', () => {
  test('contracts, logs, transactions and receipts are there after a stop and a start', async () => {
    const chain = await start();
    const { client, at } = await deployOn(chain);
    const sent = await createFederation(client, at.federation).registerDealer(addressOf('dealer-1'));
    const raw = (method: string) => client.rpc.call(method, [sent.txHash]);
    const before = [await raw('eth_getTransactionByHash'), await raw('eth_getTransactionReceipt')];
    const filter = { address: [at.federation, at.registry, at.ledger], fromBlock: 0 };
    const events = await readEvents(client, filter);
    await chain.stop();
    expect(await readdir(dir)).toEqual(['state.json']);

    const again = await start();
    const reader = await operatorOn(again.rpcUrl);
    expect(await reader.blockNumber()).toBe(sent.blockNumber);
    expect(await readEvents(reader, filter)).toEqual(events);
    const read = (method: string) => reader.rpc.call(method, [sent.txHash]);
    expect([await read('eth_getTransactionByHash'), await read('eth_getTransactionReceipt')]).toEqual(before);
    const federation = createFederation(reader, at.federation);
    await federation.registerDealer(addressOf('dealer-2'));
    expect(await federation.dealers()).toEqual([addressOf('dealer-1'), addressOf('dealer-2')]);
  });

  test('logs and receipts of more blocks than states are kept, running and after a start', async () => {
    const chain = await start();
    const { client, at } = await deployOn(chain);
    const federation = createFederation(client, at.federation);
    const first = await federation.registerDealer(addressOf('many-0'));
    await Promise.all(Array.from({ length: 99 }, (_, i) => federation.registerDealer(addressOf(`many-${i + 1}`))));
    const filter = { address: at.federation, fromBlock: first.blockNumber };
    expect(await readEvents(client, filter)).toHaveLength(100);
    await chain.stop();
    const reader = await operatorOn((await start()).rpcUrl);
    expect(await readEvents(reader, filter)).toHaveLength(100);
    expect(await reader.rpc.call('eth_getTransactionReceipt', [first.txHash])).toMatchObject({ status: '0x1' });
  });

  test('a snapshot is written while it runs, and is a whole state', async () => {
    const chain = await start({ snapshotEveryMs: 50 });
    const { client } = await deployOn(chain);
    const head = await client.blockNumber();
    await expect.poll(() => existsSync(stateFile), { timeout: 5_000 }).toBe(true);
    await expect
      .poll(async () => Number(JSON.parse(await readFile(stateFile, 'utf8')).best_block_number), { timeout: 5_000 })
      .toBe(head);
  });

  test('a state that cannot be read is refused in anvil’s words, and left as it is', async () => {
    await writeFile(stateFile, 'not a state');
    await expect(start()).rejects.toMatchObject({ code: 'PROCESS_FAILED' });
    expect(await readFile(stateFile, 'utf8')).toBe('not a state');
  });

  test('a state in use is not started a second time', async () => {
    await start();
    await expect(waitForPredecessor(`${stateFile}.pid`, 100)).rejects.toMatchObject({ code: 'CONFLICT' });
    await writeFile(join(dir, 'old.pid'), '999999999');
    await waitForPredecessor(join(dir, 'old.pid'), 100);
    await waitForPredecessor(join(dir, 'absent.pid'), 100);
  });
});

describe('ports', () => {
  test('two chains run side by side', async () => {
    const [a, b] = await Promise.all([
      startEmbeddedChain({ dir: join(dir, 'a') }),
      startEmbeddedChain({ dir: join(dir, 'b') }),
    ]);
    started.push(a, b);
    expect(a.port).not.toBe(b.port);
    expect([a.chainId, b.chainId]).toEqual([31337, 31337]);
  });

  test('a port that is taken is an error when it was asked for', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const address = squatter.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(start({ port })).rejects.toMatchObject({
      code: 'PROCESS_FAILED',
      detail: expect.stringMatching(/in use/i),
    });
    squatter.close();
  });
});

describe('its parent', () => {
  /** A process that starts a chain, registers a dealer and says so. */
  async function parentWithChain(): Promise<{ parent: ChildProcess; rpcUrl: string; federation: `0x${string}` }> {
    const program = fileURLToPath(new URL('./chain-parent.ts', import.meta.url));
    const parent = fork(program, [dir, stateFile], { execArgv: ['--import', 'tsx'], detached: true });
    const [message] = (await once(parent, 'message')) as [{ rpcUrl: string; federation: `0x${string}` }];
    return { parent, ...message };
  }

  async function gone(rpcUrl: string): Promise<void> {
    await expect
      .poll(
        async () =>
          fetch(rpcUrl).then(
            () => 'there',
            () => 'gone',
          ),
        { timeout: 10_000 },
      )
      .toBe('gone');
  }

  test('killed with -9, it takes the chain with it, and the state is whole', async () => {
    const { parent, rpcUrl, federation } = await parentWithChain();
    parent.kill('SIGKILL');
    // at once: the successor waits for the state that is still being written
    const chain = await start();
    await gone(rpcUrl);
    const client = await operatorOn(chain.rpcUrl);
    expect(await createFederation(client, federation).dealers()).toEqual([addressOf('dealer-1')]);
  });

  test('Ctrl-C for its whole process group does not lose the state', async () => {
    const { parent, rpcUrl, federation } = await parentWithChain();
    const exited = once(parent, 'exit');
    process.kill(-(parent.pid ?? 0), 'SIGINT');
    await exited;
    await gone(rpcUrl);
    const chain = await start();
    const client = await operatorOn(chain.rpcUrl);
    expect(await createFederation(client, federation).dealers()).toEqual([addressOf('dealer-1')]);
  });
});
