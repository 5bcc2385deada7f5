// The desk for tasks, over HTTP and a real transcript: what is taken, what is refused at the door, and what a restart finds.
import { afterEach, describe, expect, test } from 'vitest';
import { createTaskRouter } from '../../coordinator/api/tasks.ts';
import { openTaskCatalogue, putTask } from '../../coordinator/tasks/catalogue.ts';
import { createTaskDesk, type TaskDetails } from '../../coordinator/tasks/desk.ts';
import { openTaskJournal } from '../../coordinator/tasks/journal.ts';
import { createTaskRunner } from '../../coordinator/tasks/runner.ts';
import type { TaskView } from '../../coordinator/tasks/view.ts';
import type { Transcript } from '../../coordinator/transcript/transcript.ts';
import { createApp, type HttpService, listen, problemHandler, requestJson } from '../../kit/http.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import type { EarlierRound } from '../../protocol/learning/privacy/ledger.ts';
import { contract, contractTextOf, task as first, smallTaskOf, taskText } from '../helpers/audit/small-task.ts';
import { entriesOf, SILENT, temporaryTranscript } from './coordinator-world.ts';
import { BUDGET } from './privacy-world.ts';
import { memoryStore } from './secagg-fixtures.ts';

const TOKEN = 'operator';
const RIDGE = smallTaskOf({ name: 'ridge', featureBound: 4, entryBits: 42 }, { loss: 'squared', l2: 0.1 });
const CONTRACT = contractTextOf(contract);
const variant = (change: object) => canonicalJson({ ...JSON.parse(taskText), ...change });

let http: HttpService | undefined;
afterEach(async () => {
  await http?.close();
  http = undefined;
});

interface World {
  readonly transcript: Transcript;
  readonly store: ReturnType<typeof memoryStore>;
  readonly dealers?: number;
  readonly minCohort?: number;
  readonly earlier?: readonly EarlierRound[];
}

/** A coordinator whose rounds never end: what is asked for stays as it was written down. */
async function openDesk({ transcript, store, dealers = 4, minCohort = 3, earlier = [] }: World) {
  const catalogue = await openTaskCatalogue(transcript);
  const journal = await openTaskJournal(store);
  for (const hash of catalogue.hashes()) await journal.add(hash);
  const never = () => new Promise<never>(() => undefined);
  const runner = createTaskRunner({
    journal,
    ledger: { roundCount: async () => 0, roundOf: async () => undefined },
    driverOf: () => ({ runRound: never, lastPublished: async () => undefined }),
    failRound: never,
    clock: { nowMs: () => 0, sleep: async () => undefined },
    signal: new AbortController().signal,
    log: SILENT,
  });
  const taken: string[] = [];
  const federation = async () => ({ dealers, minCohort, earlier });
  const onTaken = (hash: string) => void taken.push(hash);
  const desk = createTaskDesk({ catalogue, journal, runner, federation, uploads: () => 0, onTaken });
  const app = createApp();
  app.use(createTaskRouter(desk, TOKEN));
  app.use(problemHandler(SILENT));
  await http?.close();
  http = await listen(app, 0);
  return { desk, taken, url: http.url };
}

async function world(more: Omit<World, 'transcript' | 'store'> = {}) {
  const { transcript } = await temporaryTranscript();
  const genesis = await putTask(transcript, first, contract);
  await transcript.appendOnce({
    ...{ type: 'genesis', chainId: 1, federation: `0x${'11'.repeat(20)}`, verificationKey: genesis.task, ...genesis },
    relyingParty: { rpId: 'localhost', origins: ['https://localhost'] },
  });
  const parts = { transcript, store: memoryStore(), ...more };
  return { ...parts, ...(await openDesk(parts)), again: () => openDesk(parts) };
}

