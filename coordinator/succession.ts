// What a deployment carries on: the last model of every task of the one before, and the state that it names, out of the old bundle.
import { join } from 'node:path';
import type { EarlierRounds } from '../engines/chain/earlier-rounds.ts';
import type { RoundLedger } from '../engines/chain/round-ledger.ts';
import { readFileOrExplain } from '../kit/files.ts';
import type { Log } from '../kit/log.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { decodeModel } from '../protocol/learning/model.ts';
import { blobPathOf } from '../protocol/transcript/bundle.ts';
import type { TaskDriver } from './tasks/runner.ts';
import type { Blobs } from './transcript/blobs.ts';
import { sha256 } from './transcript/hash.ts';

export interface SuccessionParts {
  readonly ledger: Pick<RoundLedger, 'line' | 'roundsBefore' | 'lastModelOf'>;
  readonly earlierRounds: EarlierRounds;
  /** Whether the predecessor has named this deployment: it publishes nothing from then on. */
  readonly isNamed: () => Promise<boolean>;
  readonly blobs: Pick<Blobs, 'getBlob' | 'putBlob'>;
  /** Folder of the old bundle. Not needed any more once everything is here. */
  readonly predecessorBundle: string | undefined;
  readonly log: Log;
}

const NOT_IN_FORCE = 'this deployment is not in force yet: `concordat deploy succeed` hands over to it';

/**
 * Copies what is not here yet, by the hashes that are on chain. Any number of times: a kill leaves some of it, and the next call
 * brings the rest; until the predecessor has ended, it may publish once more.
 * @returns whether this deployment is in force: until then a round that seems to be under way is its predecessor's
 * @throws ConcordatError FILE_MISSING, ARTIFACT_CORRUPT naming the model that is not in the old bundle
 */
export type CarryOver = () => Promise<boolean>;

export function createCarryOver(parts: SuccessionParts): CarryOver {
  const { ledger, earlierRounds, isNamed, log } = parts;
  let isDone = false;

  /** With the task, of every one that has published anything. */
  async function lastModels(): Promise<(readonly [Hex, Hex])[]> {
    const rounds = await earlierRounds(1 + (await ledger.roundsBefore()));
    const models: (readonly [Hex, Hex])[] = [];
    for (const task of new Set(rounds.map(({ taskHash }) => taskHash))) {
      const model = await ledger.lastModelOf(task);
      if (model !== undefined) models.push([task, model]);
    }
    return models;
  }

  return async () => {
    if (isDone) return true;
    const isFirst = (await ledger.line()).length === 1;
    // asked first: what is published after it would be missed
    const isLast = isFirst || (await isNamed());
    for (const [task, model] of isFirst ? [] : await lastModels()) {
      const { state } = decodeModel(await bring(model, `the last model of task ${task}`, parts));
      if (state !== undefined) await bring(state, `the state of the last model of task ${task}`, parts);
    }
    isDone = isLast;
    if (!isLast) log.warn(NOT_IN_FORCE);
    return isLast;
  };
}

/** Every round of this driver starts from a model that is here. Its `runRound` @throws ConcordatError TIMED_OUT before the handover */
export const withCarriedModels = (driver: TaskDriver, carryOver: CarryOver): TaskDriver => ({
  ...driver,
  runRound: async (control) => {
    if (!(await carryOver())) throw new ConcordatError('TIMED_OUT', NOT_IN_FORCE);
    return driver.runRound(control);
  },
});

async function bring(hash: Hex, what: string, { blobs, predecessorBundle, log }: SuccessionParts): Promise<Uint8Array> {
  const own = await blobs.getBlob(hash).catch(orElseMissing);
  if (own !== undefined) return own;
  if (predecessorBundle === undefined) {
    const detail = `${what}, blob ${hash}, is of an earlier deployment: give --predecessor-bundle`;
    throw new ConcordatError('FILE_MISSING', detail, { hash });
  }
  const path = join(predecessorBundle, blobPathOf(hash));
  const bytes = await readFileOrExplain(path).catch((cause: unknown) => {
    throw new ConcordatError('FILE_MISSING', `${what}: ${path}`, { hash, path }, { cause });
  });
  const got = sha256(bytes);
  if (got !== hash) throw new ConcordatError('ARTIFACT_CORRUPT', `${what}: ${path} has the hash ${got}`, { hash, got });
  await blobs.putBlob(bytes);
  log.info({ hash }, `carried over: ${what}`);
  return bytes;
}

function orElseMissing(error: unknown): undefined {
  if (error instanceof ConcordatError && error.code === 'NOT_FOUND') return undefined;
  throw error;
}
