// [AGG-16] A coordinator that publishes weights of its own making, to draw more out of the next sum: real chain, real HTTP, dealers that
// train as an edge node does. The first round is the real coordinator's; then the test plays it, with its key and its bundle.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPublicRouter } from '../../coordinator/api/public.ts';
import { openTranscript, type Transcript } from '../../coordinator/transcript/transcript.ts';
import { readTable } from '../../edge-node/data/csv.ts';
import type { RoundParts, RoundResult } from '../../edge-node/round.ts';
import { createRoundFollower } from '../../edge-node/rounds.ts';
import { readModel } from '../../edge-node/train/fetch-base.ts';
import { publishedOpenerOf } from '../../edge-node/train/open-published.ts';
import { membersOf } from '../../edge-node/train/published-line.ts';
import type { ChainConnection } from '../../engines/chain/connect.ts';
import { createSimdOpener } from '../../engines/ring/open-simd.ts';
import { createSimdRing } from '../../engines/ring/simd.ts';
import { COIL2000 } from '../../examples/simulation/load.ts';
import { systemClock } from '../../kit/clock.ts';
import { createApp, type HttpService, listen, problemHandler } from '../../kit/http.ts';
import { createLog } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { encodeModel, layoutOf, type Model, modelHash } from '../../protocol/learning/model.ts';
import { nextModel } from '../../protocol/learning/next-model.ts';
import { packingOf, requirementOfTask } from '../../protocol/learning/task.ts';
import { shapeOf, vectorOf } from '../../protocol/learning/vector.ts';
import { RING_DEGREE } from '../../protocol/secagg/block.ts';
import { sampleCbd } from '../../protocol/secagg/sampling.ts';
import { words } from '../helpers/audit/synthetic-round.ts';
import { startDealer } from '../helpers/wire/dealer.ts';
import {
  openTrainingDealer,
  prepareDealer,
  type Surroundings,
  type TrainingDealer,
} from '../helpers/wire/training-dealer.ts';
import { openWireWorld, until, type WireWorld } from '../helpers/wire/world.ts';
import { codeOf, KERNEL } from '../unit/secagg-fixtures.ts';

const RECORDS = 10; // as many as the wire world's double selects
const DEALERS = 3;

let world: WireWorld;
let chain: ChainConnection;
let transcript: Transcript;
let http: HttpService;
let places: Surroundings[];
let dealers: TrainingDealer[] = [];
/** Of the round under way: what no coordinator sees, and this one needs no key-holder for. */
const secretSum = new Int32Array(RING_DEGREE);
const sent: number[] = [];

beforeAll(async () => {
  world = await openWireWorld((task) => {
    task.model.layers = [{ units: 1, activation: 'sigmoid' }];
  });
  const rows = (await readTable(join(COIL2000, 'coil2000.csv.gz'), world.contract)).slice(0, RECORDS);
  const [taskSource, contractSource] = await Promise.all(
    ['task.yaml', 'contract.yaml'].map((name) => readFile(join(world.directory, name), 'utf8')),
  );
  places = [];
  for (const [i, identity] of world.dealers.slice(0, DEALERS).entries()) {
    (await startDealer(world, identity)).stop(); // its consent stands; its rounds are the edge node's own
    const at = {
      directory: join(world.directory, `dealer-${i + 1}`),
      rpcUrl: world.chain.rpcUrl,
      federation: world.federation,
      coordinatorUrl: world.coordinator.url,
      bundle: world.coordinator.bundle,
      taskSource: taskSource ?? '',
      contractSource: contractSource ?? '',
      replayDays: 0,
    };
    await prepareDealer(at, rows);
    places.push(at);
  }
  await honestRound();
  await takeOver();
}, 120_000);
afterAll(async () => {
  for (const dealer of dealers) await dealer.close();
  await http?.close();
  await world?.stop();
});

async function honestRound(): Promise<void> {
  const round = await world.openRound();
  for (const at of places) {
    const dealer = await openTrainingDealer(at);
    expect(await dealer.follow(round)).toMatchObject({ took: 'part' });
    await dealer.close();
  }
  expect(await world.outcome(round)).toMatchObject({ status: 'published', dealers: DEALERS });
}

/** The real one is gone; dealers are told of another address, and start again on their folders. */
async function takeOver(): Promise<void> {
  await world.stopCoordinator();
  chain = await world.connect(world.coordinator.identity);
  transcript = await openTranscript(world.coordinator.bundle);
  const app = createApp();
  const status = () => {
    throw new Error('not asked for');
  };
  const { manifest, entries } = transcript;
  app.use(
    createPublicRouter({
      ...{ status, manifest, entries },
      bundleDir: world.coordinator.bundle,
      first: { task: '', contract: '' },
    }),
  );
  app.use(problemHandler(createLog('test', 'silent')));
  http = await listen(app, 0);
  dealers = await Promise.all(places.map((at) => openTrainingDealer({ ...at, coordinatorUrl: http.url }, watched)));
}

