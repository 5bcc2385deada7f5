// One-time keys: no crash, race or mistake makes two payloads for one attempt.
import { beforeAll, expect, test } from 'vitest';
import { createOneTimeSealer, type SealJournal } from '../../edge-node/seal/once.ts';
import { createSealer, type Sealer, type SealRequest } from '../../edge-node/seal/seal.ts';
import { createSealRing } from '../../engines/ring/seal.ts';
import { addressOf, codeOf, memoryStore, sealRound } from '../unit/secagg-fixtures.ts';

let sealer: Sealer;
let request: SealRequest;
beforeAll(async () => {
  const ring = await createSealRing();
  sealer = createSealer({ ring });
  const first = sealRound(ring, { dealers: 1, holders: 3, threshold: 2, valueCount: 100 }).requests[0];
  if (first === undefined) throw new Error('no request');
  request = first;
});

/** Counts sealings: each is one one-time secret. */
function counting(): Sealer & { sealed: number } {
  const counter = {
    sealed: 0,
    seal: (r: SealRequest) => {
      counter.sealed += 1;
      return sealer.seal(r);
    },
  };
  return counter;
}

test('asked again, also after a restart and with other values, it returns the identical bytes', async () => {
  const [journal, counter] = [memoryStore(), counting()];
  const first = await createOneTimeSealer({ sealer: counter, journal }).seal(request);
  const restarted = createOneTimeSealer({ sealer: counter, journal });
  expect(await restarted.seal(request)).toEqual(first);
  expect(await restarted.seal({ ...request, values: [1, 2, 3] })).toEqual(first);
  expect(await restarted.recall(request)).toEqual(first);
  expect(counter.sealed).toBe(1);
});

test('twenty callers at once share one sealing', async () => {
  const [journal, counter] = [memoryStore(), counting()];
  const once = createOneTimeSealer({ sealer: counter, journal });
  const all = await Promise.all(Array.from({ length: 20 }, () => once.seal(request)));
  expect(counter.sealed).toBe(1);
  expect(new Set(all.map(({ payloadHash }) => payloadHash)).size).toBe(1);
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
    test(`killed ${effect} journal operation ${operation}: never two payloads for one attempt`, async () => {
      const [rows, counter] = [memoryStore(), counting()];
      const doomed = createOneTimeSealer({ sealer: counter, journal: dyingJournal(rows, operation, effect) });
      await expect(doomed.seal(request)).rejects.toThrow('killed');
      const restarted = createOneTimeSealer({ sealer: counter, journal: rows });
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

test('a burnt attempt stays burnt, and the next one works', async () => {
  const rows = memoryStore();
  const doomed = createOneTimeSealer({ sealer, journal: dyingJournal(rows, 3, 'before') });
  await expect(doomed.seal(request)).rejects.toThrow('killed');
  const once = createOneTimeSealer({ sealer, journal: rows });
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
    seal: () => {
      throw new Error('engine');
    },
  };
  await expect(createOneTimeSealer({ sealer: failing, journal: rows }).seal(request)).rejects.toThrow('engine');
  expect(await codeOf(() => createOneTimeSealer({ sealer, journal: rows }).seal(request))).toBe('KEY_REUSED');
});

test('a journal that outlived its chain is not taken for the new one\u2019s', async () => {
  const journal = memoryStore();
  await createOneTimeSealer({ sealer, journal }).seal(request);
  const once = createOneTimeSealer({ sealer, journal });
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
  const { openStore } = await import('../../engines/store/store.ts');
  const { mkdtemp, rm } = await import('node:fs/promises');
  const directory = await mkdtemp('/tmp/concordat-once-');
  const before = await openStore(directory);
  const first = await createOneTimeSealer({ sealer, journal: before }).seal(request);
  await before.close();
  const after = await openStore(directory);
  expect(await createOneTimeSealer({ sealer, journal: after }).seal(request)).toEqual(first);
  expect(await createOneTimeSealer({ sealer, journal: after }).nextAttempt(request.round)).toBe(2);
  await after.close();
  await rm(directory, { recursive: true });
});
