// The randomness of an attempt: one seed, on disk before use, streams that never repeat, and nothing left when its days are over.
import { hkdfSync, webcrypto } from 'node:crypto';
import { chmod, link, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AttemptSeeds, openAttemptSeeds } from '../../edge-node/seal/attempt-seeds.ts';
import { createAttemptRandom } from '../../engines/keys/attempt-random.ts';
import { fromHex, toHex } from '../../protocol/bytes.ts';
import { type AttemptStream, attemptContext, type SealContext } from '../../protocol/secagg/attempt.ts';
import { CHAIN_ID, codeOf, LEDGER, SEED } from './secagg-fixtures.ts';

const CONTEXT: SealContext = { chainId: CHAIN_ID, ledger: LEDGER, round: 7, attempt: 1, dealer: LEDGER, seed: SEED };
const STREAMS: readonly AttemptStream[] = ['training', 'strategy', 'noise', 'secret', 'errors', 'stages'];
const seedOf = (byte: number) => new Uint8Array(32).fill(byte);
const randomOf = (seed: Uint8Array = seedOf(5), context = CONTEXT) =>
  createAttemptRandom(seed, attemptContext(context));

describe('streams', () => {
  test('are AES-256-CTR under HKDF-SHA256, whatever the sizes asked for', async () => {
    const subtle = webcrypto.subtle;
    const info = new TextEncoder().encode('concordat/1/attempt/errors');
    const base = await subtle.importKey('raw', seedOf(5), 'HKDF', false, ['deriveBits']);
    const terms = { name: 'HKDF', hash: 'SHA-256', salt: fromHex(attemptContext(CONTEXT)), info };
    const key = await subtle.importKey('raw', await subtle.deriveBits(terms, base, 256), 'AES-CTR', false, ['encrypt']);
    const counter = { name: 'AES-CTR', counter: new Uint8Array(16), length: 64 };
    const expected = new Uint8Array(await subtle.encrypt(counter, key, new Uint8Array(1_000)));

    const [whole, parts] = [new Uint8Array(1_000), new Uint8Array(1_000).fill(7)];
    randomOf().stream('errors')(whole);
    const stream = randomOf().stream('errors');
    for (const [from, to] of [[0, 1], [1, 16], [16, 33], [33, 1_000]]) stream(parts.subarray(from, to)); // biome-ignore format: edges of AES blocks
    expect(whole).toEqual(expected);
    expect(parts).toEqual(expected);
    expect(hkdfSync('sha256', seedOf(5), terms.salt, info, 32).byteLength).toBe(32);
  });

  test('differ by name, and by every part of what the attempt is bound to', () => {
    const first = (random: ReturnType<typeof randomOf>) => toHex(random.bytes('secret', 16));
    const others: Partial<SealContext>[] = [
      { chainId: 1 },
      { ledger: `0x${'12'.repeat(20)}` },
      { round: 8 },
      { attempt: 2 },
      { dealer: `0x${'34'.repeat(20)}` },
      { seed: `0x${'00'.repeat(32)}` },
    ];
    const all = [
      ...STREAMS.map((name) => toHex(randomOf().bytes(name, 16))),
      ...others.map((other) => first(randomOf(seedOf(5), { ...CONTEXT, ...other }))),
      first(randomOf(seedOf(6))),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  test('are given once, and nothing after the wipe', async () => {
    const seed = seedOf(9);
    const random = randomOf(seed);
    const errors = random.stream('errors');
    expect(await codeOf(() => random.stream('errors'))).toBe('KEY_REUSED');
    random.wipe();
    expect(seed).toEqual(seedOf(0));
    expect(await codeOf(() => random.stream('secret'))).toBe('KEY_REUSED');
    expect(await codeOf(() => errors(new Uint8Array(8)))).toBe('KEY_REUSED');
  });
});

describe('seeds on disk', () => {
  const DAY_MS = 86_400_000;
  const trace = { stages: { training: SEED, noise: SEED } };
  let directory: string;
  let nowMs: number;
  beforeEach(async () => {
    nowMs = 1_800_000_000_000;
    directory = join(await mkdtemp(join(tmpdir(), 'concordat-seeds-')), 'attempts');
  });
  afterEach(() => rm(join(directory, '..'), { recursive: true }));
  const open = (replayDays = 30): Promise<AttemptSeeds> =>
    openAttemptSeeds({ directory, replayDays, clock: { nowMs: () => nowMs } });
  const names = async () => (await readdir(directory)).map((name) => name.replace(/-\d+\./, '.')).sort();

  test('what is recalled gives the streams that were drawn; the owner alone can read it', async () => {
    const seeds = await open();
    const drawn = (await seeds.draw(CONTEXT)).bytes('secret', 32);
    await seeds.writeTrace(CONTEXT, { ...trace, dealerState: seedOf(3) });
    const kept = await (await open()).recall(CONTEXT);
    expect(kept?.trace).toEqual({ ...trace, dealerState: seedOf(3) });
    expect(randomOf(kept?.seed).bytes('secret', 32)).toEqual(drawn);
    for (const name of await readdir(directory)) {
      expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
  });

  test('[AGG-2] an attempt gets one seed for ever; two attempts never share one', async () => {
    const seeds = await open();
    await seeds.draw(CONTEXT);
    expect(await codeOf(() => seeds.draw(CONTEXT))).toBe('KEY_REUSED');
    expect(await (await open()).lastAttempt(7)).toBe(1);
    expect(await seeds.lastAttempt(8)).toBe(0);
    await seeds.draw({ ...CONTEXT, attempt: 2 });
    const bytes = await Promise.all((await readdir(directory)).map((name) => readFile(join(directory, name), 'hex')));
    expect(new Set(bytes.map((hex) => hex.slice(64))).size).toBe(2);
  });

  test('a seed that cannot be written is not used', async () => {
    const seeds = await open();
    await rm(directory, { recursive: true });
    await expect(seeds.draw(CONTEXT)).rejects.toThrow();
  });

  test('[AGG-14] with no days nothing touches the disk', async () => {
    const seeds = await open(0);
    await seeds.draw(CONTEXT);
    await seeds.writeTrace(CONTEXT, trace);
    expect(await names()).toEqual([]);
    expect(await seeds.recall(CONTEXT)).toBeUndefined();
  });

  test('begun and never finished: there is nothing to recall', async () => {
    const seeds = await open();
    await seeds.draw(CONTEXT);
    expect(await seeds.recall(CONTEXT)).toBeUndefined();
  });

  test('of another context, or cut short: said so', async () => {
    const seeds = await open();
    await seeds.draw(CONTEXT);
    await seeds.writeTrace(CONTEXT, trace);
    expect(await codeOf(() => seeds.recall({ ...CONTEXT, chainId: 1 }))).toBe('STATE_CORRUPT');
    const file = join(directory, (await readdir(directory)).find((name) => name.endsWith('seed')) ?? '');
    await writeFile(file, (await readFile(file)).subarray(0, 63));
    expect(await codeOf(() => seeds.recall(CONTEXT))).toBe('STATE_CORRUPT');
  });

  test('[AGG-14] what comes to nothing is erased at once, the rest on its last day and not before', async () => {
    const seeds = await open();
    for (const attempt of [1, 2, 3]) await seeds.draw({ ...CONTEXT, attempt });
    await seeds.writeTrace({ ...CONTEXT, attempt: 2 }, trace);
    await seeds.keepOnly(7, 2);
    expect(await names()).toEqual(['7-2.seed', '7-2.trace']);
    expect(await seeds.lastRoundBefore(8)).toBe(7);
    expect(await seeds.lastRoundBefore(7)).toBeUndefined();
    nowMs += 30 * DAY_MS - 1_000;
    await seeds.eraseExpired();
    expect(await names()).toHaveLength(2);
    nowMs += 1_000;
    await seeds.eraseExpired();
    expect(await names()).toEqual([]);
  });

  test('fewer days count for what is there already', async () => {
    await (await open()).draw(CONTEXT);
    await (await open(0)).eraseExpired();
    expect(await names()).toEqual([]);
  });

  test('[AGG-14] erased means overwritten: another name of the same file holds nothing of it', async () => {
    const seeds = await open();
    await seeds.draw(CONTEXT);
    const [name = ''] = await readdir(directory);
    const secret = (await readFile(join(directory, name))).subarray(32);
    const other = join(directory, '..', 'other-name');
    await link(join(directory, name), other);
    await seeds.keepOnly(7, 0);
    const left = await readFile(other);
    expect(left).toHaveLength(64);
    expect(left.includes(secret.subarray(0, 8))).toBe(false);
  });

  test('what a kill left half-written is erased at the start', async () => {
    await open();
    const half = join(directory, '7-1-1.trace.0a0b0c0d.tmp');
    await writeFile(half, 'half');
    await chmod(half, 0o600);
    await open();
    expect(await names()).toEqual([]);
  });
});
