// What a new deployment takes out of the old bundle: all of it or a named refusal, whatever was there before and whenever it was killed.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCarryOver, type SuccessionParts, withCarriedModels } from '../../coordinator/succession.ts';
import { type Blobs, openBlobs } from '../../coordinator/transcript/blobs.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { encodeModel } from '../../protocol/learning/model.ts';
import { SILENT, sha256Of } from './coordinator-world.ts';

let directory: string;
let blobs: Blobs;
let oldBundle: string;
const taskOf = (name: string): Hex => sha256Of(Buffer.from(name));
const OLD: Hex = `0x${'0a'.repeat(20)}`;
const NEW: Hex = `0x${'0b'.repeat(20)}`;

const layout = [{ name: 'kernel', shape: [2] }];
const STATE = Buffer.from('what the optimiser carries on');
const plain = encodeModel({ layout, weights: Float32Array.of(1, 2) });
const stateful = encodeModel({ layout, weights: Float32Array.of(3, 4), state: sha256Of(STATE) });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concordat-carry-'));
  oldBundle = join(directory, 'old');
  await mkdir(join(oldBundle, 'blobs'), { recursive: true });
  for (const file of [plain, stateful, STATE]) await put(file);
  blobs = await openBlobs(join(directory, 'new/blobs'));
});
afterEach(() => rm(directory, { recursive: true }));

const pathOf = (hash: Hex) => join(oldBundle, 'blobs', hash.slice(2));
const put = (file: Uint8Array) => writeFile(pathOf(sha256Of(file)), file);
const own = async () => (await readdir(join(directory, 'new/blobs'))).map((name) => `0x${name}`).sort();
const hashes = (...files: readonly Uint8Array[]) => files.map(sha256Of).sort();

/** Two tasks with a model each, and one whose rounds all failed. */
function partsWith(over: Partial<SuccessionParts> = {}): SuccessionParts {
  const models = new Map([
    [taskOf('plain'), sha256Of(plain)],
    [taskOf('stateful'), sha256Of(stateful)],
  ]);
  const opened = ['plain', 'stateful', 'plain', 'failed'].map((name) => taskOf(name));
  return {
    ledger: {
      line: async () => [NEW, OLD],
      roundsBefore: async () => opened.length,
      lastModelOf: async (task) => models.get(task),
    },
    earlierRounds: async (before) =>
      opened.slice(0, before - 1).map((taskHash) => ({ taskHash, epsilonAfterMilli: 0, counts: true })),
    isNamed: async () => true,
    blobs,
    predecessorBundle: oldBundle,
    log: SILENT,
    ...over,
  };
}
async function errorOf(work: Promise<unknown>): Promise<ConcordatError> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error instanceof ConcordatError) return error;
  throw new Error(`expected a typed error, got ${error}`);
}

describe('carrying over', () => {
  test('brings the last model of every task and its state, and nothing else', async () => {
    await writeFile(pathOf(taskOf('x')), 'an upload');
    await createCarryOver(partsWith())();
    expect(await own()).toEqual(hashes(plain, stateful, STATE));
  });

  test('the first of a line needs nothing', async () => {
    const { ledger } = partsWith();
    const first = partsWith({ ledger: { ...ledger, line: async () => [NEW] }, predecessorBundle: undefined });
    await createCarryOver(first)();
    expect(await own()).toEqual([]);
  });

  test('killed between model and state, it brings the state at the next start; then the old folder may go', async () => {
    await blobs.putBlob(stateful);
    await createCarryOver(partsWith())();
    expect(await own()).toEqual(hashes(plain, stateful, STATE));
    await rm(oldBundle, { recursive: true });
    await createCarryOver(partsWith())();
    await createCarryOver(partsWith({ predecessorBundle: undefined }))();
  });

  test('without the option it says which model of which task, and what to give', async () => {
    const { code, detail, fields } = await errorOf(createCarryOver(partsWith({ predecessorBundle: undefined }))());
    expect(code).toBe('FILE_MISSING');
    expect(detail).toContain(`task ${taskOf('plain')}, blob ${sha256Of(plain)}`);
    expect(detail).toContain('--predecessor-bundle');
    expect(fields).toMatchObject({ hash: sha256Of(plain) });
  });

  test.each([
    ['model', stateful],
    ['state', STATE],
  ])('a bundle without the %s is refused by its path, a damaged one by its hash', async (_what, file) => {
    await rm(pathOf(sha256Of(file)));
    const missing = await errorOf(createCarryOver(partsWith())());
    expect([missing.code, missing.detail]).toEqual(['FILE_MISSING', expect.stringContaining(pathOf(sha256Of(file)))]);
    await writeFile(pathOf(sha256Of(file)), 'something else');
    expect((await errorOf(createCarryOver(partsWith())())).code).toBe('ARTIFACT_CORRUPT');
    expect(await own()).not.toContain(sha256Of(file));
    await put(file);
    await createCarryOver(partsWith())();
    expect(await own()).toContain(sha256Of(file));
  });
});

describe('before each round', () => {
  const DRIVER = {
    runRound: async () => Promise.reject(new Error('a round began')),
    lastPublished: async () => undefined,
  };

  test('what the old one published after the first look is brought before the round; once it has ended, no more is asked', async () => {
    let published = sha256Of(plain);
    let named = false;
    let asked = 0;
    const { ledger } = partsWith();
    const lastModelOf = async () => {
      asked += 1;
      return published;
    };
    const carryOver = createCarryOver(partsWith({ ledger: { ...ledger, lastModelOf }, isNamed: async () => named }));
    await carryOver();
    expect(await own()).toEqual(hashes(plain));
    [published, named] = [sha256Of(stateful), true];
    const driver = withCarriedModels(DRIVER, carryOver);
    await expect(driver.runRound({})).rejects.toThrow('a round began');
    expect(await own()).toEqual(hashes(plain, stateful, STATE));
    const before = asked;
    await expect(driver.runRound({})).rejects.toThrow('a round began');
    expect(asked).toBe(before);
  });

  test('before the handover no round begins, and nobody’s task is given up for it', async () => {
    const driver = withCarriedModels(DRIVER, createCarryOver(partsWith({ isNamed: async () => false })));
    expect((await errorOf(driver.runRound({}))).code).toBe('TIMED_OUT');
  });

  test('no round begins without its model', async () => {
    await rm(pathOf(sha256Of(stateful)));
    const driver = withCarriedModels(DRIVER, createCarryOver(partsWith()));
    expect((await errorOf(driver.runRound({}))).code).toBe('FILE_MISSING');
  });
});
