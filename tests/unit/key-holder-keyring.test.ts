// A key-holder's keyring: a key in force that it holds, another one after each round, none longer than a round needs it.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sealingKeysFrom } from '../../engines/keys/sealing.ts';
import { openKeyFiles } from '../../key-holder/keys/key-files.ts';
import { createKeyring, type KeysOnChain } from '../../key-holder/keys/keyring.ts';
import { equalBytes, keccak256, toHex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { codeOf, memoryStore } from './secagg-fixtures.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concordat-keyring-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

type Rotation = 'mined' | 'lost before it is mined' | 'mined, and its answer lost';

/** A federation of one key-holder, as the contracts keep it. */
function fakeChain() {
  const keys: Uint8Array[] = [];
  const rounds: { over: boolean; readonly epoch: number }[] = [];
  const state = { next: 'mined' as Rotation, asked: 0 };
  const chain: KeysOnChain = {
    currentKey: async () => {
      const key = keys.at(-1);
      return { epoch: keys.length, keyHash: key && toHex(keccak256(key)) };
    },
    async rotateKey(publicKey) {
      const fate = state.next;
      state.next = 'mined';
      if (fate === 'lost before it is mined') throw new Error('killed');
      const last = keys.at(-1);
      if (last !== undefined && equalBytes(last, publicKey)) {
        throw new ConcordatError('CHAIN_REVERTED', 'refused', { reason: 'KeyNotNew' });
      }
      keys.push(publicKey.slice());
      if (fate === 'mined, and its answer lost') throw new Error('killed');
    },
    roundCount: async () => rounds.length,
    isOver: async (round) => {
      state.asked += 1;
      return rounds[round - 1]?.over ?? false;
    },
    keyAtOpening: async (round) => {
      const epoch = rounds[round - 1]?.epoch ?? 0;
      const publicKey = keys[epoch - 1];
      return publicKey && { epoch, publicKey };
    },
  };
  return {
    chain,
    keys,
    state,
    open: () => rounds.push({ over: false, epoch: keys.length }),
    end(round: number) {
      const ended = rounds[round - 1];
      if (ended !== undefined) ended.over = true;
    },
  };
}

type FakeChain = ReturnType<typeof fakeChain>;

/** A process: another one on the same folder and store is the same key-holder started again. */
async function start(fake: FakeChain, store = memoryStore(), onRoundOver?: (round: number) => void) {
  const files = await openKeyFiles(join(directory, 'keys'));
  const parts = { chain: fake.chain, files, store, log: { info: () => undefined } };
  return createKeyring(onRoundOver === undefined ? parts : { ...parts, onRoundOver });
}

const fileNames = async () => (await readdir(join(directory, 'keys'))).sort();
const seedOf = async (epoch: number) => new Uint8Array(await readFile(join(directory, 'keys', `${epoch}.key`)));
const publicKeyUnder = (keyring: Awaited<ReturnType<typeof start>>, round: number) =>
  keyring.withKeys(round, async ({ publicKey }) => publicKey);

describe('a key', () => {
  test('is made, on disk for its owner only, and registered before anything else', async () => {
    const fake = fakeChain();
    await (await start(fake)).review();
    expect(fake.keys).toHaveLength(1);
    expect(await fileNames()).toEqual(['1.key']);
    expect(sealingKeysFrom(await seedOf(1)).publicKey).toEqual(fake.keys[0]);
    expect((await stat(join(directory, 'keys', '1.key'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, 'keys'))).mode & 0o777).toBe(0o700);
  });

  test('stays while nothing happens, also over a restart', async () => {
    const [fake, store] = [fakeChain(), memoryStore()];
    const keyring = await start(fake, store);
    await keyring.review();
    fake.open();
    await keyring.review();
    await (await start(fake, store)).review();
    expect(fake.keys).toHaveLength(1);
    expect(await publicKeyUnder(keyring, 1)).toEqual(fake.keys[0]);
  });

  test('is replaced and erased when its round is over', async () => {
    const [fake, over] = [fakeChain(), [] as number[]];
    const keyring = await start(fake, memoryStore(), (round) => over.push(round));
    await keyring.review();
    fake.open();
    fake.end(1);
    await keyring.review();
    expect(fake.keys).toHaveLength(2);
    expect(await fileNames()).toEqual(['2.key']);
    expect(await codeOf(() => publicKeyUnder(keyring, 1))).toBe('SET_REFUSED');
    expect(over).toEqual([1]);
    await keyring.review();
    expect(fake.keys).toHaveLength(2);
  });

  test('is kept for every round that goes on, and gone with the last', async () => {
    const fake = fakeChain();
    const keyring = await start(fake);
    await keyring.review();
    fake.open();
    fake.open();
    fake.end(1);
    await keyring.review();
    fake.open();
    expect(await fileNames()).toEqual(['1.key', '2.key']);
    expect(await publicKeyUnder(keyring, 2)).toEqual(fake.keys[0]);
    expect(await publicKeyUnder(keyring, 3)).toEqual(fake.keys[1]);
    fake.end(2);
    await keyring.review();
    // the last round of the first key: the second is still needed, and has no round that is over
    expect(fake.keys).toHaveLength(2);
    expect(await fileNames()).toEqual(['2.key']);
    fake.end(3);
    await keyring.review();
    expect(await fileNames()).toEqual(['3.key']);
  });

  test('of a round that opens while the next key is on its way is not erased', async () => {
    const fake = fakeChain();
    const { rotateKey } = fake.chain;
    const chain = {
      ...fake.chain,
      rotateKey: async (publicKey: Uint8Array) => {
        if (fake.keys.length === 1) fake.open(); // in the block before
        await rotateKey(publicKey);
      },
    };
    const keyring = await start({ ...fake, chain });
    await keyring.review();
    fake.open();
    fake.end(1);
    await keyring.review();
    expect(fake.keys).toHaveLength(2);
    expect(await publicKeyUnder(keyring, 2)).toEqual(fake.keys[0]);
    expect(await fileNames()).toEqual(['1.key', '2.key']);
  });

  test('that is lost, or registered by somebody else\u2019s hand, is replaced by one that we hold', async () => {
    const fake = fakeChain();
    await (await start(fake)).review();
    await rm(join(directory, 'keys', '1.key'));
    await (await start(fake)).review();
    fake.keys.push(new Uint8Array(1_216).fill(3));
    await (await start(fake)).review();
    expect(fake.keys).toHaveLength(4);
    expect(sealingKeysFrom(await seedOf(4)).publicKey).toEqual(fake.keys[3]);
    expect(await fileNames()).toEqual(['4.key']);
  });

  test('that is not the one a round was opened under is not used for it', async () => {
    const fake = fakeChain();
    await (await start(fake)).review();
    fake.open();
    await writeFile(join(directory, 'keys', '1.key'), new Uint8Array(32).fill(1));
    expect(await codeOf(async () => publicKeyUnder(await start(fake), 1))).toBe('STATE_CORRUPT');
    await writeFile(join(directory, 'keys', '1.key'), 'cut');
    expect(await codeOf(async () => publicKeyUnder(await start(fake), 1))).toBe('STATE_CORRUPT');
  });

  test('is not asked of a key-holder that was registered after the round opened', async () => {
    const fake = fakeChain();
    fake.open();
    const keyring = await start(fake);
    await keyring.review();
    expect(await codeOf(() => publicKeyUnder(keyring, 1))).toBe('SET_REFUSED');
  });
});

describe('killed', () => {
  test.each([
    ['lost before it is mined', 2],
    ['mined, and its answer lost', 2],
  ] as const)(
    'with the next key on disk and the transaction %s: it is that key which is in force after',
    async (fate, epochs) => {
      const [fake, store] = [fakeChain(), memoryStore()];
      const keyring = await start(fake, store);
      await keyring.review();
      fake.open();
      fake.end(1);
      fake.state.next = fate;
      await expect(keyring.review()).rejects.toThrow('killed');
      const left = sealingKeysFrom(await seedOf(2)).publicKey;
      const again = await start(fake, store);
      await again.review();
      expect(fake.keys).toHaveLength(epochs);
      expect(fake.keys.at(-1)).toEqual(left);
      expect(await fileNames()).toEqual(['2.key']);
    },
  );

  test('before the very first rotation is mined: the first key is the one on disk', async () => {
    const fake = fakeChain();
    fake.state.next = 'lost before it is mined';
    await expect((await start(fake)).review()).rejects.toThrow('killed');
    const left = sealingKeysFrom(await seedOf(1)).publicKey;
    await (await start(fake)).review();
    expect(fake.keys).toEqual([left]);
  });

  test('and the same transaction sent twice: the second is refused as not new, and that is well', async () => {
    const fake = fakeChain();
    await (await start(fake)).review();
    const stale = { ...fake.chain };
    let looks = 0;
    // the endpoint shows the state before the first transaction once more
    stale.currentKey = async () => {
      looks += 1;
      return looks === 1 ? { epoch: 0, keyHash: undefined } : fake.chain.currentKey();
    };
    await (await start({ ...fake, chain: stale })).review();
    expect(fake.keys).toHaveLength(1);
  });

  test('after the rotation and before the erasure: erased by the next process', async () => {
    const [fake, store] = [fakeChain(), memoryStore()];
    const keyring = await start(fake, store);
    await keyring.review();
    fake.open();
    fake.end(1);
    const files = await openKeyFiles(join(directory, 'keys'));
    const dying = { ...files, erase: async () => Promise.reject(new Error('killed')) };
    const parts = { chain: fake.chain, store, log: { info: () => undefined } };
    await expect(createKeyring({ ...parts, files: dying }).review()).rejects.toThrow('killed');
    expect(await fileNames()).toEqual(['1.key', '2.key']);
    await (await start(fake, store)).review();
    expect(await fileNames()).toEqual(['2.key']);
    expect(fake.keys).toHaveLength(2);
  });

  test('while a key file was being written: what is left of it is erased at the start', async () => {
    const fake = fakeChain();
    await (await start(fake)).review();
    await writeFile(join(directory, 'keys', '2.key.1a2b3c4d.tmp'), new Uint8Array(32).fill(5));
    await (await start(fake)).review();
    expect(await fileNames()).toEqual(['1.key']);
  });
});

describe('an erased key', () => {
  test('has no bytes left anywhere in the folder', async () => {
    const [fake, store] = [fakeChain(), memoryStore()];
    const keyring = await start(fake, store);
    await keyring.review();
    const seed = Buffer.from(await seedOf(1));
    fake.open();
    fake.end(1);
    await keyring.review();
    for (const name of await fileNames()) {
      expect((await readFile(join(directory, 'keys', name))).includes(seed.subarray(0, 8))).toBe(false);
    }
    for (const value of store.rows.values()) expect(Buffer.from(value).includes(seed.subarray(0, 8))).toBe(false);
  });

  test('was overwritten before its name was taken away', async () => {
    const files = await openKeyFiles(join(directory, 'keys'));
    const seed = new Uint8Array(32).fill(9);
    await files.write(1, seed);
    // a second name of the same file shows what became of its bytes
    const { link } = await import('node:fs/promises');
    await link(join(directory, 'keys', '1.key'), join(directory, 'witness'));
    await files.erase(1);
    expect(await fileNames()).toEqual([]);
    const left = await readFile(join(directory, 'witness'));
    expect(left).toHaveLength(32);
    expect(left.equals(seed)).toBe(false);
    await files.erase(1); // gone already: nothing to do
  });

  test('is not written over by another of the same epoch', async () => {
    const files = await openKeyFiles(join(directory, 'keys'));
    await files.write(1, new Uint8Array(32).fill(9));
    expect(await codeOf(() => files.write(1, new Uint8Array(32)))).toBe('CONFLICT');
    expect(await files.epochs()).toEqual([1]);
  });

  test('waits for the answer that is being made with it, and is lent to no other', async () => {
    const fake = fakeChain();
    const keyring = await start(fake);
    await keyring.review();
    fake.open();
    let finish = (): void => undefined;
    const used = keyring.withKeys(1, async (keys) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return keys.privateKey.some((byte) => byte !== 0);
    });
    await expect.poll(() => finish.length).toBe(1);
    fake.end(1);
    const reviewed = keyring.review();
    await expect.poll(() => fake.keys.length).toBe(2);
    await expect.poll(() => codeOf(() => publicKeyUnder(keyring, 1))).toBe('SET_REFUSED');
    expect(await fileNames()).toContain('1.key');
    finish();
    expect(await used).toBe(true);
    await reviewed;
    expect(await fileNames()).toEqual(['2.key']);
  });
});

