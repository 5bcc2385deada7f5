// [AGG-16] A dealer makes every published model again before it trains from it: whatever is not what came of the sums is refused, what
// cannot be had is asked for again, and nothing is checked twice or taken for checked too early.
import { beforeAll, describe, expect, test } from 'vitest';
import type { Hex } from '../../protocol/bytes.ts';
import { encodeModel, initialModel, type Model } from '../../protocol/learning/model.ts';
import { nextModel } from '../../protocol/learning/next-model.ts';
import { decodeState, encodeState } from '../../protocol/learning/strategy-state.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { shapeOf, vectorOf } from '../../protocol/learning/vector.ts';
import { PRIMES } from '../../protocol/secagg/block.ts';
import { KEY_SUM_BYTES } from '../../protocol/secagg/key-sum.ts';
import { blobPathOf } from '../../protocol/transcript/bundle.ts';
import { payloadOf, residuesOf } from '../helpers/audit/payload-bytes.ts';
import {
  blobOf,
  bodyOf,
  changeEvents,
  copyOf,
  flipped,
  putBlob,
  type RawEvidence,
  theEvent,
} from '../helpers/audit/raw-evidence.ts';
import { contract, FEATURES, smallTaskOf, task, taskText } from '../helpers/audit/small-task.ts';
import { roundsInTurn, roundsWithoutConsent } from '../helpers/audit/synthetic-federation.ts';
import {
  changeKey,
  checkerOf,
  DEALERS,
  honestRounds,
  initialHash,
  modelOf,
  NEXT,
  nudged,
  payloadsAmong,
  payloadsOf,
  publish,
  published,
  ROUNDS,
  watch,
} from './check-base-world.ts';
import { steppedClock } from './coordinator-world.ts';
import { codeOf, memoryStore } from './secagg-fixtures.ts';

let honest: RawEvidence;
beforeAll(async () => {
  honest = await honestRounds();
}, 60_000);

const verdict = async (raw: RawEvidence, of: Task, before: number, base: Hex): Promise<string> =>
  codeOf(async () => (await checkerOf(raw, of)).check(before, base));

describe('what came of the sums', () => {
  test('is what the round starts from: the model itself is handed on', async () => {
    const checker = await checkerOf(honest, task);
    const base = await checker.base(NEXT, modelOf(honest, ROUNDS));
    expect(base.weights).toEqual(published(honest).weights);
    expect(checker.fault()).toBeUndefined();
  });

  test('of a task without a published model it is the one that it begins with, and nothing is asked for', async () => {
    const [watched, empty] = [watch(), { ...honest, history: { ...honest.history, events: [] } }];
    const checker = await checkerOf(empty, task, { watched });
    expect((await checker.base(1, initialHash)).weights).toEqual(initialModel(task, contract).weights);
    expect(await codeOf(() => checker.check(1, modelOf(honest, 1)))).toBe('MODEL_UNPROVEN');
    expect(watched.asked).toEqual([]);
  });

  const SGD = { localEpochs: 1, batchSize: 8, learningRate: 0.5 };
  test.each([
    [{ name: 'fedavg', ...SGD }, {}],
    [{ name: 'fedadam', ...SGD, serverLearningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 0.001 }, {}],
    [{ name: 'scaffold', ...SGD, serverLearningRate: 1, controlClipNorm: 2, dealers: 5 }, {}],
    [
      { name: 'ridge', featureBound: 4, entryBits: 42 },
      { loss: 'squared', l2: 0.1 },
    ],
  ])('under $name', async (strategy, model) => {
    const other = smallTaskOf(strategy, model);
    const raw = await roundsWithoutConsent(other.task, other.text, 2);
    const checker = await checkerOf(raw, other.task);
    await checker.check(3, modelOf(raw, 2));
    const { state, ...base } = await checker.base(3, modelOf(raw, 2));
    const reads = strategy.name === 'scaffold';
    expect(Object.keys(base.serverState)).toEqual(reads ? ['control'] : []);
    expect(state === undefined).toBe(['fedavg', 'ridge'].includes(strategy.name));
  });

  test('rounds of another task between them and one that failed change nothing', async () => {
    const other = smallTaskOf({ name: 'fedavg', localEpochs: 1, batchSize: 8, learningRate: 0.5 });
    const own = { task, text: taskText };
    const raw = await roundsInTurn([own, other, own, own]);
    // the third round was given up after its set was fixed: the fourth starts from what it started from
    const third = theEvent(raw, 'Published', ({ round }) => round === 3);
    const events = raw.history.events.filter(({ name }) => name !== 'RoundFailed');
    const failed = { name: 'RoundFailed', at: third.at, round: 3, reason: 'SHARES_INSUFFICIENT' } as const;
    const [first, fourth] = [modelOf(raw, 1), modelOf(raw, 4)];
    raw.history = { ...raw.history, events: [...events.filter((event) => event !== third), failed] };
    expect(await verdict(raw, task, 4, first)).toBe('nothing thrown');
    expect(await verdict(raw, other.task, 4, modelOf(raw, 2))).toBe('nothing thrown');
    // made from what the failed round had published: the chain cannot know it, the dealer does
    expect(await verdict(raw, task, 5, fourth)).toBe('MODEL_UNPROVEN');
  });
});

