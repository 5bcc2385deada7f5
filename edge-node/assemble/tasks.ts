// The tasks of an edge node, put together: what it takes part in each of them with, and how it checks what they published.
import type { ChainConnection } from '../../engines/chain/connect.ts';
import type { EarlierRounds } from '../../engines/chain/earlier-rounds.ts';
import type { Identity } from '../../engines/keys/identity.ts';
import type { Store } from '../../engines/store/store.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { requirementOfTask } from '../../protocol/learning/task.ts';
import { vectorOf } from '../../protocol/learning/vector.ts';
import type { ConsentGate } from '../data/gate.ts';
import { createFingerprintSigner } from '../fingerprint.ts';
import type { OneTimeSealer } from '../seal/once.ts';
import { askCoordinator, createTaskDocuments, type TaskPair } from '../tasks/documents.ts';
import type { AcceptPolicy } from '../tasks/policy.ts';
import { type EdgeTasks, openEdgeTasks, type TaskParts } from '../tasks/tasks.ts';
import { createBaseChecker } from '../train/check-base.ts';
import { createDealerStates } from '../train/dealer-state.ts';
import { blobsOf, createBaseFetcher } from '../train/fetch-base.ts';
import type { BeginSum } from '../train/open-published.ts';
import { createPublishedFiles, openedOf } from '../train/published-files.ts';

export interface TaskSideParts {
  readonly coordinatorUrl: string;
  readonly first: TaskPair;
  readonly policy: AcceptPolicy | undefined;
  readonly identity: Identity;
  readonly chain: ChainConnection;
  readonly store: Store;
  readonly sealer: OneTimeSealer;
  readonly beginSum: BeginSum;
  readonly gateOf: (contract: DataContract) => Promise<ConsentGate>;
  readonly earlierRounds: EarlierRounds;
  readonly clock: Clock;
  readonly log: Log;
}

export async function openTaskSide(parts: TaskSideParts): Promise<EdgeTasks> {
  const { chain, identity, store } = parts;
  return openEdgeTasks({
    first: parts.first,
    policy: parts.policy,
    documents: createTaskDocuments(store, askCoordinator(parts.coordinatorUrl)),
    partsOf: (pair) => taskPartsOf(pair, parts),
    gateOf: parts.gateOf,
    earlierRounds: parts.earlierRounds,
    ledger: chain.ledger,
    dealer: identity.address,
    minCohort: (await chain.federation.parameters()).minCohort,
    log: parts.log,
  });
}

function taskPartsOf(pair: TaskPair, parts: TaskSideParts): TaskParts {
  const { coordinatorUrl, identity, chain, store, sealer, beginSum, clock, log } = parts;
  const { task, contract } = pair;
  const { ledger } = chain;
  const readBlob = blobsOf(coordinatorUrl);
  const files = createPublishedFiles(openedOf(coordinatorUrl), readBlob);
  const valueCount = vectorOf(task, featureCount(contract)).length;
  return {
    ...pair,
    requirement: requirementOfTask(task, contract),
    dealerStates: createDealerStates({ store, ledger, dealer: identity.address, taskHash: task.hash }),
    fetchBase: createBaseFetcher(coordinatorUrl, task, contract),
    bases: createBaseChecker({ ...pair, ledger, store, files, readBlob, beginSum, clock, log }),
    signFingerprint: createFingerprintSigner({ coordinatorUrl, identity, chain, sealer, task, valueCount, log }),
  };
}
