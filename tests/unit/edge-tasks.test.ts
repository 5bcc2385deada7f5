// Which tasks a dealer takes part in: its policy at every edge, documents held to their hash, and what a restart remembers.
import { describe, expect, test } from 'vitest';
import type { TaskDocuments as ServedDocuments } from '../../coordinator/tasks/desk.ts';
import { createTaskDocuments } from '../../edge-node/tasks/documents.ts';
import { parseAcceptPolicy, refusalOf, roundRefusalOf } from '../../edge-node/tasks/policy.ts';
import { type Judged, openEdgeTasks, type TaskParts } from '../../edge-node/tasks/tasks.ts';
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { NO_PRIVACY_CAP, requirementKey } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import { encodeModel, initialModel, modelHash } from '../../protocol/learning/model.ts';
import { parseTask, requirementOfTask, type Task } from '../../protocol/learning/task.ts';
import { contract, contractTextOf, task as first, smallTaskOf, taskText } from '../helpers/audit/small-task.ts';
import { SILENT } from './coordinator-world.ts';
import { BUDGET } from './privacy-world.ts';
import { memoryStore } from './secagg-fixtures.ts';

const variant = (change: object) => canonicalJson({ ...JSON.parse(taskText), ...change });
const policyOf = (more: object = {}) =>
  parseAcceptPolicy(JSON.stringify({ version: 'concordat/1', scenes: ['lead-scoring'], ...more }));
const RIDGE = smallTaskOf({ name: 'ridge', featureBound: 4, entryBits: 42 }, { loss: 'squared', l2: 0.1 });
const DP = parseTask(
  variant({
    strategy: {
      name: 'dp-fedsgd',
      learningRate: 0.5,
      momentum: 0,
      averageDecay: 0.5,
      sumRange: 16,
      evaluationShare: 0.5,
    },
    privacy: { ...BUDGET, epsilon: 8 },
  }),
);
const STRANGE: Hex = `0x${'ab'.repeat(32)}`;

describe('a standing policy', () => {
  const refusal = (task: Task, more: object) =>
    refusalOf({ task, contract, parameters: 5 }, policyOf(more), contract.hash);

  test.each<[string, Task, object, RegExp | undefined]>([
    ['the scene alone', first, {}, undefined],
    ['another scene', first, { scenes: ['churn-retention'] }, /scene lead-scoring/],
    ['this task', first, { tasks: [first.hash] }, undefined],
    ['another task', first, { tasks: [STRANGE] }, /not among those/],
    ['the contract by name', first, { dataContracts: [contract.hash] }, undefined],
    ['other contracts, and not its own', first, { dataContracts: [STRANGE] }, /data contract/],
    ['other strategies', first, { strategies: ['fedavg'] }, /strategy fedavgm/],
    ['passkeys, as the task asks for', first, { minEvidence: 'passkey' }, undefined],
    ['passkeys only', parseTask(variant({ minEvidence: 'attested' })), { minEvidence: 'passkey' }, /attested consent/],
    ['privacy', first, { requirePrivacy: true }, /no differential privacy/],
    ['a most of epsilon, which asks for privacy too', first, { maxEpsilon: 8 }, /no differential privacy/],
    ['exactly its budget', DP, { maxEpsilon: 8, requirePrivacy: true }, undefined],
    ['a little less', DP, { maxEpsilon: 7.999 }, /epsilon 8/],
    ['as many dealers as it asks for', first, { minCohort: 3 }, undefined],
    ['more dealers', first, { minCohort: 4 }, /sums of 3 dealers/],
    ['as large a model', first, { maxParameters: 5 }, undefined],
    ['only smaller models', first, { maxParameters: 4 }, /5 parameters/],
    ['other kinds of model', first, { models: ['tfjs-layers'] }, /kind dense/],
    ['other backends', first, { backends: ['cpu'] }, /backend wasm/],
  ])('that allows %s', (_, task, more, reason) => {
    if (reason === undefined) expect(refusal(task, more)).toBeUndefined();
    else expect(refusal(task, more)).toMatch(reason);
  });

  test('ends after its rounds, and before epsilon over all tasks passes its most', () => {
    const policy = policyOf({ maxRounds: 3, maxEpsilon: 2 });
    const offered = { epsilonAfterMilli: 2_000, roundsTaken: 2 };
    expect(roundRefusalOf(offered, policy)).toBeUndefined();
    expect(roundRefusalOf({ ...offered, roundsTaken: 3 }, policy)).toMatch(/3 rounds/);
    expect(roundRefusalOf({ ...offered, epsilonAfterMilli: 2_001 }, policy)).toMatch(/2.001 over all tasks/);
  });

  test.each([
    ['scenes: [no-such-scene]', 'scenes'],
    ['scenes: []', 'scenes'],
    ['scenes: [lead-scoring]\nscene: x', 'scene'],
    ['scenes: [lead-scoring]\ntasks: ["0x12"]', 'tasks'],
    ['scenes: [lead-scoring]\nmaxEpsilon: 0', 'maxEpsilon'],
    ['scenes: [lead-scoring]\nstrategies: [fedavgg]', 'strategies'],
    ['{}', 'scenes'],
  ])('is refused as a whole when a line of it is not understood: %s', (text, path) => {
    const source = text === '{}' ? 'version: concordat/1' : `version: concordat/1\n${text}`;
    expect(() => parseAcceptPolicy(source)).toThrow(path);
  });
});