describe('what did not come of the sums is refused', () => {
  const OTHER = /^round 3: its sum makes the model/;
  const NOISE = /^round 3: OPENING_NOISY/;
  type Forgery = [string, RegExp, (raw: RawEvidence) => void];
  test.each<Forgery>([
    [
      'a weight off by one unit in the last place',
      OTHER,
      (raw) => {
        const model = published(raw);
        publish(raw, { ...model, weights: nudged(model.weights, 3) });
      },
    ],
    ['no step at all: the base again', OTHER, (raw) => publish(raw, published(raw, 2))],
    ['an old model again, proven in its time', OTHER, (raw) => publish(raw, published(raw, 1))],
    ['the first model again', OTHER, (raw) => publish(raw, initialModel(task, contract))],
    [
      'the state of the round before',
      OTHER,
      (raw) => {
        const { state } = published(raw, 2);
        publish(raw, { ...published(raw), ...(state && { state }) });
      },
    ],
    [
      'a state off by one unit in the last place, in a file of its own',
      OTHER,
      (raw) => {
        const model = published(raw);
        const velocity = decodeState(model.state && blobOf(raw, model.state), model.weights.length).velocity?.slice();
        if (velocity === undefined) throw new Error('no momentum');
        const bits = new BigUint64Array(velocity.buffer);
        bits[0] = (bits[0] ?? 0n) + 1n;
        const state = putBlob(raw, new Uint8Array(encodeState({ velocity }) ?? []));
        publish(raw, { ...model, state });
      },
    ],
    ...(
      [
        ['accuracyBps', 1],
        ['accuracyBps', -1],
        ['aucBps', 1],
      ] as const
    ).map(
      ([metric, more]): Forgery => [
        `${metric} attested ${more} beside what was counted`,
        new RegExp(`^round 3: its sum counts ${metric} \\d+, attested is \\d+$`),
        (raw) =>
          changeEvents(raw, 'Published', (event) => (event.round === 3 ? { [metric]: event[metric] + more } : {})),
      ],
    ),
    ['without its state', OTHER, (raw) => publish(raw, (({ state: _, ...model }) => model)(published(raw)))],
    ['the step of another strategy', OTHER, (raw) => publish(raw, withoutMomentum(raw))],
    [
      'the payload of a dealer left out of the sum',
      NOISE,
      (raw) =>
        changeEvents(raw, 'SetFinalised', ({ round, dealers }) =>
          round === ROUNDS ? { dealers: dealers.slice(1) } : {},
        ),
    ],
    [
      'a payload twice in the sum',
      /twice/,
      (raw) => {
        const [first] = payloadsOf(raw).slice(-DEALERS);
        changeEvents(raw, 'Committed', ({ round }) => (round === ROUNDS && first ? { payloadHash: first } : {}));
      },
    ],
    [
      'another weight for a dealer',
      OTHER,
      (raw) => changeEvents(raw, 'Committed', ({ round }) => (round === ROUNDS ? { weight: 6 } : {})),
    ],
    ['a payload changed under its own new hash', NOISE, (raw) => replacePayload(raw, withOneResidueMore)],
    [
      'a payload that is none, under its hash',
      /PAYLOAD_MALFORMED/,
      (raw) => replacePayload(raw, (bytes) => bytes.slice(0, bytes.length - 4)),
    ],
    ['the key of the round before', NOISE, (raw) => changeKey(raw, () => blobOf(raw, bodyOf(raw, 'opened', 2).keySum))],
    ['one coefficient of the key off by one', NOISE, (raw) => changeKey(raw, (bytes) => flipped(bytes, 4 * 77))],
    [
      'another seed on chain',
      /^round 1: OPENING_NOISY/,
      (raw) => changeEvents(raw, 'RoundOpened', () => ({ seed: `0x${'5e'.repeat(32)}` })),
    ],
  ])('%s', async (_, reason, forge) => {
    const raw = copyOf(honest);
    forge(raw);
    const checker = await checkerOf(raw, task);
    expect(await codeOf(() => checker.base(NEXT, modelOf(raw, ROUNDS)))).toBe('MODEL_UNPROVEN');
    expect(checker.fault()).toMatch(reason);
  });

  test('wherever on the line it is: nothing after it is looked at, and the dealer says why', async () => {
    const raw = copyOf(honest);
    const [first, watched, store] = [published(raw, 1), watch(), memoryStore()];
    const forged = putBlob(raw, new Uint8Array(encodeModel({ ...first, weights: nudged(first.weights, 0) })));
    changeEvents(raw, 'Published', ({ round }) => (round === 1 ? { modelHash: forged } : {}));
    changeEvents(raw, 'RoundOpened', ({ round }) => (round === 2 ? { baseModelHash: forged } : {}));
    const checker = await checkerOf(raw, task, { watched, store });
    await expect(checker.base(NEXT, modelOf(raw, ROUNDS))).rejects.toMatchObject({
      code: 'MODEL_UNPROVEN',
      fields: { round: 1 },
    });
    expect(checker.fault()).toMatch(/round 1: its sum makes the model 0x/);
    expect(payloadsAmong(watched, honest)).toBe(DEALERS);
    expect([...store.rows.keys()].filter((key) => key.startsWith('proven-model/'))).toEqual([]);
    // and so in every round from then on
    expect(await codeOf(() => checker.base(NEXT + 5, modelOf(raw, ROUNDS)))).toBe('MODEL_UNPROVEN');
  });

  test('a base that is not what was published last', async () => {
    expect(await verdict(honest, task, NEXT, modelOf(honest, 2))).toBe('MODEL_UNPROVEN');
    const raw = copyOf(honest);
    changeEvents(raw, 'RoundOpened', ({ round }) => (round === 2 ? { baseModelHash: initialHash } : {}));
    expect(await verdict(raw, task, NEXT, modelOf(raw, ROUNDS))).toBe('MODEL_UNPROVEN');
  });
});

