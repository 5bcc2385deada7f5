// Ghost norms and the clipped sum against per-customer gradients written out in float64.
import { expect, test } from 'vitest';
import { createTrainer } from '../../engines/tensor/train.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import type { DenseModel } from '../../protocol/learning/task.ts';

type Layer = DenseModel['layers'][number];
const FEATURES = 9;
const POSITIVE_WEIGHT = 3;

const LOSS_OF = new Map<string, DenseModel['loss']>([
  ['softmax', 'softmax-cross-entropy'],
  ['linear', 'squared'],
]);

const modelOf = (layers: readonly Layer[]): DenseModel => ({
  kind: 'dense',
  layers: [...layers],
  loss: LOSS_OF.get(layers.at(-1)?.activation ?? '') ?? 'sigmoid-cross-entropy',
  positiveWeight: isBinary(layers) ? POSITIVE_WEIGHT : 1,
  l2: 0.5, // is not part of a customer's gradient
});

const CLASSES = 4;
const isBinary = (layers: readonly Layer[]): boolean => layers.at(-1)?.activation === 'sigmoid';
const LOGISTIC: Layer[] = [{ units: 1, activation: 'sigmoid' }];
const DEEP: Layer[] = [
  { units: 7, activation: 'relu' },
  { units: 5, activation: 'tanh' },
  { units: 1, activation: 'sigmoid' },
];

const SOFTMAX: Layer[] = [
  { units: 6, activation: 'tanh' },
  { units: CLASSES, activation: 'softmax' },
];
const REGRESSION: Layer[] = [
  { units: 6, activation: 'relu' },
  { units: 1, activation: 'linear' },
];

function sizeOf(layers: readonly Layer[]): number {
  let [inputs, size] = [FEATURES as number, 0];
  for (const { units } of layers) [inputs, size] = [units, size + (inputs + 1) * units];
  return size;
}

function example(layers: readonly Layer[], rows: number, seed = 'ghost') {
  const prng = createPrng(new TextEncoder().encode(seed), 'test');
  const draw = (length: number, scale: number) => Float32Array.from({ length }, () => (prng.unit() * 2 - 1) * scale);
  const weights = draw(sizeOf(layers), 0.7);
  const features = draw(rows * FEATURES, 2).map((x) => (x < -1 ? 0 : x));
  const isNumber = layers.at(-1)?.activation === 'linear';
  const classes = layers.at(-1)?.activation === 'softmax' ? CLASSES : 2;
  const drawn = Array.from({ length: rows }, () => (isNumber ? Math.fround(prng.unit()) : prng.below(classes)));
  return { weights, features, labels: isNumber ? Float32Array.from(drawn) : Uint8Array.from(drawn) };
}

const ACTIVATIONS = {
  relu: [(x: number) => Math.max(0, x), (y: number) => (y > 0 ? 1 : 0)],
  tanh: [Math.tanh, (y: number) => 1 - y * y],
  sigmoid: [(x: number) => 1 / (1 + Math.exp(-x)), () => 1],
  linear: [(x: number) => x, () => 1],
  softmax: [Math.exp, () => 1], // over their sum
} as const;

/** One row's gradient, by the chain rule, in float64. */
function gradientOf(layers: readonly Layer[], weights: Float32Array, row: number[], label: number): Float64Array {
  const outputs = [row];
  const starts: number[] = [];
  let at = 0;
  for (const { units, activation } of layers) {
    const input = outputs.at(-1) ?? [];
    starts.push(at);
    const [f] = ACTIVATIONS[activation];
    const made = Array.from({ length: units }, (_, u) => {
      const bias = weights[at + input.length * units + u] ?? 0;
      return f(input.reduce((sum, x, i) => sum + x * (weights[at + i * units + u] ?? 0), bias));
    });
    const sum = activation === 'softmax' ? made.reduce((a, b) => a + b, 0) : 1;
    outputs.push(made.map((x) => x / sum));
    at += (input.length + 1) * units;
  }
  const gradient = new Float64Array(weights.length);
  const scores = outputs.at(-1) ?? [];
  const targets = scores.length === 1 ? [label] : scores.map((_, k) => (k === label ? 1 : 0));
  const weight = label === 1 && isBinary(layers) ? POSITIVE_WEIGHT : 1;
  let delta = scores.map((score, k) => (score - (targets[k] ?? 0)) * weight);
  for (let l = layers.length - 1; l >= 0; l--) {
    const [input, start, units] = [outputs[l] ?? [], starts[l] ?? 0, layers[l]?.units ?? 0];
    input.forEach((x, i) => {
      delta.forEach((d, u) => {
        gradient[start + i * units + u] = x * d;
      });
    });
    delta.forEach((d, u) => {
      gradient[start + input.length * units + u] = d;
    });
    const below = layers[l - 1];
    if (below === undefined) break;
    const [, slope] = ACTIVATIONS[below.activation];
    const above = delta;
    delta = input.map(
      (y, i) => slope(y) * above.reduce((sum, d, u) => sum + d * (weights[start + i * units + u] ?? 0), 0),
    );
  }
  return gradient;
}