const post = (url: string, body: unknown, token = TOKEN) =>
  requestJson<TaskView>(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const code = async (asked: Promise<unknown>) =>
  asked.then(
    () => 'taken',
    (error) => error.code,
  );

describe('a task that is submitted', () => {
  test('is in the transcript once, and its documents are served under its hash, also after a restart', async () => {
    const { url, transcript, taken, again } = await world();
    const body = { task: RIDGE.text, contract: CONTRACT, rounds: 3 };
    expect(await post(`${url}/v1/tasks`, body)).toMatchObject({ id: 'small-task', rounds: { done: 0, asked: 3 } });
    await post(`${url}/v1/tasks`, { ...body, rounds: 2 });
    expect(entriesOf(transcript, 'task')).toMatchObject([{ task: RIDGE.task.hash, dataContract: contract.hash }]);
    expect(taken).toEqual([RIDGE.task.hash, RIDGE.task.hash]);

    const restarted = await again();
    const details = await requestJson<TaskDetails>(`${restarted.url}/v1/tasks/${RIDGE.task.hash}`);
    expect(details.documents).toEqual({ task: RIDGE.text, contract: CONTRACT });
    expect(details).toMatchObject({ state: 'queued', rounds: { asked: 5 } });
    const { tasks } = await requestJson<{ tasks: TaskView[] }>(`${restarted.url}/v1/tasks`);
    expect(tasks.map(({ hash, state }) => [hash, state])).toEqual([
      [first.hash, 'idle'],
      [RIDGE.task.hash, 'queued'],
    ]);
  });

  test('as YAML or JSON is the same task', async () => {
    const { url } = await world();
    const yaml = `# a comment\n${JSON.stringify(JSON.parse(RIDGE.text), undefined, 2)}`;
    expect((await post(`${url}/v1/tasks`, { task: yaml, contract: CONTRACT })).hash).toBe(RIDGE.task.hash);
  });

  test('is kept as its canonical text, with what it left to the defaults: the hash of the file is the hash of the task', async () => {
    const { url, transcript } = await world();
    const { backend: _, ...shorter } = { backend: undefined, ...JSON.parse(RIDGE.text) };
    const yaml = `# no backend\n${JSON.stringify(shorter, undefined, 2)}`;
    expect(yaml).not.toContain('backend:');
    expect((await post(`${url}/v1/tasks`, { task: yaml, contract: CONTRACT })).hash).toBe(RIDGE.task.hash);
    const kept = await transcript.getBlob(RIDGE.task.hash);
    expect(JSON.parse(new TextDecoder().decode(kept))).toMatchObject({ backend: 'wasm' });
    expect(toHex(sha256(kept))).toBe(RIDGE.task.hash);
  });

  test('whose file is another one by now stops the coordinator from starting', async () => {
    const { url, transcript } = await world();
    await post(`${url}/v1/tasks`, { task: RIDGE.text, contract: CONTRACT });
    const altered = new TextEncoder().encode(RIDGE.text.replace('"title":"', '"title":"another '));
    const getBlob = async (hash: Hex) => (hash === RIDGE.task.hash ? altered : transcript.getBlob(hash));
    const opening = openTaskCatalogue({ ...transcript, getBlob });
    expect(await code(opening)).toBe('STATE_CORRUPT');
  });

  test('for as many rounds as it says, when nothing else is asked', async () => {
    const { url } = await world();
    const view = await post(`${url}/v1/tasks`, { task: RIDGE.text, contract: CONTRACT });
    expect(view.rounds.asked).toBe(RIDGE.task.rounds);
  });
});

describe('at the door', () => {
  const dp = (epsilon: number, rounds: number) =>
    variant({
      rounds,
      strategy: {
        ...{ name: 'dp-fedsgd', learningRate: 0.5, momentum: 0, averageDecay: 0.5, sumRange: 16, evaluationShare: 0.5 },
      },
      privacy: { ...BUDGET, epsilon },
    });

  test.each<[string, unknown, string]>([
    ['no JSON', '{', 'MESSAGE_MALFORMED'],
    ['a field that nobody knows', { task: RIDGE.text, contract: CONTRACT, round: 1 }, 'MESSAGE_MALFORMED'],
    ['no rounds', { task: RIDGE.text, contract: CONTRACT, rounds: 0 }, 'MESSAGE_MALFORMED'],
    ['too many rounds', { task: RIDGE.text, contract: CONTRACT, rounds: 10_001 }, 'MESSAGE_MALFORMED'],
    ['a document that is too long', { task: 'x'.repeat(1_000_001), contract: CONTRACT }, 'MESSAGE_MALFORMED'],
    ['a body that is too long', { task: 'x'.repeat(4_200_000), contract: CONTRACT }, 'MESSAGE_TOO_LARGE'],
    ['a task that is none', { task: 'version: 1', contract: CONTRACT }, 'TASK_INVALID'],
    ['a contract that is none', { task: RIDGE.text, contract: 'kind: x' }, 'CONTRACT_INVALID'],
    [
      'a task of another contract',
      { task: variant({ dataContract: { file: 'c.yaml', hash: `0x${'00'.repeat(32)}` } }), contract: CONTRACT },
      'TASK_INVALID',
    ],
    [
      'a cohort that is not there',
      { task: variant({ cohort: { min: 5, deadlineMs: 60_000 } }), contract: CONTRACT },
      'TASK_INVALID',
    ],
  ])('%s is refused, and leaves nothing behind', async (_, body, refusal) => {
    const { url, transcript, taken } = await world();
    expect(await code(post(`${url}/v1/tasks`, body))).toBe(refusal);
    expect(entriesOf(transcript, 'task')).toEqual([]);
    expect(taken).toEqual([]);
  });

  test('a packing that does not hold the dealers there are', async () => {
    const body = { task: RIDGE.text, contract: CONTRACT };
    expect(await code(post(`${(await world({ dealers: 8 })).url}/v1/tasks`, body))).toBe('taken');
    expect(await code(post(`${(await world({ dealers: 9 })).url}/v1/tasks`, body))).toBe('TASK_INVALID');
  });

  test('a budget that is spent', async () => {
    const body = { task: dp(8, 2), contract: CONTRACT };
    const { hash } = await post(`${(await world()).url}/v1/tasks`, body);
    const spent = Array.from({ length: 4_000 }, () => ({ taskHash: hash, epsilonAfterMilli: 100, counts: true }));
    expect(await code(post(`${(await world({ earlier: spent })).url}/v1/tasks`, body))).toBe('PRIVACY_BUDGET_SPENT');
  });

  test('noise of more dealers than the contracts hold a sum to is refused: nobody could keep that epsilon', async () => {
    const { url } = await world({ minCohort: BUDGET.honestDealers - 1 });
    const submitted = post(`${url}/v1/tasks`, { task: dp(8, 10), contract: CONTRACT });
    await expect(submitted).rejects.toMatchObject({ code: 'TASK_INVALID', fields: { path: 'privacy.honestDealers' } });
    const kept = (await world({ minCohort: BUDGET.honestDealers })).url;
    expect(await code(post(`${kept}/v1/tasks`, { task: dp(8, 10), contract: CONTRACT }))).toBe('taken');
  });

  test('submitting and stopping need the operator token, looking does not', async () => {
    const { url } = await world();
    expect(await code(post(`${url}/v1/tasks`, { task: RIDGE.text, contract: CONTRACT }, 'guess'))).toBe(
      'SIGNATURE_INVALID',
    );
    expect(await code(post(`${url}/v1/tasks/${first.hash}/stop`, {}, 'guess'))).toBe('SIGNATURE_INVALID');
    expect(await code(requestJson(`${url}/v1/tasks`))).toBe('taken');
  });

  test('a task that is not there, and what is no hash', async () => {
    const { url } = await world();
    for (const path of [`0x${'0'.repeat(64)}`, `0x${'0'.repeat(64)}/rounds`]) {
      expect(await code(requestJson(`${url}/v1/tasks/${path}`))).toBe('NOT_FOUND');
    }
    expect(await code(post(`${url}/v1/tasks/0x${'0'.repeat(64)}/stop`, {}))).toBe('NOT_FOUND');
    for (const path of ['0x12', '..%2f..%2fstore', `${first.hash}/rounds?after=-1`]) {
      expect(await code(requestJson(`${url}/v1/tasks/${path}`))).toBe('MESSAGE_MALFORMED');
    }
  });
});

test('stopping is for what runs, any number of times; the first task is asked for rounds by its own door', async () => {
  const { url, desk } = await world();
  await post(`${url}/v1/tasks`, { task: RIDGE.text, contract: CONTRACT, rounds: 3 });
  await desk.runFirst(2);
  await expect(desk.runFirst(2)).rejects.toMatchObject({ code: 'CONFLICT' });
  const stop = () => post(`${url}/v1/tasks/${first.hash}/stop`, {});
  expect((await stop()).state).toBe('stopped');
  expect((await stop()).state).toBe('stopped');
  await desk.runFirst(2);
  expect(desk.list()[0]).toMatchObject({ state: 'queued', rounds: { asked: 2 } });
});
