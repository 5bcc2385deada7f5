// The coordinator, assembled: it sees ciphertexts, keeps the transcript, drives rounds and witnesses consent.
import { join } from 'node:path';
import { type ChainConnection, connectFederation } from '../engines/chain/connect.ts';
import { createEarlierRounds } from '../engines/chain/earlier-rounds.ts';
import { createFederation } from '../engines/chain/federation.ts';
import { recoverTypedStruct } from '../engines/chain/typed-data.ts';
import { type Identity, loadOrCreateIdentity } from '../engines/keys/identity.ts';
import { writeOperatorToken } from '../engines/keys/operator-token.ts';
import { createFastestRing } from '../engines/ring/fastest.ts';
import { openStore } from '../engines/store/store.ts';
import type { Clock } from '../kit/clock.ts';
import { createApp, type HttpService, listen, problemHandler } from '../kit/http.ts';
import type { Log } from '../kit/log.ts';
import type { Hex } from '../protocol/bytes.ts';
import type { RelyingParty } from '../protocol/consent/assertion.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { DataContract } from '../protocol/learning/data-contract.ts';
import type { Task } from '../protocol/learning/task.ts';
import { assembleWitness } from '../witness/assemble.ts';
import { createRunningSum } from './aggregate/sum.ts';
import { createControlRouter } from './api/control.ts';
import { createMemberRouter } from './api/members.ts';
import { type CoordinatorStatus, createPublicRouter } from './api/public.ts';
import { createTaskRouter } from './api/tasks.ts';
import { createLink } from './gateway/link.ts';
import { writeGenesis } from './genesis.ts';
import { createIntake } from './intake/intake.ts';
import { createUploads } from './intake/uploads.ts';
import { requirePackingHolds, updateLayoutOf } from './layout.ts';
import { createOpener } from './opening/opener.ts';
import { createRoundDriver } from './rounds/driver.ts';
import { createFingerprintDesk } from './rounds/fingerprint-desk.ts';
import { createPaceJournal } from './rounds/pace-journal.ts';
import { failRound } from './rounds/set.ts';
import { createCarryOver, withCarriedModels } from './succession.ts';
import { openTaskCatalogue } from './tasks/catalogue.ts';
import { createTaskDesk } from './tasks/desk.ts';
import { createTaskDoors } from './tasks/doors.ts';
import { openTaskJournal } from './tasks/journal.ts';
import { createTaskRunner, type TaskDriver } from './tasks/runner.ts';
import { recordOperations } from './transcript/consent-entries.ts';
import { openTranscript } from './transcript/transcript.ts';
import { federationsKey } from './verification-key.ts';

export interface CoordinatorOptions {
  readonly directory: string;
  /** Where the compiled ring engine is kept. */
  readonly cacheDir: string;
  readonly port: number;
  readonly rpcUrl: string;
  readonly federation: Hex;
  readonly task: Task;
  readonly contract: DataContract;
  /** snarkjs' verification key: goes into the transcript's genesis. */
  readonly verificationKeyJson: string;
  readonly keyHolderUrls: readonly string[];
  readonly relyingParty: RelyingParty;
  /** Of the deployment that this one carries on. */
  readonly predecessorBundle: string | undefined;
}

export interface CoordinatorParts {
  readonly clock: Clock;
  readonly log: Log;
}

export interface Coordinator {
  readonly url: string;
  stop(): Promise<void>;
}

