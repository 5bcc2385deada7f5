// An edge node, assembled: one dealer's records, consent book and part in rounds. Records never leave this process.
import { join } from 'node:path';
import { type ChainConnection, connectFederation } from '../engines/chain/connect.ts';
import { createEarlierRounds } from '../engines/chain/earlier-rounds.ts';
import { signTypedStruct } from '../engines/chain/typed-data.ts';
import { loadOrCreateIdentity } from '../engines/keys/identity.ts';
import { writeOperatorToken } from '../engines/keys/operator-token.ts';
import { createFastestRing } from '../engines/ring/fastest.ts';
import { openStore } from '../engines/store/store.ts';
import { startTensorBackend } from '../engines/tensor/backend.ts';
import type { Clock } from '../kit/clock.ts';
import { listen } from '../kit/http.ts';
import type { Log } from '../kit/log.ts';
import type { Hex } from '../protocol/bytes.ts';
import type { RelyingParty } from '../protocol/consent/assertion.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { DataContract } from '../protocol/learning/data-contract.ts';
import { checkTaskContract, type Task } from '../protocol/learning/task.ts';
import { accessNow } from './access.ts';
import { openConsentSide } from './assemble/consent.ts';
import { createEdgeApp } from './assemble/http.ts';
import { openTaskSide } from './assemble/tasks.ts';
import { createRecordsCommitter } from './commitment.ts';
import { watchForced } from './consent/forced.ts';
import { createReadiness } from './consent/readiness.ts';
import { createConsentGate, type RecordsPlace } from './data/gate.ts';
import { createEventDesk } from './link/events.ts';
import { createCoordinatorLink } from './link/link.ts';
import { createParticipations } from './participation.ts';
import { createPersonalModelFiles } from './personal/file.ts';
import { createPersonalModels } from './personal/models.ts';
import { epsilonOfNextRound } from './privacy/budget.ts';
import { createRoundFollower } from './rounds.ts';
import { openAttemptSeeds, watchRetention } from './seal/attempt-seeds.ts';
import { createOneTimeSealer } from './seal/once.ts';
import { createPayloadFiles } from './seal/payload-files.ts';
import { createSealer } from './seal/seal.ts';
import type { AcceptPolicy } from './tasks/policy.ts';
import { createPublishedOpener } from './train/open-published.ts';
import { createUploadSender } from './upload.ts';

export interface EdgeNodeOptions {
  readonly directory: string;
  readonly cacheDir: string;
  /** Of a ceremony; the embedded single-operator setup without it. */
  readonly artifactsDir?: string;
  readonly port: number;
  /** How long seeds are kept for replays; 0 keeps none. */
  readonly replayDays: number;
  readonly rpcUrl: string;
  readonly federation: Hex;
  readonly coordinatorUrl: string;
  readonly witnessUrls: readonly string[];
  /** Where the dealer keeps its records. */
  readonly records: RecordsPlace;
  readonly contract: DataContract;
  /** The task this dealer agreed to. */
  readonly task: Task;
  /** Which others it takes part in; none without it. */
  readonly accept?: AcceptPolicy;
  readonly relyingParty: RelyingParty;
}

export interface EdgeNode {
  readonly url: string;
  stop(): Promise<void>;
}

