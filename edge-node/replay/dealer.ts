// A dealer's folder, opened for a replay while its node is stopped.
import { join } from 'node:path';
import { type ChainConnection, connectFederation } from '../../engines/chain/connect.ts';
import { type Identity, loadOrCreateIdentity } from '../../engines/keys/identity.ts';
import { openStore, type Store } from '../../engines/store/store.ts';
import { systemClock } from '../../kit/clock.ts';
import { readFileOrExplain } from '../../kit/files.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { parseDataContract } from '../../protocol/learning/data-contract.ts';
import { checkTaskContract, parseTask } from '../../protocol/learning/task.ts';
import { blobPathOf } from '../../protocol/transcript/bundle.ts';
import type { StoredConsent } from '../consent/log-store.ts';
import { createConsentLogStore } from '../consent/stores.ts';
import { createConsentGate, type RecordsPlace } from '../data/gate.ts';
import { createParticipations } from '../participation.ts';
import { openAttemptSeeds } from '../seal/attempt-seeds.ts';
import { createPayloadFiles } from '../seal/payload-files.ts';
import { type BlobReader, blobsOf } from '../train/fetch-base.ts';
import type { ReplayParts } from './replay.ts';

export interface DealerPlace {
  readonly directory: string;
  readonly rpcUrl: string;
  readonly federation: Hex;
  /** A coordinator, or the folder of a bundle: where base models are read. */
  readonly modelsFrom: { readonly coordinatorUrl: string } | { readonly bundle: string };
  readonly records: RecordsPlace;
  readonly contractFile: string;
  readonly taskFile: string;
}

export interface OpenedDealer extends Omit<ReplayParts, 'ring'> {
  readonly identity: Identity;
  readonly chain: ChainConnection;
  readonly taskSource: string;
  readonly contractSource: string;
  readonly log: readonly StoredConsent[];
  close(): Promise<void>;
}

/** @throws ConcordatError REPLAY_IMPOSSIBLE while the node runs, FILE_*, RECORDS_*, CHAIN_*, TASK_INVALID */
export async function openDealer(place: DealerPlace): Promise<OpenedDealer> {
  const { directory } = place;
  await readFileOrExplain(join(directory, 'identity.json')); // a mistyped folder must not get an identity of its own
  const identity = await loadOrCreateIdentity(directory);
  const [taskSource, contractSource] = [await textOf(place.taskFile), await textOf(place.contractFile)];
  const [task, contract] = [parseTask(taskSource), parseDataContract(contractSource)];
  checkTaskContract(task, contract);
  const chain = await connectFederation(place.rpcUrl, place.federation);
  const gate = await createConsentGate(place.records, contract);
  const store = await openStopped(directory);
  try {
    const log = await createConsentLogStore(store).readAll();
    // what is kept is only read: how long it stays is the node's business
    const kept = { directory: join(directory, 'attempts'), replayDays: Number.POSITIVE_INFINITY, clock: systemClock };
    return {
      ...{ identity, chain, task, contract, taskSource, contractSource, gate, log },
      participations: createParticipations(store),
      seeds: await openAttemptSeeds(kept),
      payloads: createPayloadFiles(join(directory, 'sealed')),
      readBlob: blobReader(place.modelsFrom),
      close: () => store.close(),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

const textOf = async (path: string): Promise<string> => (await readFileOrExplain(path)).toString('utf8');

async function openStopped(directory: string): Promise<Store> {
  try {
    return await openStore(join(directory, 'store'));
  } catch (cause) {
    if (!isLocked(cause)) throw cause;
    const detail = 'the edge node of this folder is running: stop it, replay, and start it again';
    throw new ConcordatError('REPLAY_IMPOSSIBLE', detail, { directory }, { cause });
  }
}

/** As level says it, somewhere down the causes. */
function isLocked(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === 'LEVEL_LOCKED') || isLocked(error.cause);
}

function blobReader(from: DealerPlace['modelsFrom']): BlobReader {
  if ('coordinatorUrl' in from) return blobsOf(from.coordinatorUrl);
  // a copy of its own: a view into Node's pool is not aligned for weights
  return async (hash) => new Uint8Array(await readFileOrExplain(join(from.bundle, blobPathOf(hash))));
}
