// A round run again from the journal: byte for byte, also after kill -9; and every planted fault is caught at its stage.
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { rerun } from '../../auditor/replay-site/rerun.ts';
import { createSealRing } from '../../auditor/ring/seal.ts';
import { readTable } from '../../edge-node/data/csv.ts';
import { type OpenedDealer, openDealer } from '../../edge-node/replay/dealer.ts';
import { type ReplayOptions, recallRound, replayRound } from '../../edge-node/replay/replay.ts';
import type { ReplayReport } from '../../edge-node/replay/report.ts';
import { createSimdRing } from '../../engines/ring/simd.ts';
import { COIL2000, writeTable } from '../../examples/simulation/load.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { decodeModel, layoutOf } from '../../protocol/learning/model.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { CACHE_DIR } from '../helpers/command.ts';
import { startDealer, type WireDealer } from '../helpers/wire/dealer.ts';
import {
  openTrainingDealer,
  placeOf,
  prepareDealer,
  type Surroundings,
  type TrainingDealer,
  withdraw,
} from '../helpers/wire/training-dealer.ts';
import { type ChangeTask, openWireWorld, type WireWorld } from '../helpers/wire/world.ts';
import { codeOf } from '../unit/secagg-fixtures.ts';
import { DEATHS } from './training-child.ts';

/** A dealer that leaves its noise out, while it is set. */
const cheat = vi.hoisted(() => ({ withoutNoise: false }));
vi.mock('../../edge-node/privacy/noise.ts', async (original) => {
  const honest = await original<typeof import('../../edge-node/privacy/noise.ts')>();
  const noiseOf: typeof honest.noiseOf = (...args) => (cheat.withoutNoise ? undefined : honest.noiseOf(...args));
  return { noiseOf };
});

const RECORDS = 10; // as many as the wire world's double selects
const CHILD = fileURLToPath(new URL('./training-child.ts', import.meta.url));
const run = promisify(execFile);

interface Site {
  readonly world: WireWorld;
  readonly at: Surroundings;
  readonly others: readonly WireDealer[];
  readonly rows: readonly Row[];
}

async function openSite(changeTask: ChangeTask): Promise<Site> {
  const world = await openWireWorld(changeTask);
  const [first, ...rest] = await Promise.all(world.dealers.map((identity) => startDealer(world, identity)));
  first?.stop(); // its consent stands; its rounds are the edge node's own from here on
  const at: Surroundings = {
    directory: join(world.directory, 'dealer-1'),
    rpcUrl: world.chain.rpcUrl,
    federation: world.federation,
    coordinatorUrl: world.coordinator.url,
    bundle: world.coordinator.bundle,
    taskSource: await readFile(join(world.directory, 'task.yaml'), 'utf8'),
    contractSource: await readFile(join(world.directory, 'contract.yaml'), 'utf8'),
    replayDays: 30,
  };
  const all = await readTable(join(COIL2000, 'coil2000.csv.gz'), world.contract);
  const rows = all.filter((row) => row[world.contract.split?.name ?? ''] !== 'test').slice(0, RECORDS);
  await prepareDealer(at, rows);
  return { world, at, others: rest, rows };
}

const closeSite = async (site: Site | undefined): Promise<void> => {
  for (const dealer of site?.others ?? []) dealer.stop();
  await site?.world.stop();
};

/** Everybody takes part: first ours, as `follow` says. */
async function playRound(
  { world, others }: Site,
  follow: (round: number) => Promise<unknown>,
): Promise<{ round: number; status: string }> {
  const round = await world.openRound();
  // a coordinator does not wait long for who has no link to it
  await follow(round);
  await Promise.all(others.map((dealer) => dealer.takePart(round)));
  return { round, status: (await world.outcome(round)).status };
}

async function withDealer<T>(at: Surroundings, use: (dealer: TrainingDealer) => Promise<T>): Promise<T> {
  const dealer = await openTrainingDealer(at);
  try {
    return await use(dealer);
  } finally {
    await dealer.close();
  }
}

const byItself = (at: Surroundings) => (round: number) => withDealer(at, (dealer) => dealer.follow(round));