const normOf = (vector: Float64Array): number => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));

const UNITS = 2 ** 30;

test.each([
  ['logistic regression', LOGISTIC],
  ['three layers', DEEP],
  ['classes', SOFTMAX],
  ['a number', REGRESSION],
])('%s: the clipped sum is that of per-customer gradients, to 1e-6', async (_, layers) => {
  const rows = 40;
  const { weights, features, labels } = example(layers, rows);
  const gradients = Array.from(labels, (label, r) =>
    gradientOf(layers, weights, [...features.subarray(r * FEATURES, (r + 1) * FEATURES)], label),
  );
  const norms = gradients.map(normOf).toSorted((a, b) => a - b);
  const clipNorm = norms[rows / 2] ?? 1; // half of them are clipped
  const trainer = await createTrainer({ model: modelOf(layers) }, FEATURES);
  const { sum } = trainer.clippedSum({ weights, features, labels, clipNorm, unitsPerGradient: UNITS });
  const expected = new Float64Array(weights.length);
  for (const gradient of gradients) {
    const factor = Math.min(1, clipNorm / normOf(gradient));
    gradient.forEach((g, i) => {
      expected[i] = (expected[i] ?? 0) + factor * g;
    });
  }
  const off = expected.map((g, i) => g - (sum[i] ?? 0) / UNITS);
  expect(normOf(off) / normOf(expected)).toBeLessThan(1e-6);
});

test.each([
  ['logistic regression', LOGISTIC],
  ['three layers', DEEP],
  ['classes', SOFTMAX],
  ['a number', REGRESSION],
])('%s: each customer alone is cut to the clip norm, or left as it is', async (_, layers) => {
  const { weights, features, labels } = example(layers, 30);
  const trainer = await createTrainer({ model: modelOf(layers) }, FEATURES);
  for (let r = 0; r < labels.length; r++) {
    const row = features.subarray(r * FEATURES, (r + 1) * FEATURES);
    const gradient = gradientOf(layers, weights, [...row], labels[r] ?? 0);
    const own = { weights, features: row, labels: labels.subarray(r, r + 1), unitsPerGradient: UNITS };
    const norm = (clipNorm: number) => normOf(trainer.clippedSum({ ...own, clipNorm }).sum) / UNITS;
    expect(Math.abs(norm(1e6) / normOf(gradient) - 1)).toBeLessThan(1e-6);
    const clipNorm = normOf(gradient) / 3;
    // rounding to the grid may add half a unit a coordinate, and no more: the sensitivity counts on it
    expect(norm(clipNorm)).toBeLessThanOrEqual(clipNorm * (1 + 1e-9) + Math.sqrt(gradient.length) / (2 * UNITS));
    expect(norm(clipNorm)).toBeGreaterThan(clipNorm * (1 - 1e-6));
  }
});

test.each([
  ['three layers', DEEP],
  ['classes', SOFTMAX],
  ['a number', REGRESSION],
])(
  '%s: what a customer adds depends on nobody else: same whole numbers in any company, at any place',
  async (_, layers) => {
    const { weights, features, labels } = example(layers, 67);
    const trainer = await createTrainer({ model: modelOf(layers) }, FEATURES);
    const sumOf = (rows: readonly number[]) =>
      trainer.clippedSum({
        weights,
        features: Float32Array.from(rows.flatMap((r) => [...features.subarray(r * FEATURES, (r + 1) * FEATURES)])),
        labels: Float32Array.from(rows, (r) => labels[r] ?? 0),
        clipNorm: 0.5,
        unitsPerGradient: UNITS,
      }).sum;
    const all = Array.from(labels, (_, r) => r);
    const everyone = sumOf(all);
    expect(everyone.every(Number.isInteger)).toBe(true);
    for (const left of [0, 1, 33, 65, 66]) {
      const without = sumOf(all.filter((r) => r !== left));
      const alone = sumOf([left]);
      expect(everyone).toEqual(without.map((x, i) => x + (alone[i] ?? 0)));
    }
    expect(sumOf(all.toReversed())).toEqual(everyone);
  },
);

test('nobody at all, and a customer whose gradient is not a number, add nothing', async () => {
  const { weights, features, labels } = example(LOGISTIC, 2);
  const trainer = await createTrainer({ model: modelOf(LOGISTIC) }, FEATURES);
  const terms = { weights, clipNorm: 1, unitsPerGradient: UNITS };
  const empty = trainer.clippedSum({ ...terms, features: new Float32Array(), labels: new Uint8Array() });
  expect(empty.sum.every((x) => x === 0)).toBe(true);
  const broken = features.slice();
  broken[FEATURES] = Number.POSITIVE_INFINITY;
  const one = trainer.clippedSum({ ...terms, features: features.subarray(0, FEATURES), labels: labels.subarray(0, 1) });
  expect(trainer.clippedSum({ ...terms, features: broken, labels }).sum).toEqual(one.sum);
});
