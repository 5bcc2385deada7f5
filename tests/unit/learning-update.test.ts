// Clip, quantise and decode at the edges of their ranges; the model file; the server's step.
import { describe, expect, test } from 'vitest';
import { COIL2000, loadTask } from '../../examples/coil2000/load.ts';
import { encodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { histogramOf } from '../../protocol/learning/metrics.ts';
import {
  decodeModel,
  encodeModel,
  initialModel,
  layoutOf,
  modelHash,
  parameterCount,
} from '../../protocol/learning/model.ts';
import { serverStep } from '../../protocol/learning/server-optimiser.ts';
import { parseTask } from '../../protocol/learning/task.ts';
import {
  clip,
  decodeAggregate,
  digitsPerCount,
  l2Norm,
  localUpdate,
  quantise,
  totalWeightFraction,
  vectorLength,
  weightFraction,
} from '../../protocol/learning/update.ts';
import { LIMITS } from '../../protocol/params.ts';

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof ConcordatError) return error.code;
    throw error;
  }
  return 'nothing was refused';
};
const empty = histogramOf([], [], 2);
const fromDelta = (...delta: number[]) => localUpdate(new Float32Array(delta.length), Float32Array.from(delta));

describe('clipping', () => {
  test('leaves a shorter update alone, bit for bit, and one exactly at the norm', () => {
    const update = fromDelta(0.5, -0.25);
    expect(clip(update, 1).delta).toEqual(update.delta);
    expect([...clip(fromDelta(3, 4), 5).delta]).toEqual([3, 4]);
  });

  test('shortens a longer one to the norm and keeps its direction', () => {
    const { delta } = clip(fromDelta(30, 40), 1.5);
    expect(l2Norm(delta)).toBeCloseTo(1.5, 12);
    expect((delta[1] ?? 0) / (delta[0] ?? 1)).toBeCloseTo(4 / 3, 12);
  });

  test('refuses what is not finite', () => {
    expect(code(() => fromDelta(Number.NaN))).toBe('TRAINING_DIVERGED');
    expect(code(() => fromDelta(Number.POSITIVE_INFINITY))).toBe('TRAINING_DIVERGED');
  });
});

describe('quantising', () => {
  test('the ends of the range, zero, and half-way values going up', () => {
    const step = 1 / 32_767;
    const values = (x: number) => quantise(clip(fromDelta(x), 1), 1, empty, 16).values[0];
    expect([values(-1), values(0), values(1)]).toEqual([1, 32_768, 65_535]);
    expect(values(step * 0.499)).toBe(32_768);
    expect(values(step * 0.501)).toBe(32_769);
    expect(values(-step * 0.501)).toBe(32_767);
    // 0.5 exactly, in floating point: clipNorm 32767 makes the step 1
    const exact = (x: number) => quantise(clip(fromDelta(x), 32_767), 1, empty, 16).values[0];
    expect([exact(0.5), exact(-0.5), exact(-1.5)]).toEqual([32_769, 32_768, 32_767]);
  });

  test('evaluation counts follow as they are, up to 65,535', () => {
    const counts = { negatives: Uint32Array.of(0, 65_535), positives: Uint32Array.of(7, 0) };
    expect([...quantise(clip(fromDelta(0), 1), 1, counts, 16).values]).toEqual([32_768, 0, 65_535, 7, 0]);
    const over = { negatives: Uint32Array.of(65_536), positives: Uint32Array.of(0) };
    expect(code(() => quantise(clip(fromDelta(0), 1), 1, over, 16))).toBe('VALUE_OUT_OF_RANGE');
  });

  test.each([0, -0.1, 1.01, Number.NaN])('refuses a weight fraction of %s', (weight) => {
    expect(code(() => quantise(clip(fromDelta(0), 1), weight, empty, 16))).toBe('VALUE_OUT_OF_RANGE');
  });

  test.each([4, 7, 12, 15])('values of %i bits use their whole range but for 0', (valueBits) => {
    const offset = 2 ** (valueBits - 1);
    // clipNorm such that a step is 1
    const values = (x: number) => quantise(clip(fromDelta(x), offset - 1), 1, empty, valueBits).values[0];
    expect([values(1 - offset), values(0), values(offset - 1)]).toEqual([1, offset, 2 * offset - 1]);
    expect([values(0.5), values(-0.5), values(-1.5)]).toEqual([offset + 1, offset, offset - 1]);
  });

  test.each([
    [4, [15, 15, 15, 15]],
    [5, [31, 31, 31, 1]],
    [7, [127, 127, 3]],
    [8, [255, 255]],
    [15, [32_767, 1]],
    [16, [65_535]],
  ])('a count is cut into digits of %i bits, least significant first', (valueBits, digits) => {
    const counts = { negatives: Uint32Array.of(65_535), positives: Uint32Array.of(2 ** valueBits - 1) };
    const { values } = quantise(clip(fromDelta(), 1), 1, counts, valueBits);
    const rest = digits.map((_, d) => (d === 0 ? 2 ** valueBits - 1 : 0));
    expect([...values]).toEqual([...digits, ...rest]);
    expect(digitsPerCount(valueBits)).toBe(digits.length);
    expect(vectorLength(0, 1, valueBits)).toBe(values.length);
  });

  test('the bound caps a dealer\u2019s weight', () => {
    expect([1, 99, 100, 101].map((n) => weightFraction(n, 100))).toEqual([0.01, 0.99, 1, 1]);
    expect(totalWeightFraction([1, 99, 500], 100)).toBe(2);
  });
});