async function opened<T>(at: Surroundings, use: (dealer: OpenedDealer) => Promise<T>): Promise<T> {
  const dealer = await openDealer(placeOf(at));
  try {
    return await use(dealer);
  } finally {
    await dealer.close();
  }
}

const replay = (at: Surroundings, round: number, options?: ReplayOptions): Promise<ReplayReport> =>
  opened(at, async (dealer) => {
    const ring = await createSimdRing({ cacheDir: CACHE_DIR });
    return replayRound(round, { ...dealer, ring }, options);
  });

const departsAt = ({ stages }: ReplayReport) => stages.find(({ same }) => !same);

/** The same round by the auditor's own hand, sealed by SEAL. */
const payloadByAuditor = (at: Surroundings, round: number) =>
  opened(at, async (dealer) => {
    const parts = { ...dealer, ring: await createSealRing() };
    const { kept, matched, record, context, commit } = await recallRound(round, parts);
    const baseModel = await dealer.readBlob(record.baseModelHash);
    const { state } = decodeModel(baseModel, layoutOf(dealer.task, featureCount(dealer.contract)));
    const package_ = {
      ...{ task: dealer.task, contract: dealer.contract, baseModel },
      records: matched.records.map(({ subject, record: { row } }) => ({ subject, salt: '0x' as Hex, row })),
      attempt: { seed: toHex(kept.seed), stages: kept.trace.stages },
      serverState: state && (await dealer.readBlob(state)),
      dealerState: kept.trace.dealerState,
    };
    const { payloadHash } = await rerun(package_, context, parts.ring);
    return { payloadHash, committed: commit.payloadHash };
  });

/** Changes a file of the dealer's, looks, and puts it back. */
async function withFile<T>(path: string, change: (bytes: Buffer) => Uint8Array | string, use: () => Promise<T>) {
  const before = await readFile(path);
  await writeFile(path, change(Buffer.from(before)));
  try {
    return await use();
  } finally {
    await writeFile(path, before);
  }
}