/** Uploads land in the bundle; the one-time keys are overheard. */
function watched(parts: RoundParts): RoundParts {
  return {
    ...parts,
    sealer: {
      ...parts.sealer,
      seal: (request) => {
        const { payloadRandom } = request;
        if (payloadRandom === undefined) throw new Error('sealed from its seed');
        const secret = (bytes: Uint8Array) => {
          payloadRandom.secret(bytes);
          const one = new Int32Array(RING_DEGREE);
          sampleCbd(bytes, one);
          one.forEach((s, i) => {
            secretSum[i] = (secretSum[i] ?? 0) + s;
          });
        };
        return parts.sealer.seal({ ...request, payloadRandom: { ...payloadRandom, secret } });
      },
    },
    sendUpload: async (round, _attempt, update) => {
      sent.push(round);
      await transcript.putBlob(new Uint8Array(await readFile(update.payload.path)));
      return 1;
    },
  };
}

async function openRound(): Promise<number> {
  const last = await chain.ledger.lastModelOf(world.task.hash);
  if (last === undefined) throw new Error('nothing is published');
  const { round } = await chain.ledger.openRound({
    taskHash: world.task.hash,
    requirement: requirementOfTask(world.task, world.contract),
    baseModelHash: last,
    epsilonAfterMilli: NO_PRIVACY_CAP,
    deadline: (await chain.client.blockTimestamp()) + 600,
  });
  return round;
}

/** As the real one would, up to the model: the true sum, the true key, the right recipe. */
async function trueModel(round: number): Promise<Model> {
  const { task, contract } = world;
  const record = await chain.ledger.roundOf(round);
  if (record === undefined) throw new Error('no round');
  const features = featureCount(contract);
  const [layout, vector, shape] = [layoutOf(task, features), vectorOf(task, features), shapeOf(task, features)];
  const members = await membersOf(round, chain.ledger);
  const begin = publishedOpenerOf(await createSimdRing(KERNEL), await createSimdOpener(KERNEL));
  const { seed, baseModelHash } = record;
  const sum = begin({ seed, packing: packingOf(task), valueCount: vector.length, dealers: members.length });
  for (const { payload } of members) sum.add(await transcript.getBlob(payload));
  const values = sum.open(secretSum);
  const [keySum, opened] = [await transcript.putBlob(words(secretSum)), await transcript.putBlob(words(values))];
  await transcript.appendOnce({ type: 'opened', round, keySum, values: opened, maxNoise: 0 });
  const base = await readModel(transcript.getBlob, baseModelHash, layout, true);
  const next = nextModel(
    { task, layout, vector, shape },
    base,
    values,
    members.map(({ weight }) => weight),
  );
  if (next.stateFile !== undefined) await transcript.putBlob(next.stateFile);
  return next.model;
}

async function publish(round: number, model: Model): Promise<void> {
  const file = encodeModel(model);
  const hash: Hex = modelHash(file);
  await transcript.putBlob(file);
  await chain.ledger.publish({
    ...{ round, modelHash: hash, aggregateHash: hash, transcriptHead: transcript.head() },
    ...{ accuracyBps: 9_000, aucBps: 7_000 },
  });
}

test('honest so far, it is given the next sum; with crafted weights published no dealer takes part any more', async () => {
  const second = await openRound();
  for (const dealer of dealers) expect(await dealer.follow(second)).toMatchObject({ took: 'part' });
  await chain.ledger.finaliseSet(
    second,
    dealers.map(({ parts }) => ({ dealer: parts.identity.address, attempt: 1 })),
  );
  const honest = await trueModel(second);
  // one weight, blown up: the next gradient then speaks of few records
  await publish(second, { ...honest, weights: honest.weights.map((weight, i) => (i === 2 ? weight + 50 : weight)) });
  expect(sent).toEqual([second, second, second]);

  const third = await openRound();
  for (const { follow, parts } of dealers) {
    expect(await codeOf(() => follow(third))).toBe('MODEL_UNPROVEN');
    expect(await chain.ledger.commitOf(third, parts.identity.address)).toBeUndefined();
    expect(await parts.seeds.lastAttempt(third)).toBe(0); // nothing was trained
    expect(parts.bases.fault()).toMatch(
      new RegExp(`round ${second}: its sum makes the model ${modelHash(encodeModel(honest))}`),
    );
  }
  expect(sent).toHaveLength(DEALERS);

  // nor in any round after: the line stays broken
  await chain.ledger.failRound(third, 'COHORT_TOO_SMALL');
  const fourth = await openRound();
  for (const { follow } of dealers) expect(await codeOf(() => follow(fourth))).toBe('MODEL_UNPROVEN');
  expect(sent).toHaveLength(DEALERS);
});

test('and each says so at once, to its operator and to the coordinator, without trying again', async () => {
  const [dealer] = dealers;
  if (dealer === undefined) throw new Error('no dealer');
  const round = await chain.ledger.roundCount();
  const declined: string[] = [];
  const logged: unknown[] = [];
  const log = { ...createLog('test', 'silent'), error: (fields: object) => logged.push(fields) };
  const follower = createRoundFollower({
    chain: dealer.parts.chain,
    roundParts: dealer.parts,
    judge: async () => ({ parts: {} }),
    decline: (_round, reason) => declined.push(reason),
    clock: systemClock,
    log: log as never,
  });
  follower.start();
  await until(async () => follower.results().length > 0, 'the dealer to decide');
  await follower.stop();
  const reason = expect.stringMatching(/^MODEL_UNPROVEN: round 2: its sum makes the model/);
  expect(follower.results()).toEqual([{ took: 'no-part', round, reason }] satisfies RoundResult[]);
  expect(declined).toEqual([reason]);
  expect(logged).toMatchObject([{ round, code: 'MODEL_UNPROVEN' }]);
});
