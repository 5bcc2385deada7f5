// What a dealer takes of the deployment before this one: what it proved there, what it found false there, and the rest on trust.
import { beforeAll, describe, expect, test } from 'vitest';
import { changeEvents, copyOf, flipped, type RawEvidence } from '../helpers/audit/raw-evidence.ts';
import { task } from '../helpers/audit/small-task.ts';
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
  publish,
  published,
  ROUNDS,
  watch,
} from './check-base-world.ts';
import { codeOf, memoryStore } from './secagg-fixtures.ts';

let honest: RawEvidence;
beforeAll(async () => {
  honest = await honestRounds();
}, 60_000);

describe('a new deployment', () => {
  const TWO_BEFORE = { roundsBefore: 2 };

  test('goes on from what the one before published last; its own rounds are checked from there', async () => {
    const watched = watch();
    const warned: unknown[] = [];
    const log = { info: () => undefined, warn: (fields: object) => warned.push(fields) };
    const checker = await checkerOf(honest, task, { ...TWO_BEFORE, watched, log: log as never });
    await checker.check(3, modelOf(honest, 2));
    expect([payloadsAmong(watched, honest), warned]).toEqual([0, [{ round: 2, model: modelOf(honest, 2) }]]);
    await checker.check(NEXT, modelOf(honest, ROUNDS));
    expect(payloadsAmong(watched, honest)).toBe(DEALERS);
    expect(await codeOf(() => checker.check(3, modelOf(honest, 1)))).toBe('MODEL_UNPROVEN');
    expect(await codeOf(() => checker.check(3, initialHash))).toBe('MODEL_UNPROVEN');
    const forged = copyOf(honest);
    publish(forged, { ...published(forged), weights: nudged(published(forged).weights, 1) });
    const other = await checkerOf(forged, task, TWO_BEFORE);
    expect(await codeOf(() => other.check(NEXT, modelOf(forged, ROUNDS)))).toBe('MODEL_UNPROVEN');
  });

  test('takes nothing on trust that was checked before the move', async () => {
    const store = memoryStore();
    await (await checkerOf(honest, task, { store })).check(3, modelOf(honest, 2));
    const warned: unknown[] = [];
    const log = { info: () => undefined, warn: (fields: object) => warned.push(fields) };
    const moved = await checkerOf(honest, task, { ...TWO_BEFORE, store, log: log as never });
    await moved.check(NEXT, modelOf(honest, ROUNDS));
    expect(warned).toEqual([]);
  });
});

describe('what was found false before a move', () => {
  const MOVED = { roundsBefore: ROUNDS };
  function forge(): RawEvidence {
    const raw = copyOf(honest);
    return publish(raw, { ...published(raw), weights: nudged(published(raw).weights, 1) });
  }

  test('is not taken on trust after it', async () => {
    const [store, forged] = [memoryStore(), forge()];
    const before = await checkerOf(forged, task, { store });
    expect(await codeOf(() => before.check(NEXT, modelOf(forged, ROUNDS)))).toBe('MODEL_UNPROVEN');
    const moved = await checkerOf(forged, task, { ...MOVED, store });
    expect(await codeOf(() => moved.check(NEXT, modelOf(forged, ROUNDS)))).toBe('MODEL_UNPROVEN');
    expect(moved.fault()).toMatch(/^round 3 of the deployment before published 0x/);
    // who was not there cannot know it; and another chain's round of that number is another round
    const stranger = await checkerOf(forged, task, MOVED);
    expect(await codeOf(() => stranger.check(NEXT, modelOf(forged, ROUNDS)))).toBe('nothing thrown');
    const elsewhere = copyOf(forged);
    changeEvents(elsewhere, 'RoundOpened', () => ({ seed: `0x${'5e'.repeat(32)}` }));
    const other = await checkerOf(elsewhere, task, { ...MOVED, store });
    expect(await codeOf(() => other.check(NEXT, modelOf(elsewhere, ROUNDS)))).toBe('nothing thrown');
  });

  test('is forgotten when it is proven after all: a false key was served, and then the true one', async () => {
    const [store, falseKey] = [memoryStore(), copyOf(honest)];
    changeKey(falseKey, (bytes) => flipped(bytes, 4 * 77));
    const before = await checkerOf(falseKey, task, { store });
    expect(await codeOf(() => before.check(NEXT, modelOf(honest, ROUNDS)))).toBe('MODEL_UNPROVEN');
    await (await checkerOf(honest, task, { store })).check(NEXT, modelOf(honest, ROUNDS));
    expect(store.rows.size).toBe(1);
    const moved = await checkerOf(honest, task, { ...MOVED, store });
    expect(await codeOf(() => moved.check(NEXT, modelOf(honest, ROUNDS)))).toBe('nothing thrown');
  });
});