describe('scaffold, with memory from round to round', () => {
  let site: Site;
  let at: Surroundings;
  const rounds: number[] = [];
  const [first, second] = [() => rounds[0] ?? 0, () => rounds[1] ?? 0];
  beforeAll(async () => {
    site = await openSite((document) => {
      Object.assign(document, {
        strategy: {
          ...{ name: 'scaffold', localEpochs: 2, batchSize: 4, learningRate: 0.01 },
          ...{ serverLearningRate: 1, controlClipNorm: 5, dealers: 5 },
        },
      });
    });
    at = site.at;
  }, 180_000);
  afterAll(() => closeSite(site));

  const attemptFiles = async () => (await readdir(join(at.directory, 'attempts'))).sort();

  test('a round that nothing disturbs comes out byte for byte, by the dealer and by SEAL', async () => {
    const { round, status } = await playRound(site, byItself(at));
    rounds.push(round);
    expect(status).toBe('published');
    const report = await replay(at, round);
    expect(report.stages.map(({ stage, same }) => [stage, same])).toEqual(
      ['commit', 'task', 'records', 'training', 'noise', 'payload'].map((stage) => [stage, true]),
    );
    expect(report).toMatchObject({ reproduced: true, attempt: 1, records: RECORDS });
    expect(report.stages.at(-1)?.finding).toContain('against the kept file');
    const { payloadHash, committed } = await payloadByAuditor(at, round);
    expect(payloadHash).toBe(committed);
  });

  test('[AGG-2] killed with -9 three times in a round: two attempts are burnt, the third is on chain and replays', async () => {
    const { round, status } = await playRound(site, async (open) => {
      for (const death of DEATHS) {
        const args = ['--import', 'tsx', CHILD, JSON.stringify(at), String(open), death];
        const died = run(process.execPath, args, { cwd: PACKAGE_ROOT });
        await expect(died).rejects.toMatchObject({ stderr: '', signal: 'SIGKILL' });
      }
      const kept = (await attemptFiles()).filter((name) => name.startsWith(`${open}-`) && name.endsWith('.seed'));
      const seeds = await Promise.all(kept.map((name) => readFile(join(at.directory, 'attempts', name), 'hex')));
      expect(new Set(seeds).size).toBe(DEATHS.length);
      expect(await byItself(at)(open)).toBe('resumed');
    });
    rounds.push(round);
    expect(status).toBe('published');
    const report = await replay(at, round);
    expect(report).toMatchObject({ reproduced: true, attempt: DEATHS.length });
    expect((await payloadByAuditor(at, round)).payloadHash).toBe(report.payloadHash);
    // what never came on chain can be opened by nobody any more
    expect((await attemptFiles()).map((name) => name.replace(/-\d+\./, '.'))).toEqual([
      ...[`${first()}-1.seed`, `${first()}-1.trace`, `${round}-3.seed`, `${round}-3.trace`],
    ]);
  });

  test('an earlier round replays too, with the dealer\u2019s state of before it; its payload file is gone', async () => {
    const report = await replay(at, first());
    expect(report.reproduced).toBe(true);
    expect(report.stages.at(-1)?.finding).toContain('goes with its round');
  });

  test('while the node runs, the replay says to stop it', async () => {
    await withDealer(at, async () => {
      expect(await codeOf(() => openDealer(placeOf(at)))).toBe('REPLAY_IMPOSSIBLE');
    });
  });

  test('a round that the dealer sat out, or that never was, is not found', async () => {
    expect(await codeOf(() => replay(at, 99))).toBe('NOT_FOUND');
  });

  const csv = () => join(at.directory, 'customers.csv');
  const subjects = () =>
    withDealer(at, async ({ parts }) => {
      const covered = (await parts.selections.ensure({} as never))?.customers;
      return site.rows.map((row) => covered?.get(String(row[site.world.contract.id.name])));
    });
  /** The table with other rows. */
  async function withRows<T>(change: (rows: Row[]) => Row[], use: () => Promise<T>): Promise<T> {
    const before = await readFile(csv());
    await writeTable(csv(), site.world.contract, change([...site.rows]));
    try {
      return await use();
    } finally {
      await writeFile(csv(), before);
    }
  }

  test('one record changed: it is named, and nothing of it is shown or trained on', async () => {
    const label = site.world.contract.label.name;
    const change = ([row, ...rest]: Row[]): Row[] => [{ ...row, [label]: 1 - Number(row?.[label]) }, ...rest];
    const report = await withRows(change, () => replay(at, second()));
    expect(departsAt(report)).toMatchObject({ stage: 'records', subjects: [(await subjects())[0]] });
    expect(report.stages.map(({ stage }) => stage)).toEqual(['commit', 'task', 'records']);
  });

  test('two customers swapped: both are named', async () => {
    const { name } = site.world.contract.id;
    const swap = ([a = {}, b = {}, ...rest]: Row[]): Row[] => [
      { ...a, [name]: b[name] ?? '' },
      { ...b, [name]: a[name] ?? '' },
      ...rest,
    ];
    const report = await withRows(swap, () => replay(at, second()));
    expect(departsAt(report)?.stage).toBe('records');
    expect(new Set(departsAt(report)?.subjects)).toEqual(new Set((await subjects()).slice(0, 2)));
  });

  test('a record that left is named; the order of the file is nobody\u2019s business', async () => {
    const report = await withRows(
      ([, ...rest]) => rest,
      () => replay(at, second()),
    );
    expect(departsAt(report)).toMatchObject({ stage: 'records', finding: '1 no longer in the records' });
    expect(
      (
        await withRows(
          (rows) => rows.reverse(),
          () => replay(at, second()),
        )
      ).reproduced,
    ).toBe(true);
  });

  const attemptFile = async (round: number, kind: string) => {
    const name = (await attemptFiles()).find((file) => file.startsWith(`${round}-`) && file.endsWith(kind));
    return join(at.directory, 'attempts', name ?? '');
  };

  test('[AGG-15] another training seed: the training departs, and nothing is sealed under it', async () => {
    const path = await attemptFile(second(), '.seed');
    const flip = (bytes: Buffer) => bytes.fill((bytes[63] ?? 0) ^ 1, 63);
    const report = await withFile(path, flip, () => replay(at, second()));
    expect(departsAt(report)?.stage).toBe('training');
    expect(report.stages.some(({ stage }) => stage === 'payload')).toBe(false);
  });

  test('a seed of another attempt is refused', async () => {
    const other = await readFile(await attemptFile(first(), '.seed'));
    const refused = withFile(
      await attemptFile(second(), '.seed'),
      () => other,
      () => codeOf(() => replay(at, second())),
    );
    expect(await refused).toBe('STATE_CORRUPT');
  });

  test('other epochs: the task is another one', async () => {
    const more = (bytes: Buffer) => bytes.toString().replace('localEpochs: 2', 'localEpochs: 3');
    const report = await withFile(join(at.directory, 'task.yaml'), more, () => replay(at, second()));
    expect(departsAt(report)?.stage).toBe('task');
  });

  test('a kept payload file that was altered is noticed', async () => {
    const path = join(at.directory, 'sealed', `${second()}-3.ccp`);
    const flip = (bytes: Buffer) => bytes.fill((bytes[99] ?? 0) ^ 1, 99, 100);
    const report = await withFile(path, flip, () => replay(at, second()));
    expect(departsAt(report)).toMatchObject({
      stage: 'payload',
      finding: 'the kept file is not what was committed to',
    });
    const longer = await withFile(
      path,
      (bytes) => Buffer.concat([bytes, bytes]),
      () => replay(at, second()),
    );
    expect(longer.reproduced).toBe(false);
  });

  test('a customer who withdrew since: not looked at, unless the dealer has a ground of its own', async () => {
    await withdraw(at, String(site.rows[4]?.[site.world.contract.id.name]));
    const report = await replay(at, second());
    expect(departsAt(report)).toMatchObject({ stage: 'records', subjects: [(await subjects())[4]] });
    const all = await replay(at, second(), { endedToo: true });
    expect(all.reproduced).toBe(true);
    expect(all.stages.find(({ stage }) => stage === 'records')?.finding).toContain(
      '1 of them of customers whose consent',
    );
  });

  test('a seed past its days is gone, and the replay says so', async () => {
    await withDealer({ ...at, replayDays: 0 }, ({ parts }) => parts.seeds.eraseExpired());
    expect(await attemptFiles()).toEqual([]);
    expect(await codeOf(() => replay(at, second()))).toBe('REPLAY_IMPOSSIBLE');
  });
});

