// An edge node, assembled: one dealer's records, consent book and part in rounds. Records never leave this process.
import { join } from 'node:path';
import { connectFederation } from '../engines/chain/connect.ts';
import { createEarlierRounds } from '../engines/chain/earlier-rounds.ts';
import { signTypedStruct } from '../engines/chain/typed-data.ts';
import { loadOrCreateIdentity } from '../engines/keys/identity.ts';
import { writeOperatorToken } from '../engines/keys/operator-token.ts';
import { verifyPasskeySignature } from '../engines/keys/passkey.ts';
import { preparePolicyCircuit } from '../engines/proof/artifacts.ts';
import { createProver } from '../engines/proof/prove.ts';
import { createFastestRing } from '../engines/ring/fastest.ts';
import { openStore } from '../engines/store/store.ts';
import { startTensorBackend } from '../engines/tensor/backend.ts';
import type { Clock } from '../kit/clock.ts';
import { createApp, listen, problemHandler } from '../kit/http.ts';
import type { Log } from '../kit/log.ts';
import type { Hex } from '../protocol/bytes.ts';
import type { RelyingParty } from '../protocol/consent/assertion.ts';
import { claimContext } from '../protocol/consent/policy.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { DataContract } from '../protocol/learning/data-contract.ts';
import { featureCount } from '../protocol/learning/features.ts';
import { checkTaskContract, requirementOfTask, type Task } from '../protocol/learning/task.ts';
import { vectorOf } from '../protocol/learning/vector.ts';
import { accessNow } from './access.ts';
import { createConsentRouter } from './api/consent.ts';
import { createOperatorRouter } from './api/operator.ts';
import { createPersonalRouter } from './api/personal.ts';
import { createPrivacyRouter } from './api/privacy.ts';
import { createReceiptRouter } from './api/receipts.ts';
import { createStatusRouter } from './api/status.ts';
import { createRecordsCommitter } from './commitment.ts';
import { createAnchorProposer } from './consent/anchor-proposal.ts';
import { createAnchoring } from './consent/anchoring.ts';
import { openConsentBook } from './consent/book.ts';
import { createForcedWithdrawals, watchForced } from './consent/forced.ts';
import { createHistoryDesk } from './consent/history.ts';
import { createInvitations } from './consent/invitations.ts';
import { createQuotes } from './consent/quotes.ts';
import { createReadiness } from './consent/readiness.ts';
import { createReceiptDesk } from './consent/receipts.ts';
import { createSelectionKeeper } from './consent/selection.ts';
import { createConsentLogStore, createProposalStore } from './consent/stores.ts';
import { createConsentGate, type RecordsPlace } from './data/gate.ts';
import { createDrill } from './drill.ts';
import { createFingerprintSigner } from './fingerprint.ts';
import { createCoordinatorLink } from './link/link.ts';
import { createParticipations } from './participation.ts';
import { createPersonalModelFiles } from './personal/file.ts';
import { createPersonalModels } from './personal/models.ts';
import { epsilonOfNextRound } from './privacy/budget.ts';
import { createPrivacyLedger } from './privacy/ledger.ts';
import { createRoundFollower } from './rounds.ts';
import { openAttemptSeeds, watchRetention } from './seal/attempt-seeds.ts';
import { createOneTimeSealer } from './seal/once.ts';
import { createPayloadFiles } from './seal/payload-files.ts';
import { createSealer } from './seal/seal.ts';
import { askCoordinator, createTaskDocuments } from './tasks/documents.ts';
import type { AcceptPolicy } from './tasks/policy.ts';
import { openEdgeTasks } from './tasks/tasks.ts';
import { createDealerStates } from './train/dealer-state.ts';
import { createBaseFetcher } from './train/fetch-base.ts';
import { createUploadSender } from './upload.ts';
import { createWitnesses } from './witnesses.ts';

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
  const { task, contract, relyingParty } = options;
  checkTaskContract(task, contract);
  const identity = await loadOrCreateIdentity(options.directory);
  const token = await writeOperatorToken(identity, options.directory);
  const gate = await createConsentGate(options.records, contract);
  const chain = await connectFederation(options.rpcUrl, options.federation, identity.privateKey);
  if (!(await chain.federation.isDealer(identity.address))) {
    throw new ConcordatError('NOT_A_MEMBER', `${identity.address} is not a registered dealer`, {
      address: identity.address,
    });
  }
  const { cacheDir, artifactsDir } = options;
  const artifacts = await preparePolicyCircuit({ cacheDir, ...(artifactsDir !== undefined && { artifactsDir }) });
  await requireSameKey(artifacts.verificationKeyHash, chain);
  const store = await openStore(join(options.directory, 'store'));

  const quotes = createQuotes(identity.secret);
  const invitations = createInvitations(identity.secret);
  const book = await openConsentBook({
    dealer: identity.address,
    store: createConsentLogStore(store),
    relyingParty,
    quotes,
    invitations,
    verifySignature: verifyPasskeySignature,
  });
  const lastAnchor = await chain.registry.currentAnchor(identity.address);
  const carriedOver = await chain.registry.hasAnchored(identity.address);
  const drill = createDrill();
  const witnesses = createWitnesses({
    urls: options.witnessUrls,
    chain,
    identity,
    entries: book.entries,
    clock,
    log,
  });
  const anchoring = createAnchoring({
    proposer: createAnchorProposer(
      book,
      createProposalStore(store),
      lastAnchor && { dealer: identity.address, ...pickAnchor(lastAnchor) },
      carriedOver,
    ),
    registry: chain.registry,
    coSign: witnesses.coSign,
    forced: createForcedWithdrawals({ book, chain, log }),
    onRootMoved: drill.rootMoved,
    log,
  });
  const prover = createProver({ artifacts, cacheDir: join(options.directory, 'proofs') });
  const selections = createSelectionKeeper({
    dealer: identity.address,
    book,
    quotes,
    anchoring,
    registry: chain.registry,
    prover,
    context: claimContext(chain.client.chainId, chain.registry.address, identity.address),
    log,
  });
  const participations = createParticipations(store);
  const earlierRounds = createEarlierRounds(chain.ledger);
  const chainNowSeconds = async () => Math.max(await chain.client.blockTimestamp(), Math.floor(clock.nowMs() / 1000));
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

  const sealer = createOneTimeSealer({
    sealer: createSealer({ ring: await createFastestRing({ cacheDir, log }) }),
    journal: store,
    files: createPayloadFiles(join(options.directory, 'sealed')),
  });
  const seeds = await openAttemptSeeds({
    directory: join(options.directory, 'attempts'),
    replayDays: options.replayDays,
    clock,
  });
  // by another contract the records are read anew for each round: few dealers accept one
  const gateOf = async (other: DataContract) =>
    other.hash === contract.hash ? gate : createConsentGate(options.records, other);
  const toCoordinator = { coordinatorUrl: options.coordinatorUrl, identity, chain };
  const tasks = await openEdgeTasks({
    first: { task, contract },
    policy: options.accept,
    documents: createTaskDocuments(store, askCoordinator(options.coordinatorUrl)),
    partsOf: (pair) => ({
      ...pair,
      requirement: requirementOfTask(pair.task, pair.contract),
      dealerStates: createDealerStates({
        store,
        ledger: chain.ledger,
        dealer: identity.address,
        taskHash: pair.task.hash,
      }),
      fetchBase: createBaseFetcher(options.coordinatorUrl, pair.task, pair.contract),
      signFingerprint: createFingerprintSigner({
        ...toCoordinator,
        sealer,
        task: pair.task,
        valueCount: vectorOf(pair.task, featureCount(pair.contract)).length,
        log,
      }),
    }),
    gateOf,
    earlierRounds,
    ledger: chain.ledger,
    dealer: identity.address,
    minCohort: (await chain.federation.parameters()).minCohort,
    log,
  });
  const personal = createPersonalModels({
    files: createPersonalModelFiles(join(options.directory, 'personal')),
    chain,
    book,
    tasks: tasks.accepted,
    gateOf,
    chainNowSeconds,
    log,
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
      identity,
      chain,
      ...tasks.first,
      gate,
      selections,
      sealer,
      seeds,
      participations,
      earlierRounds,
      commitRecords: createRecordsCommitter(identity.secret),
      sendUpload: createUploadSender(toCoordinator),
      chainNowSeconds,
      takeDrill: drill.take,
      log,
    },
  });
  const link = createCoordinatorLink(options.coordinatorUrl, {
    log,
    clock,
    party: identity.address,
    signHello: async (hello) => signTypedStruct(identity.privateKey, chain.domain, 'Hello', hello),
    onEvent: (event) => {
      if (event.type === 'round-opened') follower.wake();
      if (event.type === 'welcome') follower.greeted();
      if (event.type === 'aggregate-ready') void signFingerprint(event.round, event.aggregateHash);
      if (event.type === 'task-taken') void lookAt(event.task);
      if (event.type === 'welcome' || event.type === 'round-published') personal.changed();
    },
  });

  async function signFingerprint(round: number, aggregateHash: Hex): Promise<void> {
    try {
      const record = await chain.ledger.roundOf(round);
      if (record !== undefined) await tasks.signFingerprint(record.taskHash, round, aggregateHash);
    } catch (err) {
      log.warn({ err, round }, 'no fingerprint of this round’s payload');
    }
  }

  /** Ahead of its rounds, so that proofs are made by then; what cannot be decided now is decided when a round opens. */
  async function lookAt(taskHash: Hex): Promise<void> {
    try {
      await tasks.consider(taskHash);
      readiness.changed();
    } catch (err) {
      log.warn({ err, taskHash }, 'could not look at a new task');
    }
  }

  const history = createHistoryDesk({
    book,
    chain,
    tasks: () => tasks.accepted().map((accepted) => accepted.task),
    chainNowSeconds,
  });
  const app = createApp();
  const desk = createReceiptDesk({ book, chain, identity, relyingParty });
  app.use(createConsentRouter({ book, quotes, anchoring, desk, onChange: consentChanged }));
  app.use(createReceiptRouter({ token, book, desk, anchoring, participations }));
  const privacyOf = (taskHash: Hex = task.hash) => {
    const found = tasks.accepted().find((accepted) => accepted.task.hash === taskHash);
    return found && createPrivacyLedger({ task: found.task, participations, ledger: chain.ledger });
  };
  app.use(createPrivacyRouter({ token, privacyOf }));
  app.use(createPersonalRouter({ token, models: personal, firstTask: task.hash }));
  app.use(createOperatorRouter({ token, gate, invitations, drill, participations, history }));
  app.use(
    createStatusRouter(() => ({
      address: identity.address,
      records: gate.recordCount,
      operations: book.state().operationCount,
      policies: book.state().digests().length,
      ready: readiness.ready(),
      costs: selections.costs,
      anchorGas: anchoring.gasUsed(),
      rounds: follower.results(),
      drills: drill.reports(),
      tasks: tasks.standings(),
    })),
  );
  app.use(problemHandler(log));
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

async function requireSameKey(ours: Hex, chain: Awaited<ReturnType<typeof connectFederation>>): Promise<void> {
  const { verificationKeyHash } = await chain.federation.parameters();
  if (verificationKeyHash !== ours) {
    throw new ConcordatError(
      'CHAIN_WRONG',
      'the federation verifies proofs with another key than this node proves with',
      {
        onChain: verificationKeyHash,
        ours,
      },
    );
  }
}

function pickAnchor({
  epoch,
  bucketsRoot,
  subjectsRoot,
  logHead,
  operationCount,
}: {
  readonly epoch: number;
  readonly bucketsRoot: Hex;
  readonly subjectsRoot: Hex;
  readonly logHead: Hex;
  readonly operationCount: number;
}) {
  return { epoch, bucketsRoot, subjectsRoot, logHead, operationCount };
}
