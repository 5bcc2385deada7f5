// One-time keys: no crash, race or mistake makes two payloads for one attempt.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createSealRing } from '../../auditor/ring/seal.ts';
import { createOneTimeSealer, type SealJournal, type StoredUpdate } from '../../edge-node/seal/once.ts';
import { createPayloadFiles, type PayloadFiles } from '../../edge-node/seal/payload-files.ts';
import { createSealer, type Sealer, type SealRequest } from '../../edge-node/seal/seal.ts';
import { openStore } from '../../engines/store/store.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { sha256, toHex } from '../../protocol/bytes.ts';
import { addressOf, codeOf, memoryStore, sealRound } from '../unit/secagg-fixtures.ts';
import { KILL_POINTS, SHAPE } from './sealing-child.ts';

let sealer: Sealer;
let request: SealRequest;
beforeAll(async () => {
  const ring = await createSealRing();
  sealer = createSealer({ ring });
  const first = sealRound(ring, SHAPE).requests[0];
  if (first === undefined) throw new Error('no request');
  request = first;
});

let directory: string;
let files: PayloadFiles;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concordat-once-'));
  files = createPayloadFiles(join(directory, 'payloads'));
});
afterEach(() => rm(directory, { recursive: true }));

const filesLeft = () => readdir(join(directory, 'payloads'));

/** That the file on disk is the payload that the update names, whole. */
async function expectOnDisk({ payload, payloadHash }: StoredUpdate): Promise<void> {
  const bytes = await readFile(payload.path);
  expect(bytes.length).toBe(payload.bytes);
  expect(toHex(sha256(bytes))).toBe(payloadHash);
}

/** Counts sealings: each is one one-time secret. */
function counting(): Sealer & { sealed: number } {
  const counter = {
    sealed: 0,
    seal: (r: SealRequest, write: (part: Uint8Array) => void) => {
      counter.sealed += 1;
      return sealer.seal(r, write);
    },
  };
  return counter;
}

test('asked again, also after a restart and with other values, it returns the identical bytes', async () => {
  const [journal, counter] = [memoryStore(), counting()];
  const first = await createOneTimeSealer({ sealer: counter, journal, files }).seal(request);
  await expectOnDisk(first);
  const restarted = createOneTimeSealer({ sealer: counter, journal, files });
  expect(await restarted.seal(request)).toEqual(first);
  expect(await restarted.seal({ ...request, values: [1, 2, 3] })).toEqual(first);
  expect(await restarted.recall(request)).toEqual(first);
  await expectOnDisk(first);
  expect(counter.sealed).toBe(1);
});

test('twenty callers at once share one sealing', async () => {
  const [journal, counter] = [memoryStore(), counting()];
  const once = createOneTimeSealer({ sealer: counter, journal, files });
  const all = await Promise.all(Array.from({ length: 20 }, () => once.seal(request)));
  expect(counter.sealed).toBe(1);
  expect(new Set(all.map(({ payloadHash }) => payloadHash)).size).toBe(1);
  expect(await filesLeft()).toHaveLength(1);
});

/** A journal that dies at its n-th operation, before or after it takes effect; the rows survive, the process does not. */
function dyingJournal(
  rows: ReturnType<typeof memoryStore>,
  atOperation: number,
  effect: 'before' | 'after',
): SealJournal {
  let operation = 0;
  const step = async <T>(run: () => Promise<T>): Promise<T> => {
    operation += 1;
    if (operation !== atOperation) return run();
    if (effect === 'after') await run();
    throw new Error('killed');
  };
  return {
    get: (key) => step(() => rows.get(key)),
    write: (writes) => step(() => rows.write(writes)),
    list: (prefix) => step(() => rows.list(prefix)),
  };
}

for (const effect of ['before', 'after'] as const) {
  for (const operation of [1, 2, 3]) {
    test(`stopped ${effect} journal operation ${operation}: never two payloads for one attempt`, async () => {
      const [rows, counter] = [memoryStore(), counting()];
      const doomed = createOneTimeSealer({ sealer: counter, journal: dyingJournal(rows, operation, effect), files });
      await expect(doomed.seal(request)).rejects.toThrow('killed');
      const restarted = createOneTimeSealer({ sealer: counter, journal: rows, files });
      const outcome = await codeOf(() => restarted.seal(request));
      const begun = operation > 2 || (operation === 2 && effect === 'after');
      const stored = operation === 3 && effect === 'after';
      // begun and not stored: burnt; otherwise it is sealed now (nothing was begun) or was already
      expect(outcome).toBe(begun && !stored ? 'KEY_REUSED' : 'nothing thrown');
      expect(counter.sealed).toBe(1 - (operation === 2 && effect === 'after' ? 1 : 0));
      expect(await restarted.nextAttempt(request.round)).toBe(2);
    });
  }
}

const run = promisify(execFile);
const CHILD = fileURLToPath(new URL('./sealing-child.ts', import.meta.url));