describe('the opened sum', () => {
  const shape = { parameters: 1, bins: 1, clipNorm: 1, valueBits: 16, dealers: 2, totalWeightFraction: 2 };

  test('is refused when it cannot be a sum of so many dealers', () => {
    expect(code(() => decodeAggregate([0, 0], shape))).toBe('VALUE_OUT_OF_RANGE');
    expect(code(() => decodeAggregate([131_071, 0, 0], shape))).toBe('VALUE_OUT_OF_RANGE');
    expect(code(() => decodeAggregate([-1, 0, 0], shape))).toBe('VALUE_OUT_OF_RANGE');
    expect(code(() => decodeAggregate([0.5, 0, 0], shape))).toBe('VALUE_OUT_OF_RANGE');
    expect(code(() => decodeAggregate([0, 0, 0], { ...shape, dealers: 0 }))).toBe('VALUE_OUT_OF_RANGE');
    expect(code(() => decodeAggregate([0, 0, 0], { ...shape, totalWeightFraction: 0 }))).toBe('VALUE_OUT_OF_RANGE');
  });

  test('of extreme dealers reads as the mean', () => {
    expect([...decodeAggregate([131_070, 3, 4], shape).delta]).toEqual([1]);
    expect([...decodeAggregate([2, 3, 4], shape).delta]).toEqual([-1]);
    expect([...decodeAggregate([65_536, 3, 4], shape).histogram.positives]).toEqual([4]);
  });

  test('of narrow values: sums of digits carry into the next, up to what so many dealers can hold', () => {
    const narrow = { ...shape, parameters: 0, valueBits: 8, dealers: 3 };
    const most = [765, 765, 0, 0];
    expect(decodeAggregate(most, narrow).histogram).toEqual({
      negatives: Uint32Array.of(3 * 65_535),
      positives: Uint32Array.of(0),
    });
    expect([...decodeAggregate([0, 1, 256, 0], narrow).histogram.negatives]).toEqual([256]);
    expect([...decodeAggregate([0, 1, 256, 0], narrow).histogram.positives]).toEqual([256]);
    expect(code(() => decodeAggregate([766, 0, 0, 0], narrow))).toBe('VALUE_OUT_OF_RANGE');
    expect(code(() => decodeAggregate([0, 0, 0], narrow))).toBe('VALUE_OUT_OF_RANGE');
    const ends = { ...narrow, parameters: 1, bins: 1 };
    expect([...decodeAggregate([3 * 255, 0, 0, 0, 0], ends).delta]).toEqual([1.5]);
    expect([...decodeAggregate([3 * 128, 0, 0, 0, 0], ends).delta]).toEqual([0]);
  });
});

