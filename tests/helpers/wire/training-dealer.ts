// A dealer whose rounds are the edge node's own: gate, training, noise, sealing, journal, all from a folder that a process can
// die over. Its consent log is real; what it claims of it on chain is the wire world's double.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRecordsCommitter } from '../../../edge-node/commitment.ts';
import { createConsentLogStore } from '../../../edge-node/consent/stores.ts';
import { createConsentGate } from '../../../edge-node/data/gate.ts';
import { createParticipations } from '../../../edge-node/participation.ts';
import type { DealerPlace } from '../../../edge-node/replay/dealer.ts';
import { type RoundParts, type RoundResult, resume, takePart } from '../../../edge-node/round.ts';
import { openAttemptSeeds } from '../../../edge-node/seal/attempt-seeds.ts';
import { createOneTimeSealer } from '../../../edge-node/seal/once.ts';
import { createPayloadFiles } from '../../../edge-node/seal/payload-files.ts';
import { createSealer } from '../../../edge-node/seal/seal.ts';
import { createBaseChecker } from '../../../edge-node/train/check-base.ts';
import { createDealerStates } from '../../../edge-node/train/dealer-state.ts';
import { blobsOf } from '../../../edge-node/train/fetch-base.ts';
import { createPublishedOpener } from '../../../edge-node/train/open-published.ts';
import { createPublishedFiles, openedOf } from '../../../edge-node/train/published-files.ts';
import { createUploadSender } from '../../../edge-node/upload.ts';
import { connectFederation } from '../../../engines/chain/connect.ts';
import { createEarlierRounds } from '../../../engines/chain/earlier-rounds.ts';
import { loadOrCreateIdentity } from '../../../engines/keys/identity.ts';
import { createSimdRing } from '../../../engines/ring/simd.ts';
import { openStore } from '../../../engines/store/store.ts';
import { writeTable } from '../../../examples/simulation/load.ts';
import { systemClock } from '../../../kit/clock.ts';
import { createLog } from '../../../kit/log.ts';
import type { Hex } from '../../../protocol/bytes.ts';
import { grantsFor } from '../../../protocol/consent/grants.ts';
import { EVIDENCE, NO_PRIVACY_CAP, type Policy } from '../../../protocol/consent/policy.ts';
import { type DataContract, parseDataContract } from '../../../protocol/learning/data-contract.ts';
import { parseTask, requirementOfTask, type Task } from '../../../protocol/learning/task.ts';
import type { Row } from '../../../protocol/learning/validate-row.ts';
import { customer, NOTHING, openBook } from '../../unit/consent-world.ts';
import { CACHE_DIR } from '../command.ts';

const FAR_SECONDS = 4_102_444_800;
const CONSENT: Policy = {
  grants: grantsFor(['model-training', 'lead-scoring'], ['demographics', 'area-statistics', 'insurance']),
  conditions: { expiry: FAR_SECONDS, accuracyFloorBps: 0, privacyCapMilli: NO_PRIVACY_CAP, evidence: EVIDENCE.passkey },
};

/** What a process needs to know of the world around it. */
export interface Surroundings {
  readonly directory: string;
  readonly rpcUrl: string;
  readonly federation: Hex;
  readonly coordinatorUrl: string;
  readonly bundle: string;
  readonly taskSource: string;
  readonly contractSource: string;
  readonly replayDays: number;
}

export interface TrainingDealer {
  readonly parts: RoundParts;
  /** As its round follower does: sends again what is committed, or takes part. */
  follow(round: number): Promise<RoundResult | 'resumed'>;
  close(): Promise<void>;
}

const parsed = ({ taskSource, contractSource }: Surroundings): { task: Task; contract: DataContract } => ({
  task: parseTask(taskSource),
  contract: parseDataContract(contractSource),
});

/** Where a replay of it looks. */
export const placeOf = (at: Surroundings): DealerPlace => ({
  directory: at.directory,
  rpcUrl: at.rpcUrl,
  federation: at.federation,
  modelsFrom: { bundle: at.bundle },
  records: { records: join(at.directory, 'customers.csv'), table: undefined },
  contractFile: join(at.directory, 'contract.yaml'),
  taskFile: join(at.directory, 'task.yaml'),
});