describe('dp-fedsgd, with sampling, dither and noise', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite((document) => {
      Object.assign(document, {
        rounds: 3,
        strategy: {
          ...{ name: 'dp-fedsgd', learningRate: 1, momentum: 0, averageDecay: 0 },
          ...{ sumRange: 64, evaluationShare: 0.25 },
        },
        privacy: {
          ...{ mode: 'dp', epsilon: 8, delta: 0.00001, noiseMultiplier: 3.5 },
          ...{ clipNorm: 2, samplingRate: 0.5, honestDealers: 3 },
        },
        evaluation: { histogramBins: 16, decisionThreshold: 0.8125 },
      });
      Object.assign(document.update, { weightBound: 64, clipNorm: 2 });
      Object.assign(document.model, { l2: 0 });
    });
  }, 180_000);
  afterAll(() => closeSite(site));

  test('the noise replays, byte for byte, by the dealer and by SEAL', async () => {
    const { round } = await playRound(site, byItself(site.at));
    const report = await replay(site.at, round);
    expect(report.reproduced).toBe(true);
    const { payloadHash, committed } = await payloadByAuditor(site.at, round);
    expect(payloadHash).toBe(committed);
  });

  test('a dealer that leaves its noise out is caught at the noise', async () => {
    cheat.withoutNoise = true;
    const { round } = await playRound(site, byItself(site.at));
    cheat.withoutNoise = false;
    const report = await replay(site.at, round);
    expect(departsAt(report)?.stage).toBe('noise');
    const { payloadHash, committed } = await payloadByAuditor(site.at, round);
    expect(payloadHash).not.toBe(committed);
  });

  test('with no days nothing is kept: the round goes on as before, and cannot be replayed', async () => {
    const forgetful = { ...site.at, replayDays: 0 };
    const { round } = await playRound(site, byItself(forgetful));
    expect((await readdir(join(site.at.directory, 'attempts'))).filter((name) => name.startsWith(`${round}-`))).toEqual(
      [],
    );
    expect(await codeOf(() => replay(site.at, round))).toBe('REPLAY_IMPOSSIBLE');
  });
});