describe('what cannot be had now is no verdict', () => {
  test.each<[string, string, (raw: RawEvidence) => void]>([
    ['a payload withheld', 'NOT_FOUND', (raw) => void raw.files.delete(blobPathOf(payloadsOf(raw).at(-1) ?? '0x'))],
    [
      'a flipped byte of a payload',
      'MODEL_MISMATCH',
      (raw) => {
        const path = blobPathOf(payloadsOf(raw).at(-1) ?? '0x');
        raw.files.set(path, flipped(raw.files.get(path) ?? new Uint8Array()));
      },
    ],
    ['the key withheld', 'NOT_FOUND', (raw) => void raw.files.delete(blobPathOf(bodyOf(raw, 'opened', 3).keySum))],
    ['a key of another length', 'MESSAGE_MALFORMED', (raw) => changeKey(raw, (bytes) => bytes.slice(4))],
    [
      'a key beyond all keys',
      'MESSAGE_MALFORMED',
      (raw) =>
        changeKey(raw, (bytes) => {
          new DataView(bytes.buffer).setInt32(0, 32_761, true);
          return bytes;
        }),
    ],
  ])('%s', async (_, code, spoil) => {
    const raw = copyOf(honest);
    spoil(raw);
    const store = memoryStore();
    const checker = await checkerOf(raw, task, { store });
    expect(await codeOf(() => checker.check(NEXT, modelOf(raw, ROUNDS)))).toBe(code);
    expect(checker.fault()).toBeUndefined();
    // and what was there is not checked again
    const watched = watch();
    await (await checkerOf(honest, task, { store, watched })).check(NEXT, modelOf(honest, ROUNDS));
    expect(payloadsAmong(watched, honest)).toBe(DEALERS);
  });
});