test.each(KILL_POINTS)('killed for real %s: the attempt is whole, untouched or burnt for ever', async (point) => {
  const death = run(process.execPath, ['--import', 'tsx', CHILD, directory, point], { cwd: PACKAGE_ROOT });
  await expect(death).rejects.toMatchObject({ signal: 'SIGKILL' });

  const journal = await openStore(join(directory, 'store'));
  const [counter, restarted] = [counting(), createPayloadFiles(join(directory, 'payloads'))];
  const once = createOneTimeSealer({ sealer: counter, journal, files: restarted });
  // a file without its journal entry is never sent: whether somebody saw it is not known
  const outcome = await codeOf(() => once.seal(request));
  const at = KILL_POINTS.indexOf(point);
  const expected = at === 0 || at === KILL_POINTS.length - 1 ? 'nothing thrown' : 'KEY_REUSED';
  expect([outcome, counter.sealed]).toEqual([expected, at === 0 ? 1 : 0]);
  expect(await once.nextAttempt(request.round)).toBe(2);

  const second = await once.seal({ ...request, attempt: 2 });
  await expectOnDisk(second);
  if (expected === 'KEY_REUSED') expect(await codeOf(() => once.recall(request))).toBe('KEY_REUSED');
  else await expectOnDisk(await once.seal(request));
  // what the kill left behind goes with its round
  await once.forgetBefore(request.round + 1);
  expect(await filesLeft()).toEqual([]);
  await journal.close();
});

test('a burnt attempt stays burnt, and the next one works', async () => {
  const rows = memoryStore();
  const doomed = createOneTimeSealer({ sealer, journal: dyingJournal(rows, 3, 'before'), files });
  await expect(doomed.seal(request)).rejects.toThrow('killed');
  const once = createOneTimeSealer({ sealer, journal: rows, files });
  for (let again = 0; again < 3; again++) expect(await codeOf(() => once.seal(request))).toBe('KEY_REUSED');
  expect(await codeOf(() => once.recall(request))).toBe('KEY_REUSED');
  const attempt = await once.nextAttempt(request.round);
  expect(attempt).toBe(2);
  await once.seal({ ...request, attempt });
  expect(await once.nextAttempt(request.round)).toBe(3);
  expect(await once.nextAttempt(request.round + 1)).toBe(1);
});

test('an engine that fails burns the attempt too: part of a payload may have left the secret\u2019s protection', async () => {
  const rows = memoryStore();
  const failing: Sealer = {
    seal: (_request, write) => {
      write(new Uint8Array(8));
      throw new Error('engine');
    },
  };
  await expect(createOneTimeSealer({ sealer: failing, journal: rows, files }).seal(request)).rejects.toThrow('engine');
  expect(await filesLeft()).toEqual([]);
  const once = createOneTimeSealer({ sealer, journal: rows, files });
  expect(await codeOf(() => once.seal(request))).toBe('KEY_REUSED');
});

test('a payload that vanished from disk is said so, never sealed again', async () => {
  const [journal, counter] = [memoryStore(), counting()];
  const once = createOneTimeSealer({ sealer: counter, journal, files });
  const { payload } = await once.seal(request);
  await rm(payload.path);
  expect(await codeOf(() => once.seal(request))).toBe('STATE_CORRUPT');
  expect(await codeOf(() => once.recall(request))).toBe('STATE_CORRUPT');
  expect(counter.sealed).toBe(1);
});

test('payloads of earlier rounds are forgotten, that their attempts were used is not', async () => {
  const once = createOneTimeSealer({ sealer, journal: memoryStore(), files });
  const next = { ...request, round: request.round + 1 };
  await once.seal(request);
  const kept = await once.seal(next);
  await once.forgetBefore(next.round);
  expect(await filesLeft()).toHaveLength(1);
  expect(await once.recall(next)).toEqual(kept);
  expect(await codeOf(() => once.seal(request))).toBe('STATE_CORRUPT');
  expect(await once.nextAttempt(request.round)).toBe(2);
});

test('a journal that outlived its chain is not taken for the new one\u2019s', async () => {
  const journal = memoryStore();
  await createOneTimeSealer({ sealer, journal, files }).seal(request);
  const once = createOneTimeSealer({ sealer, journal, files });
  const others: Partial<SealRequest>[] = [
    { chainId: 1 },
    { ledger: addressOf('another ledger') },
    { dealer: addressOf('another dealer') },
    { seed: `0x${'00'.repeat(32)}` },
  ];
  for (const other of others) {
    expect(await codeOf(() => once.seal({ ...request, ...other }))).toBe('STATE_CORRUPT');
  }
});

test('the real store keeps it across processes\u2019 lives', async () => {
  const before = await openStore(join(directory, 'store'));
  const first = await createOneTimeSealer({ sealer, journal: before, files }).seal(request);
  await before.close();
  const after = await openStore(join(directory, 'store'));
  const once = createOneTimeSealer({ sealer, journal: after, files });
  expect(await once.seal(request)).toEqual(first);
  expect(await once.nextAttempt(request.round)).toBe(2);
  await after.close();
});