describe('a key that is being read from disk', () => {
  /** A process whose first read of a key comes back only when told to; the seeds that it handed out are kept. */
  async function startSlow(fake: FakeChain, store: ReturnType<typeof memoryStore>) {
    const files = await openKeyFiles(join(directory, 'keys'));
    const seeds: Uint8Array[] = [];
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const read = async (epoch: number) => {
      const seed = await files.read(epoch);
      if (seed === undefined) return undefined;
      if (seeds.push(seed) === 1) await held;
      return seed;
    };
    const parts = { chain: fake.chain, store, log: { info: () => undefined } };
    return { keyring: createKeyring({ ...parts, files: { ...files, read } }), seeds, release };
  }

  async function openedUnderFirstKey() {
    const [fake, store] = [fakeChain(), memoryStore()];
    await (await start(fake, store)).review();
    fake.open();
    return { fake, slow: await startSlow(fake, store) };
  }

  test('while it is erased does not come back, and its bytes are overwritten', async () => {
    const { fake, slow } = await openedUnderFirstKey();
    const used = codeOf(() => publicKeyUnder(slow.keyring, 1));
    await expect.poll(() => slow.seeds.length).toBe(1);
    fake.end(1);
    await slow.keyring.review();
    expect(await fileNames()).toEqual(['2.key']);
    slow.release();
    expect(await used).toBe('SET_REFUSED');
    expect(slow.seeds[0]).toEqual(new Uint8Array(32));
    expect(await codeOf(() => publicKeyUnder(slow.keyring, 1))).toBe('SET_REFUSED');
  });

  test('twice at once is held once: the second copy is overwritten, and the first goes on', async () => {
    const { fake, slow } = await openedUnderFirstKey();
    const first = publicKeyUnder(slow.keyring, 1);
    await expect.poll(() => slow.seeds.length).toBe(1);
    expect(await publicKeyUnder(slow.keyring, 1)).toEqual(fake.keys[0]);
    slow.release();
    expect(await first).toEqual(fake.keys[0]);
    expect(slow.seeds.map((seed) => seed.some((byte) => byte !== 0))).toEqual([false, true]);
  });
});

test('rounds that are settled are not looked at again, also after a restart; one that goes on keeps those after it in sight', async () => {
  const [fake, store] = [fakeChain(), memoryStore()];
  const keyring = await start(fake, store);
  await keyring.review();
  for (let round = 1; round <= 5; round++) {
    fake.open();
    if (round !== 4) fake.end(round);
    await keyring.review();
  }
  fake.state.asked = 0;
  await (await start(fake, store)).review();
  expect(fake.state.asked).toBe(3); // 4 twice, and 5
  fake.end(4);
  await keyring.review();
  fake.state.asked = 0;
  await (await start(fake, store)).review();
  expect(fake.state.asked).toBe(0);
});

test('reviews run one after the other', async () => {
  const fake = fakeChain();
  const keyring = await start(fake);
  await Promise.all([keyring.review(), keyring.review(), keyring.review()]);
  fake.open();
  fake.end(1);
  await Promise.all([keyring.review(), keyring.review(), keyring.review()]);
  expect(fake.keys).toHaveLength(2);
});
