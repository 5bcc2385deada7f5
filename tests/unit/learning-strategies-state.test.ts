// What strategies carry from round to round: the server's in a file that the model names, the dealer's in its own store.
import { describe, expect, test } from 'vitest';
import { createDealerStates } from '../../edge-node/train/dealer-state.ts';
import { createBaseFetcher } from '../../edge-node/train/fetch-base.ts';
import type { RoundLedger, RoundStatus } from '../../engines/chain/round-ledger.ts';
import { COIL2000, loadTask } from '../../examples/simulation/load.ts';
import { createApp, listen } from '../../kit/http.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { encodeCbor } from '../../protocol/codec.ts';
import { decodeModel, encodeModel, initialModel, modelHash } from '../../protocol/learning/model.ts';
import { decodeState, encodeState, stateHash } from '../../protocol/learning/strategy-state.ts';
import { codeOf, memoryStore } from './secagg-fixtures.ts';

const state = { control: Float64Array.of(0.1, -1e-300, 3), m: Float64Array.of(0, -0, 2 ** 60) };
const refusal = (bytes: Uint8Array) => codeOf(() => decodeState(bytes, 3));

describe('the state file', () => {
  test('comes back bit for bit, and nothing has no file', () => {
    const file = encodeState(state);
    expect(decodeState(file, 3)).toEqual(state);
    expect(stateHash(state)).toBe(toHex(sha256(file ?? new Uint8Array())));
    expect([encodeState({}), stateHash({}), decodeState(undefined, 3)]).toEqual([undefined, undefined, {}]);
  });

  test('is taken only when canonical, complete and finite', async () => {
    const file = (vectors: object, v = 'concordat/1/strategy-state') => encodeCbor({ v, vectors });
    const good = new Uint8Array(24);
    expect(await refusal(file({ m: good }))).toBe('nothing thrown');
    expect(await refusal(file({ m: new Uint8Array(23) }))).toBe('MODEL_MISMATCH');
    expect(await refusal(file({ m: new Uint8Array(32) }))).toBe('MODEL_MISMATCH');
    expect(await refusal(file({ m: new Uint8Array(24).fill(0xff) }))).toBe('MODEL_MISMATCH');
    expect(await refusal(file({ m: [1, 2, 3] }))).toBe('MESSAGE_MALFORMED');
    expect(await refusal(file({ m: good }, 'concordat/1/model'))).toBe('MESSAGE_MALFORMED');
    expect(await refusal(Uint8Array.of(...file({ m: good }), 0))).toBe('MESSAGE_MALFORMED');
  });

  test('is bound by the model’s own hash', () => {
    const model = { layout: [{ name: 'a', shape: [1] }], weights: Float32Array.of(1) };
    const named = { ...model, state: stateHash(state) as Hex };
    expect(decodeModel(encodeModel(named))).toEqual(named);
    expect(decodeModel(encodeModel(model))).toEqual(model);
    expect(modelHash(encodeModel(named))).not.toBe(modelHash(encodeModel(model)));
  });
});

const DEALER: Hex = `0x${'11'.repeat(20)}`;
const OTHER: Hex = `0x${'22'.repeat(20)}`;
const TASK: Hex = `0x${'33'.repeat(32)}`;

interface Told {
  readonly status?: RoundStatus;
  readonly attempt?: number;
  readonly dealers?: readonly Hex[];
}

/** A chain that says this of every round named, and knows no other. */
const ledgerOf = (rounds: Readonly<Record<number, Told>>) =>
  ({
    roundOf: async (round) => rounds[round] && { status: rounds[round].status ?? 'published' },
    commitOf: async (round) => rounds[round] && { attempt: rounds[round].attempt ?? 1 },
    setOf: async (round) => rounds[round] && { dealers: rounds[round].dealers ?? [OTHER, DEALER] },
  }) as Pick<RoundLedger, 'roundOf' | 'commitOf' | 'setOf'>;