const documentsOf = (text: string): ServedDocuments => ({ task: text, contract: contractTextOf(contract) });

describe('the documents of a task', () => {
  const answering = (answer: unknown) => createTaskDocuments(memoryStore(), async () => answer);

  test.each<[string, unknown]>([
    ['another task', { documents: documentsOf(taskText) }],
    ['a text that is no task', { documents: documentsOf('{}') }],
    ['another contract', { documents: { ...documentsOf(RIDGE.text), contract: '{}' } }],
    ['no documents', {}],
    ['nothing', undefined],
    ['texts of another kind', { documents: { task: 7, contract: [] } }],
  ])('with %s in their place are refused', async (_, answer) => {
    await expect(answering(answer).get(RIDGE.task.hash)).rejects.toMatchObject({ code: 'TASK_REFUSED' });
  });

  test('are kept only when told, and then not asked for again', async () => {
    const store = memoryStore();
    let asked = 0;
    const ask = async () => {
      asked += 1;
      return { documents: documentsOf(RIDGE.text) };
    };
    const documents = createTaskDocuments(store, ask);
    const pair = await documents.get(RIDGE.task.hash);
    expect(pair.task).toEqual(RIDGE.task);
    expect(await documents.kept()).toEqual([]);
    await documents.keep(pair);
    const again = createTaskDocuments(store, ask);
    await again.get(RIDGE.task.hash);
    expect((await again.kept()).map(({ task }) => task.hash)).toEqual([RIDGE.task.hash]);
    expect(asked).toBe(1);
  });

  // YAML of the same task has the same hash; a megabyte of it that is made for that keeps a parser busy for minutes
  test.each([
    ['spaces', (text: string) => ` ${text}`],
    ['a key twice', (text: string) => text.replace('{', '{"version":"concordat/1",')],
    ['YAML', (text: string) => text.replace('{', '{ # a remark\n')],
  ])('with %s in it are refused before they are parsed', async (_, spoil) => {
    const answer = { documents: documentsOf(spoil(RIDGE.text)) };
    await expect(answering(answer).get(RIDGE.task.hash)).rejects.toMatchObject({
      code: 'TASK_REFUSED',
      detail: expect.stringContaining('canonical'),
    });
  });
});

