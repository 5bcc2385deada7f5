// Clip, quantise and decode at the edges of their ranges; the model file.
import { describe, expect, test } from 'vitest';
import { COIL2000, loadTask } from '../../examples/simulation/load.ts';
import { encodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { measureOf, momentsPart } from '../../protocol/learning/measure.ts';
import {
  decodeModel,
  encodeModel,
  initialModel,
  layoutOf,
  modelHash,
  parameterCount,
} from '../../protocol/learning/model.ts';
import { countsPart, signedPart } from '../../protocol/learning/strategies/parts.ts';
import type { VectorPart } from '../../protocol/learning/strategies/strategy.ts';
import { parseTask } from '../../protocol/learning/task.ts';
import {
  addNoise,
  type Counted,
  clip,
  decodeSums,
  digitsOf,
  encodeUpdate,
  l2Norm,
  localUpdate,
  quantise,
  totalWeightFraction,
  type Vector,
  weighted,
  weightFraction,
} from '../../protocol/learning/update.ts';
import { vectorOf } from '../../protocol/learning/vector.ts';
import { LIMITS } from '../../protocol/params.ts';
import { denseOf } from '../helpers/dense.ts';

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof ConcordatError) return error.code;
    throw error;
  }
  return 'nothing was refused';
};
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

const MEASURE = measureOf({
  model: { layers: [{ units: 1, activation: 'sigmoid' }], loss: 'squared', positiveWeight: 1, l2: 0 },
  evaluation: { histogramBins: 2 },
});

/** `bins` of either label behind the parts. */
function vectorWith(parts: readonly VectorPart[], bins: number, valueBits: number): Vector {
  const evaluation = [countsPart('counts', 2 * bins), momentsPart(0)] as const;
  const length = [...parts, ...evaluation].reduce((sum, part) => sum + part.length * digitsOf(part, valueBits), 0);
  return { parts, evaluation, measure: MEASURE, valueBits, length };
}

const sent = (parts: readonly Float64Array[], counted: Counted, vector: Vector) => [
  ...encodeUpdate(addNoise(quantise(parts, counted, vector), vector, undefined), vector).values,
];
const nothing: Counted = [[], []];

describe('quantising', () => {
  test('the ends of the range, zero, and half-way values going up', () => {
    const step = 1 / 32_767;
    const within = (bound: number) => vectorWith([signedPart('delta', 1, bound, 16)], 0, 16);
    const value = (x: number, bound = 1) => sent([Float64Array.of(x)], nothing, within(bound))[0];
    expect([value(-1), value(0), value(1)]).toEqual([1, 32_768, 65_535]);
    expect(value(step * 0.499)).toBe(32_768);
    expect(value(step * 0.501)).toBe(32_769);
    expect(value(-step * 0.501)).toBe(32_767);
    // 0.5 exactly, in floating point: a bound of 32767 makes the step 1
    expect([0.5, -0.5, -1.5].map((x) => value(x, 32_767))).toEqual([32_769, 32_768, 32_767]);
    // what a clipped coordinate rounds to, and what noise can do to it
    expect([1.001, -1.001, 5, -5].map((x) => value(x))).toEqual([65_535, 1, 65_535, 1]);
    expect(code(() => value(Number.NaN))).toBe('VALUE_OUT_OF_RANGE');
  });

  test('evaluation counts follow as they are, up to 65,535', () => {
    const vector = vectorWith([signedPart('delta', 1, 1, 16)], 2, 16);
    const counts = [0, 65_535, 7, 0];
    expect(sent([Float64Array.of(0)], [counts, []], vector)).toEqual([32_768, 0, 65_535, 7, 0]);
    const over = [65_536, 0, 0, 0];
    expect(code(() => sent([Float64Array.of(0)], [over, []], vector))).toBe('VALUE_OUT_OF_RANGE');
  });

  test('refuses parts that are not those of the vector', () => {
    const vector = vectorWith([signedPart('delta', 2, 1, 16)], 0, 16);
    for (const parts of [[], [new Float64Array(1)], [new Float64Array(2), new Float64Array(2)]]) {
      expect(code(() => sent(parts, nothing, vector))).toBe('VALUE_OUT_OF_RANGE');
    }
  });

  test.each([0, -0.1, 1.01, Number.NaN])('refuses a weight fraction of %s', (weight) => {
    expect(code(() => weighted(Float64Array.of(1), weight))).toBe('VALUE_OUT_OF_RANGE');
  });

  test.each([4, 7, 12, 15])('values of %i bits use their whole range but for 0', (valueBits) => {
    const offset = 2 ** (valueBits - 1);
    // a bound such that a step is 1
    const vector = vectorWith([signedPart('delta', 1, offset - 1, valueBits)], 0, valueBits);
    const value = (x: number) => sent([Float64Array.of(x)], nothing, vector)[0];
    expect([value(1 - offset), value(0), value(offset - 1)]).toEqual([1, offset, 2 * offset - 1]);
    expect([value(0.5), value(-0.5), value(-1.5)]).toEqual([offset + 1, offset, offset - 1]);
  });

  test.each([
    [4, [15, 15, 15, 15]],
    [5, [31, 31, 31, 1]],
    [7, [127, 127, 3]],
    [8, [255, 255]],
    [15, [32_767, 1]],
    [16, [65_535]],
  ])('a count is cut into digits of %i bits, least significant first', (valueBits, digits) => {
    const counts = [65_535, 2 ** valueBits - 1];
    const rest = digits.map((_, d) => (d === 0 ? 2 ** valueBits - 1 : 0));
    expect(sent([], [counts, []], vectorWith([], 1, valueBits))).toEqual([...digits, ...rest]);
  });

  test('so is a signed level wider than a value: 42 bits, to both ends, and back', () => {
    const vector = vectorWith([{ name: 'entry', length: 3, step: 2 ** -20, bits: 42, signed: true }], 0, 14);
    const most = (2 ** 41 - 1) * 2 ** -20;
    const values = sent([Float64Array.of(-most, 2 ** -20, most)], nothing, vector);
    expect(values).toEqual([1, 0, 0, 1, 0, 8_192, 16_383, 16_383, 16_383]);
    const thousand = values.map((value) => 1_000 * value);
    expect([...(decodeSums(thousand, vector, 1_000).sums[0] ?? [])]).toEqual([
      -1_000 * most,
      1_000 / 2 ** 20,
      1_000 * most,
    ]);
  });

  test('noise is added to whole levels, in every part, and leaves the update it came from alone', () => {
    const vector = vectorWith([signedPart('delta', 2, 32_767, 16)], 1, 16);
    const integers = quantise([Float64Array.of(0.4, -7.6)], [[3, 4], []], vector);
    expect(integers.levels.map((part) => [...part])).toEqual([[0, -8], [3, 4], []]);
    const noisy = addNoise(integers, vector, (levels, part) => {
      levels.forEach((level, i) => {
        levels[i] = level + (part.signed ? 100 : 1);
      });
    });
    expect([...encodeUpdate(noisy, vector).values]).toEqual([32_868, 32_860, 4, 5]);
    expect(integers.levels.map((part) => [...part])).toEqual([[0, -8], [3, 4], []]);
  });

  test('the bound caps a dealer\u2019s weight', () => {
    expect([1, 99, 100, 101].map((n) => weightFraction(n, 100))).toEqual([0.01, 0.99, 1, 1]);
    expect(totalWeightFraction([1, 99, 500], 100)).toBe(2);
  });
});