export async function createCoordinator(
  options: CoordinatorOptions,
  { clock, log }: CoordinatorParts,
): Promise<Coordinator> {
  const identity = await loadOrCreateIdentity(options.directory);
  const chain = await connectFederation(options.rpcUrl, options.federation, identity.privateKey);
  await requireRole(chain, identity);
  const shape = updateLayoutOf(options.task, options.contract);
  requirePackingHolds((await chain.federation.dealers()).length, shape.packing);
  const store = await openStore(join(options.directory, 'store'));
  const bundleDir = join(options.directory, 'bundle');
  const transcript = await openTranscript(bundleDir);
  const verificationKeyJson = await federationsKey(options.verificationKeyJson, chain);
  await writeGenesis(transcript, chain, { ...options, verificationKeyJson });
  const catalogue = await openTaskCatalogue(transcript);
  const earlierRounds = createEarlierRounds(chain.ledger);
  const carryOver = createCarryOver({
    ledger: chain.ledger,
    earlierRounds,
    isNamed: () => isNamed(chain),
    blobs: transcript,
    predecessorBundle: options.predecessorBundle,
    log,
  });
  await carryOver();
  const journal = await openTaskJournal(store);
  for (const hash of catalogue.hashes()) await journal.add(hash);
  const token = await writeOperatorToken(identity, options.directory);

  const uploads = createUploads(transcript.entries());
  const stopping = new AbortController();
  const declined = new Map<number, Set<Hex>>();
  const gas: Record<string, { total: number; count: number }> = {};
  const engine = { cacheDir: options.cacheDir, log };
  const ring = await createFastestRing(engine);
  const desk = createFingerprintDesk(chain.domain);

  const link = createLink({
    log,
    clock,
    recoverHello: (hello, signature) => recoverTypedStruct(chain.domain, 'Hello', hello, signature),
    isDealer: chain.federation.isDealer,
    greeting: desk.announcement,
    onDecline: (round, dealer, reason) => {
      log.info({ round, dealer, reason }, 'dealer declined');
      declined.set(round, (declined.get(round) ?? new Set()).add(dealer));
    },
  });

  const doors = createTaskDoors((blocks) => {
    const sum = createRunningSum({ ring, blobs: transcript, blocks, log });
    const intake = createIntake({
      transcript,
      uploads,
      blocks,
      isDealer: chain.federation.isDealer,
      recoverUpload: (upload, signature) => recoverTypedStruct(chain.domain, 'Upload', upload, signature),
      onAdmitted: ({ round, dealer, payloadHash }, bytes) => {
        sum.feed(round, payloadHash);
        link.broadcast({ type: 'upload-admitted', round, dealer, bytes });
      },
    });
    return { intake, sum };
  }, shape.blocks);

  const shared = {
    ...chain,
    ...doors,
    transcript,
    uploads,
    desk,
    paces: createPaceJournal(store),
    clock,
    log,
    opener: await createOpener(engine),
    urls: options.keyHolderUrls,
    chainNowSeconds: async () => Math.max(await chain.client.blockTimestamp(), Math.floor(clock.nowMs() / 1000)),
    present: link.present,
    declined: (round: number) => declined.get(round) ?? new Set<Hex>(),
    signal: stopping.signal,
    broadcast: link.broadcast,
    gas: (step: string, used: number) => {
      const before = gas[step] ?? { total: 0, count: 0 };
      gas[step] = { total: before.total + used, count: before.count + 1 };
    },
  };
  const drivers = new Map<Hex, TaskDriver>();
  function driverOf(taskHash: Hex): TaskDriver {
    const facts = catalogue.get(taskHash);
    if (facts === undefined) throw new ConcordatError('STATE_CORRUPT', `the transcript names no task ${taskHash}`);
    doors.size(facts.blocks);
    const driver = drivers.get(taskHash) ?? withCarriedModels(createRoundDriver({ ...shared, ...facts }), carryOver);
    drivers.set(taskHash, driver);
    return driver;
  }

  const runner = createTaskRunner({
    journal,
    ledger: chain.ledger,
    driverOf,
    failRound: (round, reason) => failRound(round, reason, shared),
    clock,
    signal: stopping.signal,
    log,
  });
  const tasks = createTaskDesk({
    catalogue,
    journal,
    runner,
    federation: async () => ({
      dealers: (await chain.federation.dealers()).length,
      minCohort: (await chain.federation.parameters()).minCohort,
      earlier: await earlierRounds(1 + (await chain.ledger.roundCount())),
    }),
    uploads: (round) => uploads.dealers(round).length,
    onTaken: (task) => link.broadcast({ type: 'task-taken', task }),
  });

  const app = createApp();
  app.use(
    createPublicRouter({
      bundleDir,
      manifest: transcript.manifest,
      entries: transcript.entries,
      first: tasks.details(options.task.hash).documents,
      status: (): CoordinatorStatus => ({
        address: identity.address,
        federation: options.federation,
        chainId: chain.client.chainId,
        taskHash: options.task.hash,
        transcriptHead: transcript.head(),
        present: [...link.present()],
        running: runner.isBusy(),
        rounds: journal.outcomes(),
        gas,
      }),
    }),
  );
  app.use(createMemberRouter({ intake: doors.intake, takeFingerprint: desk.take }));
  app.use(
    assembleWitness({
      identity,
      chain,
      store,
      relyingParty: options.relyingParty,
      onSigned: (anchor, signed) => recordOperations(anchor, signed, transcript),
    }),
  );
  app.use(createTaskRouter(tasks, token));
  app.use(createControlRouter({ token, run: tasks.runFirst }));
  app.use(problemHandler(log));
  const http: HttpService = await listen(app, options.port);
  link.attach(http.server);
  runner.start();
  log.info({ url: http.url, address: identity.address }, 'coordinator listens');

  return {
    url: http.url,
    stop: async () => {
      stopping.abort();
      link.close();
      await http.close();
      await runner.ended();
      await transcript.writeManifest();
      await store.close();
    },
  };
}

/** @throws ConcordatError NOT_A_MEMBER when this identity is not the federation's coordinator */
async function requireRole(chain: ChainConnection, identity: Identity): Promise<void> {
  if ((await chain.federation.coordinator()) !== identity.address) {
    throw new ConcordatError('NOT_A_MEMBER', `${identity.address} is not the coordinator`, {
      address: identity.address,
    });
  }
}

/** By the deployment that it names as its predecessor. */
async function isNamed({ client, federation }: ChainConnection): Promise<boolean> {
  const predecessor = await federation.predecessor();
  return predecessor !== undefined && (await createFederation(client, predecessor).successor()) === federation.address;
}