describe('the tasks of a dealer', () => {
  const served = new Map([
    [RIDGE.task.hash, RIDGE.text],
    [DP.hash, canonicalJson((({ hash: _, ...document }) => document)(DP))],
  ]);
  const ask = async (hash: Hex): Promise<unknown> => {
    const text = served.get(hash);
    if (text === undefined) throw new ConcordatError('NOT_FOUND', 'no such task');
    return { documents: documentsOf(text) };
  };
  const gate = { recordCount: 1 };

  async function open(
    more: object | undefined,
    {
      store = memoryStore(),
      rounds = [] as readonly Hex[],
      started = first,
      minCohort = 3,
      lastModelOf = async (_task: Hex): Promise<Hex | undefined> => undefined,
      ask: asking = ask,
      gateOf = async () => gate as never,
      roundOf = async (_round: number): Promise<RoundRecord | undefined> => undefined,
      check = async (_before: number, _hash: Hex): Promise<void> => undefined,
      fault = (): string | undefined => undefined,
    } = {},
  ) {
    return openEdgeTasks({
      first: { task: started, contract },
      policy: more && policyOf(more),
      documents: createTaskDocuments(store, asking),
      partsOf: (pair) =>
        ({
          ...pair,
          requirement: requirementOfTask(pair.task, pair.contract),
          bases: { check, fault },
        }) as unknown as TaskParts,
      gateOf,
      earlierRounds: async (before) =>
        rounds.slice(0, before - 1).map((taskHash) => ({ taskHash, epsilonAfterMilli: 0, counts: true })),
      ledger: {
        commitOf: async (round) => (round % 2 === 1 ? ({} as never) : undefined),
        roundCount: async () => 6,
        roundOf,
        lastModelOf,
      },
      dealer: `0x${'11'.repeat(20)}`,
      minCohort,
      log: SILENT,
    });
  }
  const known = [first, RIDGE.task, DP];
  /** As an honest coordinator opens the first round of a task. */
  function record(taskHash: Hex, epsilonAfterMilli = 0): Judged {
    const task = known.find(({ hash }) => hash === taskHash) ?? first;
    return {
      ...{ taskHash, epsilonAfterMilli },
      requirementKey: requirementKey(requirementOfTask(task, contract)),
      baseModelHash: modelHash(encodeModel(initialModel(task, contract))),
    };
  }

  test('without a policy it is the one it was started with, and no other is even asked for', async () => {
    const asked: Hex[] = [];
    const tasks = await open(undefined, {
      ask: async (hash) => {
        asked.push(hash);
        return undefined;
      },
    });
    expect(await tasks.judge(1, record(first.hash))).toMatchObject({ parts: { task: first, gate } });
    expect(await tasks.judge(1, record(RIDGE.task.hash))).toMatchObject({
      refused: expect.stringContaining('started with'),
    });
    expect(asked).toEqual([]);
    expect(tasks.standings().map(({ accepted }) => accepted)).toEqual([true, false]);
  });

  test('the one it was started with needs no leave of the policy', async () => {
    const tasks = await open({ scenes: ['churn-retention'], requirePrivacy: true });
    expect(await tasks.judge(1, record(first.hash))).toHaveProperty('parts');
  });

  test('a restart remembers what was accepted, and judges it by the policy of now', async () => {
    const store = memoryStore();
    const before = await open({}, { store });
    await before.consider(RIDGE.task.hash);
    expect(before.accepted().map(({ task }) => task.hash)).toEqual([first.hash, RIDGE.task.hash]);
    const nobody = async () => Promise.reject(new ConcordatError('TIMED_OUT', 'away'));
    const after = await open({}, { store, ask: nobody });
    expect(after.accepted().map(({ task }) => task.hash)).toEqual([first.hash, RIDGE.task.hash]);
    const stricter = await open({ strategies: ['fedavg'] }, { store, ask: nobody });
    expect(stricter.accepted().map(({ task }) => task.hash)).toEqual([first.hash]);
    expect(stricter.standings()[1]).toMatchObject({ accepted: false, reason: 'strategy ridge is not accepted' });
  });

  test('rounds are counted that it committed to, of this task alone', async () => {
    const rounds = [RIDGE.task.hash, RIDGE.task.hash, first.hash, first.hash, RIDGE.task.hash];
    const tasks = await open({ maxRounds: 2 }, { rounds });
    expect(await tasks.judge(5, record(RIDGE.task.hash))).toHaveProperty('parts');
    expect(await tasks.judge(6, record(RIDGE.task.hash))).toMatchObject({ refused: '2 rounds of a task are accepted' });
  });

  test('epsilon of a round is over all tasks', async () => {
    const tasks = await open({ maxEpsilon: 8 });
    expect(await tasks.judge(1, record(DP.hash, 8_000))).toHaveProperty('parts');
    expect(await tasks.judge(1, record(DP.hash, 8_001))).toHaveProperty('refused');
  });

  test('epsilon over all tasks holds for the task it was started with too, as soon as others have used some up', async () => {
    const tasks = await open({ maxEpsilon: 8 }, { started: DP });
    expect(await tasks.judge(1, record(DP.hash, 8_000))).toHaveProperty('parts');
    expect(await tasks.judge(2, record(DP.hash, 8_001))).toMatchObject({
      refused: expect.stringContaining('8.001 over all tasks'),
    });
    // it was started with this one: its rounds state no epsilon
    const exact = await open({ maxEpsilon: 8 });
    expect(await exact.judge(1, record(first.hash, NO_PRIVACY_CAP))).toHaveProperty('parts');
  });

  test('whose noise needs more dealers than the contracts hold a sum to is refused, be it the first: a lying coordinator sums fewer', async () => {
    const { honestDealers } = BUDGET;
    const refused = { refused: expect.stringContaining(`the noise of ${honestDealers} dealers`) };
    const [weak, enough] = [{ minCohort: honestDealers - 1 }, { minCohort: honestDealers }];
    expect(await (await open({}, weak)).judge(1, record(DP.hash))).toEqual(refused);
    expect(await (await open(undefined, { ...weak, started: DP })).judge(1, record(DP.hash))).toEqual(refused);
    expect(await (await open({}, enough)).judge(1, record(DP.hash))).toHaveProperty('parts');
    expect(await (await open({}, weak)).judge(1, record(RIDGE.task.hash))).toHaveProperty('parts');
  });

  test.each([
    ['the first task', first.hash, undefined],
    ['another one', RIDGE.task.hash, {}],
  ])('a round of %s that asks less of customers than the task is refused', async (_, hash, policy) => {
    const tasks = await open(policy);
    const weaker = requirementKey({ ...requirementOfTask(first, contract), minEvidence: 1 });
    const judged = await tasks.judge(1, { ...record(hash), requirementKey: weaker });
    expect(judged).toEqual({ refused: expect.stringContaining('asks customers for something else') });
    expect(await tasks.judge(1, record(hash))).toHaveProperty('parts');
  });

  // weights made for it can make a sum tell about single records
  test('a first round from a model of the coordinator’s own making is refused', async () => {
    const planted = { ...record(RIDGE.task.hash), baseModelHash: STRANGE };
    const refused = { refused: expect.stringContaining('starts from another model') };
    expect(await (await open({})).judge(1, planted)).toEqual(refused);
    const later = await open({}, { lastModelOf: async (hash) => (hash === RIDGE.task.hash ? STRANGE : undefined) });
    expect(await later.judge(2, planted)).toHaveProperty('parts');
    expect(await later.judge(2, { ...record(first.hash), baseModelHash: STRANGE })).toEqual(refused);
  });

  test('what is refused takes no place on disk and no more than so much in memory', async () => {
    const store = memoryStore();
    const tasks = await open({ strategies: ['fedavg'] }, { store });
    await tasks.consider(RIDGE.task.hash);
    expect(await store.list('task/')).toEqual([]);
    const garbage = await open({}, { ask: async () => ({ documents: documentsOf(`{"${'k'.repeat(9_000)}":1}`) }) });
    for (let i = 0; i < 300; i++) await garbage.consider(`0x${i.toString(16).padStart(64, '0')}`);
    expect(garbage.standings()).toHaveLength(257);
    expect(garbage.standings()[0]).toMatchObject({ hash: first.hash, accepted: true });
    expect(garbage.standings().every(({ reason = '' }) => reason.length <= 200)).toBe(true);
  });

  test('what was published is checked ahead of the next round, of tasks that are accepted; what is wrong is said', async () => {
    const asked: [number, Hex][] = [];
    const check = async (before: number, hash: Hex) => void asked.push([before, hash]);
    const modelHash = (round: number): Hex => `0x${String(round).padStart(64, '0')}`;
    const published = [first.hash, first.hash, DP.hash, first.hash, RIDGE.task.hash];
    const roundOf = async (round: number) => {
      const taskHash = published[round - 1];
      if (taskHash === undefined) return undefined;
      return { status: round === 4 ? 'failed' : 'published', taskHash, modelHash: modelHash(round) } as never;
    };
    const last = new Map([first.hash, DP.hash].map((hash, i) => [hash, modelHash(i + 2)]));
    const lastModelOf = async (hash: Hex) => last.get(hash);
    const fault = () => 'round 7: another model';
    const tasks = await open({ strategies: ['dp-fedsgd'] }, { check, fault, roundOf, lastModelOf });
    await tasks.consider(RIDGE.task.hash);
    await tasks.consider(DP.hash);
    for (let round = 1; round <= 6; round++) await tasks.checkPublished(round);
    expect(asked.splice(0)).toEqual([
      [3, modelHash(2)],
      [4, modelHash(3)],
    ]); // not round 1: a coordinator that speaks of old rounds gets no work done, and takes no journal back
    last.delete(DP.hash);
    await tasks.checkLast();
    expect(asked).toEqual([[3, modelHash(2)]]);
    const [own, refused] = tasks.standings();
    expect(own).toMatchObject({ hash: first.hash, accepted: true, modelUnproven: 'round 7: another model' });
    expect(refused).not.toHaveProperty('modelUnproven');
  });

  test('more tasks than a coordinator may have are refused, however well they fit', async () => {
    const text = (i: number) => variant({ id: `task-${i}` });
    const hashes = Array.from({ length: 256 }, (_, i) => parseTask(text(i)).hash);
    const texts = new Map(hashes.map((hash, i) => [hash, text(i)]));
    const tasks = await open({}, { ask: async (hash) => ({ documents: documentsOf(texts.get(hash) ?? '') }) });
    for (const hash of hashes) await tasks.consider(hash);
    expect(tasks.accepted()).toHaveLength(256);
    expect(tasks.standings().at(-1)).toMatchObject({ hash: hashes[255], reason: 'this dealer has its 256 tasks' });
  });

  test('nobody there is no refusal; records that do not fit are one, with nothing of a record in the reason', async () => {
    const tasks = await open({});
    await expect(tasks.judge(1, record(STRANGE))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(tasks.standings()).toHaveLength(1);
    const gateOf = async () => Promise.reject(new ConcordatError('DATA_BREAKS_CONTRACT', 'row 3, age: 93'));
    const judged = await (await open({}, { gateOf })).judge(1, record(RIDGE.task.hash));
    expect(judged).toEqual({ refused: 'the records do not fit its data contract' });
  });
});