export async function createEdgeNode(
  options: EdgeNodeOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<EdgeNode> {
  const { directory, coordinatorUrl, cacheDir, task, contract, relyingParty } = options;
  checkTaskContract(task, contract);
  const identity = await loadOrCreateIdentity(directory);
  const token = await writeOperatorToken(identity, directory);
  const gate = await createConsentGate(options.records, contract);
  const chain = await connectFederation(options.rpcUrl, options.federation, identity.privateKey);
  await requireDealer(identity.address, chain);
  const consent = await openConsentSide({
    ...options,
    identity,
    chain,
    openStore: () => openStore(join(directory, 'store')),
    clock,
    log,
  });
  const { store, book, selections, witnesses, prover, drill } = consent;
  const participations = createParticipations(store);
  const earlierRounds = createEarlierRounds(chain.ledger);
  const chainNowSeconds = async () => Math.max(await chain.client.blockTimestamp(), Math.floor(clock.nowMs() / 1000));

  const ring = await createFastestRing({ cacheDir, log });
  const sealer = createOneTimeSealer({
    sealer: createSealer({ ring }),
    journal: store,
    files: createPayloadFiles(join(directory, 'sealed')),
  });
  const { replayDays } = options;
  const seeds = await openAttemptSeeds({ directory: join(directory, 'attempts'), replayDays, clock });
  // by another contract the records are read anew for each round: few dealers accept one
  const gateOf = async (other: DataContract) =>
    other.hash === contract.hash ? gate : createConsentGate(options.records, other);
  const tasks = await openTaskSide({
    coordinatorUrl,
    first: { task, contract },
    policy: options.accept,
    beginSum: await createPublishedOpener(ring, { cacheDir, log }),
    ...{ identity, chain, store, sealer, gateOf, earlierRounds, clock, log },
  });
  const readiness = createReadiness({
    operationCount: () => book.state().operationCount,
    prepare: async () => {
      for (const { task, requirement } of tasks.accepted()) {
        const epsilonAfterMilli = await epsilonOfNextRound({ task, earlierRounds, ledger: chain.ledger });
        const opening = { taskHash: task.hash, epsilonAfterMilli };
        await selections.ensure(await accessNow(opening, { chain, requirement, chainNowSeconds }));
      }
    },
    log,
  });
  const personal = createPersonalModels({
    files: createPersonalModelFiles(join(directory, 'personal')),
    tasks: tasks.accepted,
    ...{ chain, book, gateOf, chainNowSeconds, log },
  });
  const consentChanged = (): void => {
    readiness.changed();
    personal.changed();
  };
  const follower = createRoundFollower({
    chain,
    clock,
    log,
    decline: (round, reason) => link.decline(round, reason),
    judge: tasks.judge,
    roundParts: {
      ...tasks.first,
      commitRecords: createRecordsCommitter(identity.secret),
      sendUpload: createUploadSender({ coordinatorUrl, identity, chain }),
      takeDrill: drill.take,
      ...{ identity, chain, gate, selections, sealer, seeds, participations, earlierRounds, chainNowSeconds, log },
    },
  });
  const link = createCoordinatorLink(coordinatorUrl, {
    log,
    clock,
    party: identity.address,
    signHello: async (hello) => signTypedStruct(identity.privateKey, chain.domain, 'Hello', hello),
    onEvent: createEventDesk({ chain, tasks, follower, readiness, personal, log }),
  });

  const app = createEdgeApp({
    roundResults: follower.results,
    onConsentChange: consentChanged,
    ...{ token, identity, chain, relyingParty, consent, tasks, gate, participations, personal, readiness },
    ...{ chainNowSeconds, log },
  });
  const http = await listen(app, options.port);

  await startTensorBackend(task.backend);
  link.start();
  follower.start();
  readiness.changed();
  witnesses.remind().catch((err) => log.warn({ err }, 'witnesses were not reminded of the last anchor'));
  const retention = watchRetention(seeds, { clock, log });
  const forcedWatch = watchForced({ book, chain, log }, { clock, onPending: consentChanged });
  log.info(
    { url: http.url, address: identity.address, records: gate.recordCount, source: gate.source },
    'edge node listens',
  );
  return {
    url: http.url,
    stop: async () => {
      link.stop();
      witnesses.stop();
      await http.close();
      await forcedWatch.stop();
      await retention.stop();
      await prover.stop();
      await follower.stop();
      await personal.stop();
      await readiness.stop();
      await store.close();
    },
  };
}

async function requireDealer(address: Hex, { federation }: ChainConnection): Promise<void> {
  if (await federation.isDealer(address)) return;
  throw new ConcordatError('NOT_A_MEMBER', `${address} is not a registered dealer`, { address });
}
