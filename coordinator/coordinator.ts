// The coordinator, assembled: it sees ciphertexts, keeps the transcript, drives rounds and witnesses consent.
import { join } from 'node:path';
import { type ChainConnection, connectFederation } from '../engines/chain/connect.ts';
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
import { canonicalJson } from '../protocol/learning/canonical-json.ts';
import type { DataContract } from '../protocol/learning/data-contract.ts';
import { requirementOfTask, type Task } from '../protocol/learning/task.ts';
import { assembleWitness } from '../witness/assemble.ts';
import { createRunningSum } from './aggregate/sum.ts';
import { createControlRouter } from './api/control.ts';
import { createMemberRouter } from './api/members.ts';
import { type CoordinatorStatus, createPublicRouter } from './api/public.ts';
import { createLink } from './gateway/link.ts';
import { taskJson, writeGenesis } from './genesis.ts';
import { createIntake } from './intake/intake.ts';
import { createUploads } from './intake/uploads.ts';
import { requirePackingHolds, updateLayoutOf } from './layout.ts';
import { createOpener } from './opening/opener.ts';
import { createRoundDriver } from './rounds/driver.ts';
import { createFingerprintDesk } from './rounds/fingerprint-desk.ts';
import { askForRounds, loadOutcomes, roundsLeft, saveOutcome } from './rounds/outcomes.ts';
import { recordOperations } from './transcript/consent-entries.ts';
import { openTranscript } from './transcript/transcript.ts';

export interface CoordinatorOptions {
  readonly directory: string;
  /** Where the compiled ring engine is kept. */
  readonly cacheDir: string;
  readonly port: number;
  readonly rpcUrl: string;
  readonly federation: Hex;
  readonly task: Task;
  readonly contract: DataContract;
  /** snarkjs' verification key, canonical JSON: goes into the transcript's genesis. */
  readonly verificationKeyJson: string;
  readonly keyHolderUrls: readonly string[];
  readonly relyingParty: RelyingParty;
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
  const initialModelHash = await writeGenesis(transcript, chain, options);
  const token = await writeOperatorToken(identity, options.directory);

  const { task, contract } = options;
  const uploads = createUploads(transcript.entries());
  const stopping = new AbortController();
  const declined = new Map<number, Set<Hex>>();
  const outcomes = await loadOutcomes(store);
  const gas: Record<string, { total: number; count: number }> = {};
  const engine = { cacheDir: options.cacheDir, log };
  const ring = await createFastestRing(engine);
  const sum = createRunningSum({ ring, blobs: transcript, blocks: shape.blocks, log });
  const desk = createFingerprintDesk(chain.domain);
  let running: Promise<void> | undefined;

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

  const intake = createIntake({
    transcript,
    uploads,
    blocks: shape.blocks,
    isDealer: chain.federation.isDealer,
    recoverUpload: (upload, signature) => recoverTypedStruct(chain.domain, 'Upload', upload, signature),
    onAdmitted: ({ round, dealer, payloadHash }, bytes) => {
      sum.feed(round, payloadHash);
      link.broadcast({ type: 'upload-admitted', round, dealer, bytes });
    },
  });

  const driver = createRoundDriver({
    ...chain,
    ...shape,
    transcript,
    uploads,
    intake,
    sum,
    desk,
    clock,
    log,
    task,
    requirement: requirementOfTask(task, contract),
    initialModel: initialModelHash,
    opener: await createOpener(engine),
    urls: options.keyHolderUrls,
    chainNowSeconds: async () => Math.max(await chain.client.blockTimestamp(), Math.floor(clock.nowMs() / 1000)),
    present: link.present,
    declined: (round) => declined.get(round) ?? new Set(),
    signal: stopping.signal,
    broadcast: link.broadcast,
    gas: (step, used) => {
      const sum = gas[step] ?? { total: 0, count: 0 };
      gas[step] = { total: sum.total + used, count: sum.count + 1 };
    },
  });

  /** Until none is left. What is left is kept, so that a coordinator that is started again goes on by itself. */
  async function runRounds(): Promise<void> {
    const last = await driver.lastPublished();
    if (last !== undefined && outcomes.every(({ round }) => round !== last.round)) {
      outcomes.push(last);
      await saveOutcome(store, last, Math.max(0, (await roundsLeft(store)) - 1));
    }
    for (;;) {
      const left = await roundsLeft(store);
      if (left === 0 || stopping.signal.aborted) return;
      const outcome = await driver.runRound();
      outcomes.push(outcome);
      const done = outcome.status === 'published';
      await saveOutcome(store, outcome, done ? left - 1 : left);
      if (!done) await clock.sleep(1_000, stopping.signal);
    }
  }

  function startRunning(): void {
    running ??= runRounds()
      .catch((err) => {
        if (!stopping.signal.aborted) log.error({ err }, 'the run of rounds ended early');
      })
      .finally(() => {
        running = undefined;
      });
  }

  const app = createApp();
  app.use(
    createPublicRouter({
      bundleDir,
      taskJson: taskJson(task),
      contractJson: canonicalJson(contract.document),
      status: (): CoordinatorStatus => ({
        address: identity.address,
        federation: options.federation,
        chainId: chain.client.chainId,
        taskHash: task.hash,
        transcriptHead: transcript.head(),
        present: [...link.present()],
        running: running !== undefined,
        rounds: outcomes,
        gas,
      }),
    }),
  );
  app.use(createMemberRouter({ intake, takeFingerprint: desk.take }));
  app.use(
    assembleWitness({
      identity,
      chain,
      store,
      relyingParty: options.relyingParty,
      onSigned: (anchor, signed) => recordOperations(anchor, signed, transcript),
    }),
  );
  app.use(
    createControlRouter({
      token,
      run: async (rounds) => {
        if (running !== undefined) throw new ConcordatError('CONFLICT', 'rounds are running already');
        await askForRounds(store, rounds);
        startRunning();
      },
    }),
  );
  app.use(problemHandler(log));
  const http: HttpService = await listen(app, options.port);
  link.attach(http.server);
  startRunning();
  log.info({ url: http.url, address: identity.address }, 'coordinator listens');

  return {
    url: http.url,
    stop: async () => {
      stopping.abort();
      link.close();
      await http.close();
      await running;
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