describe('the model', () => {
  const MLP = '[{ units: 4, activation: relu }, { units: 1, activation: sigmoid }]';
  async function tasks() {
    const { task, contract, taskSource } = await loadTask(`${COIL2000}/task.yaml`);
    return { task, contract, deep: parseTask(taskSource.replace('[{ units: 1, activation: sigmoid }]', MLP)) };
  }

  test('logistic regression starts at zero: 344 parameters', async () => {
    const { task, contract } = await tasks();
    const model = initialModel(task, contract);
    expect(model.weights).toEqual(new Float32Array(344));
    expect(vectorLength(model.weights.length, 256, 16)).toBe(856);
    expect(vectorLength(model.weights.length, 256, 12)).toBe(1_368);
  });

  test('hidden layers start from the task\u2019s hash: within Glorot\u2019s limits, biases zero, the same every time', async () => {
    const { deep, contract } = await tasks();
    const { weights, layout } = initialModel(deep, contract);
    expect(parameterCount(layout)).toBe(343 * 4 + 4 + 4 + 1);
    const kernel = weights.subarray(0, 343 * 4);
    const limit = Math.sqrt(6 / 347);
    expect(Math.max(...kernel)).toBeLessThanOrEqual(limit);
    expect(Math.max(...kernel)).toBeGreaterThan(0.95 * limit);
    expect(Math.min(...kernel)).toBeLessThan(-0.95 * limit);
    expect([...weights.subarray(343 * 4, 343 * 4 + 4), weights.at(-1)]).toEqual([0, 0, 0, 0, 0]);
    expect(initialModel(deep, contract).weights).toEqual(weights);
    expect(initialModel({ ...deep, hash: `0x${'00'.repeat(32)}` }, contract).weights).not.toEqual(weights);
  });

  test('its file comes back as it was, and only canonical, complete, finite files of the layout are taken', async () => {
    const { task, deep, contract } = await tasks();
    const model = initialModel(deep, contract);
    const file = encodeModel(model);
    expect(decodeModel(file, model.layout)).toEqual(model);
    expect(modelHash(file)).toMatch(/^0x[0-9a-f]{64}$/);
    expect(code(() => decodeModel(file, layoutOf(task, 343)))).toBe('MODEL_MISMATCH');
    expect(code(() => decodeModel(Uint8Array.of(...file, 0)))).toBe('MESSAGE_MALFORMED');
    expect(code(() => decodeModel(new Uint8Array(4 * LIMITS.maxModelParameters + 65_537)))).toBe('MESSAGE_TOO_LARGE');
    const odd = (weights: Uint8Array) =>
      encodeCbor({ v: 'concordat/1/model', layout: [{ name: 'a', shape: [1] }], weights });
    expect(code(() => decodeModel(odd(new Uint8Array(5))))).toBe('MODEL_MISMATCH');
    expect(code(() => decodeModel(odd(Uint8Array.of(0, 0, 0xc0, 0x7f))))).toBe('MODEL_MISMATCH');
    expect(decodeModel(odd(Uint8Array.of(0, 0, 0x80, 0x3f))).weights).toEqual(Float32Array.of(1));
  });

  // three times 4,096² weights
  const WIDE = { units: 4_096, activation: 'relu' as const };
  test('a model larger than a round can carry is refused by the task', async () => {
    const { task } = await tasks();
    const model = { ...task.model, layers: [WIDE, WIDE, WIDE, WIDE, ...task.model.layers] };
    expect(code(() => layoutOf({ ...task, model }, 343))).toBe('TASK_INVALID');
  });
});

test('FedAvg moves the model by the mean update, rounding to float32 once', () => {
  const { weights, state } = serverStep('fedavg', Float32Array.of(1, 0.1), Float64Array.of(0.1, -0.1));
  expect([...weights]).toEqual([Math.fround(1.1), Math.fround(Math.fround(0.1) - 0.1)]);
  expect(state).toEqual({});
  expect(code(() => serverStep('fedavg', new Float32Array(1), new Float64Array(2)))).toBe('MODEL_MISMATCH');
  expect(code(() => serverStep('fedavg', new Float32Array(1), Float64Array.of(1e39)))).toBe('TRAINING_DIVERGED');
});