describe('the journal', () => {
  test('a late joiner checks the whole line once, one payload after the other, and tells how far it is', async () => {
    const [watched, store, told] = [watch(), memoryStore(), [] as unknown[]];
    const clock = steppedClock();
    const slow = {
      ...store,
      write: async (writes: Parameters<typeof store.write>[0]) => {
        await clock.sleep(1_999);
        await store.write(writes);
      },
    };
    const log = { info: (fields: object) => told.push(fields), warn: () => undefined };
    const checker = await checkerOf(honest, task, { watched, store: slow, clock, log: log as never });
    await checker.check(NEXT, modelOf(honest, ROUNDS));
    expect(payloadsAmong(watched, honest)).toBe(ROUNDS * DEALERS);
    expect(told).toMatchObject([{ done: 2, of: 3 }, { rounds: 3 }]);
    await checker.check(NEXT, modelOf(honest, ROUNDS));
    expect(payloadsAmong(watched, honest)).toBe(ROUNDS * DEALERS);
  });

  test('started again, only what was published since is checked', async () => {
    const store = memoryStore();
    await (await checkerOf(honest, task, { store })).check(ROUNDS, modelOf(honest, 2));
    const watched = watch();
    await (await checkerOf(honest, task, { store, watched })).check(NEXT, modelOf(honest, ROUNDS));
    expect(payloadsAmong(watched, honest)).toBe(DEALERS);
    expect(store.rows.size).toBe(1);
  });

  test('P7: killed between check and journal, it checks again; nothing is taken for checked before it is', async () => {
    const store = memoryStore();
    const dying = { ...store, write: async () => Promise.reject(new Error('killed')) };
    const checker = await checkerOf(honest, task, { store: dying });
    await expect(checker.base(NEXT, modelOf(honest, ROUNDS))).rejects.toThrow('killed');
    expect(store.rows.size).toBe(0);
    const watched = watch();
    await (await checkerOf(honest, task, { store, watched })).check(NEXT, modelOf(honest, ROUNDS));
    expect(payloadsAmong(watched, honest)).toBe(ROUNDS * DEALERS);
  });

  test('a row is about one round: the same model published again, or another line of the chain, is not proven by it', async () => {
    const store = memoryStore();
    await (await checkerOf(honest, task, { store })).check(3, modelOf(honest, 2));
    const again = publish(copyOf(honest), published(honest, 2));
    const checker = await checkerOf(again, task, { store });
    expect(await codeOf(() => checker.check(NEXT, modelOf(again, ROUNDS)))).toBe('MODEL_UNPROVEN');
    // a damaged row proves nothing either
    for (const key of store.rows.keys()) store.rows.set(key, new Uint8Array(3));
    const watched = watch();
    await (await checkerOf(honest, task, { store, watched })).check(NEXT, modelOf(honest, ROUNDS));
    expect(payloadsAmong(watched, honest)).toBe(ROUNDS * DEALERS);
  });

  test('a row of another federation, or of a chain that began anew, proves nothing here', async () => {
    const store = memoryStore();
    await (await checkerOf(honest, task, { store })).check(NEXT, modelOf(honest, ROUNDS));
    const elsewhere = copyOf(honest);
    changeEvents(elsewhere, 'RoundOpened', () => ({ seed: `0x${'5e'.repeat(32)}` }));
    const checker = await checkerOf(elsewhere, task, { store });
    expect(await codeOf(() => checker.check(NEXT, modelOf(elsewhere, ROUNDS)))).toBe('MODEL_UNPROVEN');
  });

  test('asked twice at once, it checks once', async () => {
    const watched = watch();
    const checker = await checkerOf(honest, task, { watched });
    const last = modelOf(honest, ROUNDS);
    await Promise.all([checker.check(NEXT, last), checker.base(NEXT, last)]);
    expect(payloadsAmong(watched, honest)).toBe(ROUNDS * DEALERS);
  });
});

test('nothing is downloaded without a bound', async () => {
  const watched = watch();
  const checker = await checkerOf(honest, task, { watched });
  await checker.base(NEXT, modelOf(honest, ROUNDS));
  expect(Math.max(...watched.allowedBytes)).toBeLessThan(300_000);
  expect(Math.min(...watched.allowedBytes)).toBe(KEY_SUM_BYTES);
});

/** The last round's own sum, by FedAvg: the step is right but for the momentum. */
function withoutMomentum(raw: RawEvidence): Model {
  const other: Task = smallTaskOf({ name: 'fedavg', localEpochs: 1, batchSize: 8, learningRate: 0.5 }).task;
  const base = published(raw, 2);
  const words = new Uint8Array(blobOf(raw, bodyOf(raw, 'opened', ROUNDS).values));
  const terms = {
    task: other,
    layout: base.layout,
    shape: shapeOf(other, FEATURES),
    vector: vectorOf(other, FEATURES),
  };
  const made = nextModel(terms, { model: base, state: {} }, new Uint32Array(words.buffer), Array(DEALERS).fill(5));
  const { state } = published(raw);
  return { ...made.model, ...(state && { state }) };
}

function replacePayload(raw: RawEvidence, change: (bytes: Uint8Array) => Uint8Array): void {
  const [old] = payloadsOf(raw).slice(-1);
  if (old === undefined) throw new Error('no payload');
  const hash = putBlob(raw, change(blobOf(raw, old)));
  changeEvents(raw, 'Committed', ({ payloadHash }) => (payloadHash === old ? { payloadHash: hash } : {}));
}

function withOneResidueMore(bytes: Uint8Array): Uint8Array {
  const residues = residuesOf(bytes);
  residues[5] = ((residues[5] ?? 0) + 1) % PRIMES[0];
  return payloadOf(residues);
}