describe('a dealer’s own state', () => {
  const stateOf = (x: number) => ({ control: Float64Array.of(x, -x) });
  const open = (rounds: Readonly<Record<number, Told>>, store = memoryStore()) =>
    createDealerStates({ store, ledger: ledgerOf(rounds), dealer: DEALER, taskHash: TASK });

  test.each<[string, Told, number]>([
    ['the round before, published', {}, 2],
    ['a round that failed counts as if it had not been', { status: 'failed' }, 1],
    ['nor does one whose sum nobody has published', { status: 'finalised' }, 1],
    ['nor one that this dealer was too late for', { dealers: [OTHER] }, 1],
    ['nor an attempt that another took the place of', { attempt: 2 }, 1],
  ])('%s', async (_, told, expected) => {
    const states = open({ 1: {}, 2: told });
    await states.write(1, 1, stateOf(1));
    await states.write(2, 1, stateOf(2));
    expect(await states.before(3, 2)).toEqual(stateOf(expected));
  });

  test('of several attempts, the one on chain; never one of the round itself', async () => {
    const states = open({ 1: { attempt: 2 }, 2: {} });
    for (const attempt of [1, 2, 3]) await states.write(1, attempt, stateOf(attempt));
    await states.write(2, 1, stateOf(9));
    expect(await states.before(2, 2)).toEqual(stateOf(2));
    expect(await states.before(1, 2)).toEqual({});
  });

  test('older ones are forgotten, newer ones kept', async () => {
    const store = memoryStore();
    const states = open({ 1: {}, 2: {}, 3: {} }, store);
    for (const round of [1, 2, 3]) await states.write(round, 1, stateOf(round));
    expect(await states.before(3, 2)).toEqual(stateOf(2));
    expect(await store.list('dealer-state/')).toHaveLength(2);
    expect(await states.before(4, 2)).toEqual(stateOf(3));
    expect(await store.list('dealer-state/')).toHaveLength(1);
  });

  test('each task has its own, and forgets nothing of another', async () => {
    const store = memoryStore();
    const [ledger, dealer] = [ledgerOf({ 1: {}, 2: {}, 3: {} }), DEALER];
    const [mine, theirs] = [TASK, `0x${'44'.repeat(32)}` as Hex].map((taskHash) =>
      createDealerStates({ store, ledger, dealer, taskHash }),
    );
    await mine?.write(1, 1, stateOf(1));
    await theirs?.write(2, 1, stateOf(2));
    await mine?.write(3, 1, stateOf(3));
    expect(await mine?.before(3, 2)).toEqual(stateOf(1));
    expect(await mine?.before(4, 2)).toEqual(stateOf(3));
    expect(await theirs?.before(4, 2)).toEqual(stateOf(2));
  });

  test('a strategy that keeps nothing writes nothing; a state of another model is refused', async () => {
    const store = memoryStore();
    const states = open({ 1: {} }, store);
    await states.write(1, 1, {});
    expect(await store.list('')).toEqual([]);
    await states.write(1, 1, stateOf(1));
    await expect(states.before(2, 3)).rejects.toThrow('MODEL_MISMATCH');
  });
});

describe('the base of a round, fetched', () => {
  test('state and all when the strategy’s dealers read it; another file under its name is refused', async () => {
    const { task, contract } = await loadTask(`${COIL2000}/tasks/scaffold.yaml`);
    const adam = await loadTask(`${COIL2000}/tasks/fedadam.yaml`);
    const carried = { control: new Float64Array(344).fill(0.5) };
    const model = { ...initialModel(task, contract), state: stateHash(carried) as Hex };
    const file = encodeModel(model);
    const blobs = new Map<string, Uint8Array>([[modelHash(file).slice(2), file]]);
    const asked: string[] = [];
    const app = createApp();
    app.get('/v1/bundle/blobs/:name', (request, response) => {
      asked.push(request.params.name);
      response.end(blobs.get(request.params.name) ?? encodeState({ control: new Float64Array(344) }));
    });
    const http = await listen(app, 0);
    try {
      const fetchBase = createBaseFetcher(http.url, task, contract);
      await expect(fetchBase(modelHash(file))).rejects.toThrow('MODEL_MISMATCH');
      blobs.set(model.state.slice(2), encodeState(carried) as Uint8Array);
      expect(await fetchBase(modelHash(file))).toEqual({ ...model, serverState: carried });
      await expect(fetchBase(`0x${'00'.repeat(32)}`)).rejects.toThrow('MODEL_MISMATCH');
      asked.length = 0;
      // the server's moments are no business of FedAdam's dealers, and three times the model's size
      expect(await createBaseFetcher(http.url, adam.task, contract)(modelHash(file))).toMatchObject({
        serverState: {},
      });
      expect(asked).toEqual([modelHash(file).slice(2)]);
    } finally {
      await http.close();
    }
  });
});