/** Records, documents and a signed consent of every customer, in the folder. */
export async function prepareDealer(at: Surroundings, rows: readonly Row[]): Promise<void> {
  const { contract } = parsed(at);
  const identity = await loadOrCreateIdentity(at.directory);
  await writeFile(join(at.directory, 'task.yaml'), at.taskSource);
  await writeFile(join(at.directory, 'contract.yaml'), at.contractSource);
  await writeTable(join(at.directory, 'customers.csv'), contract, rows);
  const store = await openStore(join(at.directory, 'store'));
  const book = await openBook(createConsentLogStore(store), identity.address);
  for (const row of rows) {
    await book.submit(customer(String(row[contract.id.name]), identity.address).submission(CONSENT));
  }
  await store.close();
}

/** The customer takes everything back, after the rounds. */
export async function withdraw(at: Surroundings, customerId: string): Promise<void> {
  const { address } = await loadOrCreateIdentity(at.directory);
  const store = await openStore(join(at.directory, 'store'));
  const book = await openBook(createConsentLogStore(store), address);
  const device = customer(customerId, address);
  device.submission(CONSENT); // what it signed first
  await book.submit(device.submission(NOTHING));
  await store.close();
}

/** @param wrap changes a part, or watches it: where a test kills */
export async function openTrainingDealer(
  at: Surroundings,
  wrap: (parts: RoundParts) => RoundParts = (parts) => parts,
): Promise<TrainingDealer> {
  const { directory } = at;
  const { task, contract } = parsed(at);
  const identity = await loadOrCreateIdentity(directory);
  const chain = await connectFederation(at.rpcUrl, at.federation, identity.privateKey);
  const store = await openStore(join(directory, 'store'));
  const book = await openBook(createConsentLogStore(store), identity.address);
  const gate = await createConsentGate(placeOf(at).records, contract);
  const [ring, log] = [await createSimdRing({ cacheDir: CACHE_DIR }), createLog('dealer', 'silent')];
  const readBlob = blobsOf(at.coordinatorUrl);
  const parts = wrap({
    ...{ identity, chain, task, contract, gate },
    requirement: requirementOfTask(task, contract),
    selections: {
      prepare: async () => undefined,
      ensure: async () => {
        const anchor = await chain.registry.currentAnchor(identity.address);
        if (anchor === undefined) throw new Error('nothing is anchored');
        const customers = gate.customerIds.flatMap((id): [string, Hex][] => {
          const subject = book.subjectOf(id);
          return subject === undefined ? [] : [[id, subject]];
        });
        return { root: anchor.root, memberCount: customers.length, customers: new Map(customers) };
      },
      costs: { proofs: 0, provenPolicies: 0, proofMs: 0, gas: { admitPolicies: 0, admitSelection: 0, admittedSelections: 0 } }, // biome-ignore format: none of it is looked at
    },
    sealer: createOneTimeSealer({
      sealer: createSealer({ ring }),
      journal: store,
      files: createPayloadFiles(join(directory, 'sealed')),
    }),
    seeds: await openAttemptSeeds({
      directory: join(directory, 'attempts'),
      replayDays: at.replayDays,
      clock: systemClock,
    }),
    participations: createParticipations(store),
    earlierRounds: createEarlierRounds(chain.ledger),
    commitRecords: createRecordsCommitter(identity.secret),
    dealerStates: createDealerStates({ store, ledger: chain.ledger, dealer: identity.address, taskHash: task.hash }),
    bases: createBaseChecker({
      ...{ task, contract, store, readBlob, log },
      ledger: chain.ledger,
      files: createPublishedFiles(openedOf(at.coordinatorUrl), readBlob),
      beginSum: await createPublishedOpener(ring, { cacheDir: CACHE_DIR, log }),
      clock: systemClock,
    }),
    sendUpload: createUploadSender({ coordinatorUrl: at.coordinatorUrl, identity, chain }),
    chainNowSeconds: () => chain.client.blockTimestamp(),
    takeDrill: () => undefined,
    log,
  });
  return {
    parts,
    async follow(round) {
      const record = await chain.ledger.roundOf(round);
      if (record === undefined) throw new Error(`no round ${round}`);
      return (await resume(round, record, parts)) ? 'resumed' : takePart(round, record, parts);
    },
    close: () => store.close(),
  };
}
