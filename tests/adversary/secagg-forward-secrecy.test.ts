// Forward secrecy on a real chain: who keeps an upload and takes every key-holder's keys after the round opens nothing.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectFederation } from '../../engines/chain/connect.ts';
import { sealingKeysOf } from '../../engines/chain/sealing-keys.ts';
import { openShare, type SealingKeys, sealingKeysFrom, sealShare, systemRandom } from '../../engines/keys/sealing.ts';
import { keysOnChain, reviewAsTheChainMoves } from '../../key-holder/chain.ts';
import { openKeyFiles } from '../../key-holder/keys/key-files.ts';
import { createKeyring } from '../../key-holder/keys/keyring.ts';
import { SHARE_BYTES } from '../../protocol/secagg/shamir.ts';
import { shareAssociatedData } from '../../protocol/secagg/shares.ts';
import { addressOf, hash, keyOf, openRound, openWorld, type Party, type World } from '../contracts/world.ts';
import { codeOf, memoryStore } from '../unit/secagg-fixtures.ts';

const NAMES = ['key-holder-1', 'key-holder-2'] as const;
const DAY_SECONDS = 86_400;
const log = { info: () => undefined, warn: () => undefined };

let world: World;
let coordinator: Party;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concordat-forward-'));
  world = await openWorld();
  coordinator = await world.party('coordinator');
});
afterAll(async () => {
  await world.stop();
  await rm(directory, { recursive: true, force: true });
});

const folderOf = (name: string) => join(directory, name);

/** Everything in the key folders: what somebody who breaks in finds. */
async function seized(): Promise<Buffer[]> {
  const files = await Promise.all(
    NAMES.map(async (name) =>
      Promise.all((await readdir(folderOf(name))).map((file) => readFile(join(folderOf(name), file)))),
    ),
  );
  return files.flat();
}

async function startKeyHolder(name: string, signal: AbortSignal) {
  const chain = await connectFederation(world.chain.rpcUrl, world.at.federation, keyOf(name));
  const onChain = keysOnChain(chain, addressOf(name));
  const keyring = createKeyring({
    chain: onChain,
    files: await openKeyFiles(folderOf(name)),
    store: memoryStore(),
    log,
  });
  const fromBlock = (await chain.client.blockNumber()) + 1;
  await keyring.review();
  const following = reviewAsTheChainMoves(chain, keyring.review, { fromBlock, pollMs: 10, signal, log });
  return { keyring, following };
}

/** What one dealer's upload carries in this round, each share sealed to the keys of the round. */
async function upload(round: number) {
  const keys = await sealingKeysOf(coordinator, round);
  const fixed = { chainId: world.chain.chainId, ledger: world.at.ledger, round, attempt: 1 };
  const context = { ...fixed, dealer: addressOf('dealer-1'), payloadHash: hash(`payload ${round}`) };
  return keys.map(({ index, publicKey }) => {
    const share = new Uint8Array(SHARE_BYTES);
    systemRandom(share);
    const data = shareAssociatedData(context, index);
    const sealed = sealShare(publicKey, share, data);
    return { share, openWith: (own: SealingKeys) => openShare(own, sealed, data) };
  });
}

test('P2 after the round the keys it was sealed to are replaced on chain, and gone from memory and disk', async () => {
  const stop = new AbortController();
  const holders = await Promise.all(NAMES.map((name) => startKeyHolder(name, stop.signal)));
  // the keys that openWorld registered are nobody's: each holder replaced its own at the start
  const epochs = async () => (await coordinator.federation.keyHolders()).map(({ keyEpoch }) => keyEpoch);
  expect(await epochs()).toEqual([2, 2]);
  const round = await openRound(world, coordinator);
  const old = await upload(round);
  const secrets = await seized();
  expect(secrets).toHaveLength(2);
  for (const [i, { share, openWith }] of old.entries()) {
    expect(await holders[i]?.keyring.withKeys(round, async (keys) => openWith(keys))).toEqual(share);
  }

  await coordinator.ledger.failRound(round, 'enough for today');
  await expect.poll(epochs, { timeout: 10_000 }).toEqual([3, 3]);
  const files = () => Promise.all(NAMES.map((name) => readdir(folderOf(name))));
  await expect.poll(files, { timeout: 10_000 }).toEqual([['3.key'], ['3.key']]);

  const found = await seized();
  for (const secret of secrets) expect(found.some((bytes) => bytes.includes(secret.subarray(0, 8)))).toBe(false);
  for (const { openWith } of old) {
    for (const bytes of found) {
      expect(await codeOf(() => openWith(sealingKeysFrom(new Uint8Array(bytes))))).toBe('SHARE_UNREADABLE');
    }
  }
  for (const { keyring } of holders) {
    expect(await codeOf(() => keyring.withKeys(round, async () => undefined))).toBe('SET_REFUSED');
  }

  const next = await openRound(world, coordinator);
  for (const [i, { share, openWith }] of (await upload(next)).entries()) {
    expect(await holders[i]?.keyring.withKeys(next, async (keys) => openWith(keys))).toEqual(share);
  }
  stop.abort();
  await Promise.all(holders.map(({ following }) => following));
});

test('P2 a round that nobody ends does not keep its keys alive: a day after its deadline they are replaced and gone', async () => {
  const stop = new AbortController();
  const [name] = NAMES;
  for (let left = await coordinator.ledger.roundCount(); left > 0; left--) {
    if ((await coordinator.ledger.roundOf(left))?.status === 'open') await coordinator.ledger.failRound(left, 'over');
  }
  const { keyring, following } = await startKeyHolder(name, stop.signal);
  const round = await openRound(world, coordinator);
  const [own] = await upload(round);
  if (own === undefined) throw new Error('nothing sealed');
  const names = () => readdir(folderOf(name));
  const before = await names();
  const chain = keysOnChain(await connectFederation(world.chain.rpcUrl, world.at.federation), addressOf(name));
  const deadline = (await coordinator.ledger.roundOf(round))?.deadline ?? 0;
  const at = async (seconds: number) => {
    await world.nextBlockAt(seconds);
    await coordinator.client.rpc.call('evm_mine', []);
  };

  await at(deadline + DAY_SECONDS);
  expect(await chain.isOver(round)).toBe(false);
  await keyring.review();
  expect(await names()).toEqual(before);
  expect(await keyring.withKeys(round, async (keys) => own.openWith(keys))).toEqual(own.share);

  await at(deadline + DAY_SECONDS + 1);
  expect(await chain.isOver(round)).toBe(true);
  expect(await chain.isOver(round + 1)).toBe(false);
  await keyring.review();
  const after = await names();
  expect(after).toHaveLength(1);
  expect(before).not.toContain(after[0]);
  expect(await codeOf(() => keyring.withKeys(round, async (keys) => own.openWith(keys)))).toBe('SET_REFUSED');
  stop.abort();
  await following;
});
