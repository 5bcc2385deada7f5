// dp-ridge's sensitivity: whatever a customer's record holds, it moves a dealer's levels by no more than the noise is made for.
import { describe, expect, test } from 'vitest';
import { createTrainer } from '../../engines/tensor/train.ts';
import { strategyOf } from '../../protocol/learning/strategies/registry.ts';
import { NO_STATE } from '../../protocol/learning/strategies/strategy.ts';
import type { TaskDocument } from '../../protocol/learning/task.ts';
import { shapeOf } from '../../protocol/learning/vector.ts';
import { ridgeTask, seededFill } from './privacy-world.ts';

const FEATURES = 40;
const CLIP = 5;

const taskOf = (momentWeight: number): TaskDocument => ({
  ...ridgeTask({ clipNorm: CLIP, noiseMultiplier: 0.5 }),
  strategy: { name: 'dp-ridge', sumRange: 16, momentWeight, penalty: 2 },
});

interface Customer {
  readonly features: readonly number[];
  readonly label: number;
}

/** Levels before the noise; the dither is the same for every dealing of customers. */
async function levelsOf(task: TaskDocument, customers: readonly Customer[]): Promise<number[]> {
  const { parts } = await strategyOf(task).contribute({
    shape: shapeOf(task, FEATURES),
    base: new Float32Array(FEATURES + 1),
    serverState: NO_STATE,
    dealerState: NO_STATE,
    features: Float32Array.from(customers.flatMap(({ features }) => features)),
    labels: Uint8Array.from(customers, ({ label }) => label),
    weightFraction: 1,
    seed: new Uint8Array(32),
    fillRandom: seededFill('dither'),
    trainer: await createTrainer(task, FEATURES),
  });
  return parts.flatMap((part) => [...part]);
}

const row = (of: (i: number) => number): number[] => Array.from({ length: FEATURES }, (_, i) => of(i));
const OTHERS: Customer[] = [0, 1, 2].map((n) => ({ features: row((i) => Math.sin(i + n)), label: n % 2 }));

async function moved(momentWeight: number, customer: Customer): Promise<number> {
  const task = taskOf(momentWeight);
  const [without, withIt] = [await levelsOf(task, OTHERS), await levelsOf(task, [...OTHERS, customer])];
  const { sensitivity = Number.NaN } = strategyOf(task).release?.(shapeOf(task, FEATURES)) ?? {};
  return Math.hypot(...withIt.map((level, i) => level - (without[i] ?? 0))) / sensitivity;
}

/** With the constant: of norm CLIP. */
const EVEN = row((i) => (i % 2 === 0 ? 1 : -1) * Math.sqrt((CLIP ** 2 - 1) / FEATURES));

describe.each([0.1, 1, 3, 10])('momentWeight %s', (momentWeight) => {
  test.each<[string, number[]]>([
    ['many small features', EVEN],
    ['the same, a thousandfold', EVEN.map((x) => 1_000 * x)],
    ['one feature that has it all', row((i) => (i === 7 ? 1e6 : 0))],
    ['two', row((i) => (i < 2 ? 1e6 : 0))],
    ['nothing but the constant', row(() => 0)],
    ['just under the bound', EVEN.map((x) => 0.98 * x)],
  ])('%s: within the sensitivity', async (_, features) => {
    for (const label of [0, 1]) expect(await moved(momentWeight, { features, label })).toBeLessThanOrEqual(1);
  });
  test('the sensitivity is no more than an ordinary customer needs', async () => {
    expect(await moved(momentWeight, { features: EVEN, label: 1 })).toBeGreaterThan(0.85);
  });
});

test('what is not finite adds nothing, nor what overflows', async () => {
  for (const x of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    expect(await moved(1, { features: row((i) => (i === 3 ? x : 1)), label: 1 })).toBe(0);
  }
  expect(await moved(1, { features: row(() => 3e38), label: 1 })).toBeLessThanOrEqual(1);
});