const countsOf = (sum: readonly number[], vector: Vector, dealers: number): number[] => {
  const { measured } = decodeSums(sum, vector, dealers);
  return measured.type === 'binary' ? [...measured.histogram.negatives, ...measured.histogram.positives] : [];
};

describe('the opened sum', () => {
  const vector = vectorWith([signedPart('delta', 1, 1, 16)], 1, 16);

  test('is refused when it cannot be a sum of so many dealers', () => {
    for (const sum of [
      [0, 0],
      [131_071, 0, 0],
      [-1, 0, 0],
      [0.5, 0, 0],
      [0, 0, 0, 0],
      [0, 131_071, 0],
    ]) {
      expect(code(() => decodeSums(sum, vector, 2))).toBe('VALUE_OUT_OF_RANGE');
    }
    for (const dealers of [0, -1, 1.5])
      expect(code(() => decodeSums([0, 0, 0], vector, dealers))).toBe('VALUE_OUT_OF_RANGE');
  });

  test('of extreme dealers', () => {
    const read = (sum: readonly number[]) => [...(decodeSums(sum, vector, 2).sums[0] ?? [])];
    expect([read([131_070, 3, 4]), read([2, 3, 4]), read([65_536, 3, 4])]).toEqual([[2], [-2], [0]]);
    expect(countsOf([65_536, 3, 4], vector, 2)).toEqual([3, 4]);
  });

  test('of narrow values: sums of digits carry into the next, up to what so many dealers can hold', () => {
    const narrow = vectorWith([], 1, 8);
    expect(countsOf([765, 765, 0, 0], narrow, 3)).toEqual([3 * 65_535, 0]);
    expect(countsOf([0, 1, 256, 0], narrow, 3)).toEqual([256, 256]);
    expect(code(() => decodeSums([766, 0, 0, 0], narrow, 3))).toBe('VALUE_OUT_OF_RANGE');
    const ends = vectorWith([signedPart('delta', 1, 1, 8)], 1, 8);
    expect([...(decodeSums([3 * 255, 0, 0, 0, 0], ends, 3).sums[0] ?? [])]).toEqual([3]);
    expect([...(decodeSums([3 * 128, 0, 0, 0, 0], ends, 3).sums[0] ?? [])]).toEqual([0]);
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
    expect(vectorOf(task, 343).length).toBe(856);
    const narrow = { ...task, update: { ...task.update, valueBits: 12 } };
    expect(vectorOf(narrow, 343).length).toBe(1_368);
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
    const { layers, ...dense } = denseOf(task);
    const model = { ...dense, layers: [WIDE, WIDE, WIDE, WIDE, ...layers] };
    expect(code(() => layoutOf({ ...task, model }, 343))).toBe('TASK_INVALID');
  });
});
