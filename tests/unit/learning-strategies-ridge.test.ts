// One-round ridge: the solution of all records in one place, whoever has them; and what is refused.
import { beforeAll, describe, expect, test } from 'vitest';
import { readTable } from '../../edge-node/data/csv.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { COIL2000, loadTask } from '../../examples/simulation/load.ts';
import { splitRows } from '../../examples/simulation/split.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { initialModel } from '../../protocol/learning/model.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import { solveSymmetric, triangleIndex, triangleLength } from '../../protocol/learning/strategies/cholesky.ts';
import { ridge, solveRidge, statisticsOf } from '../../protocol/learning/strategies/ridge.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { shapeOf, vectorOf } from '../../protocol/learning/vector.ts';
import vectors from '../../protocol/vectors/learning-server.json' with { type: 'json' };
import { examplesOf, scoreOf } from '../../scripts/baseline.ts';
import { type Examples, simulateRounds } from '../../scripts/simulate.ts';
import { codeOf } from './secagg-fixtures.ts';

const FEATURES = 7;
let task: Task;
let coil: Awaited<ReturnType<typeof loadTask>>;
beforeAll(async () => {
  coil = await loadTask(`${COIL2000}/tasks/ridge.yaml`);
  task = { ...coil.task, evaluation: { histogramBins: 8, decisionThreshold: 0.5 } };
});

/** Features of any size within ±3, or whole numbers. */
function examples(name: string, rows: number, whole = false): Examples {
  const prng = createPrng(utf8ToBytes(name), 'test');
  const draw = () => (whole ? prng.below(7) - 3 : prng.unit() * 6 - 3);
  const features = Float32Array.from({ length: rows * FEATURES }, draw);
  const labels = Uint8Array.from({ length: rows }, (_, r) => ((features[r * FEATURES] ?? 0) + draw() > 0.7 ? 1 : 0));
  return { features, labels };
}

/** Gaussian elimination on the normal equations, each written out from the records. */
function plainRidge(parts: readonly Examples[], { l2, positiveWeight }: Task['model']): number[] {
  const rows = parts.flatMap(({ features, labels }) =>
    [...labels].map((y, r) => ({ x: [...features.subarray(r * FEATURES, (r + 1) * FEATURES), 1], y })),
  );
  const weightOf = (y: number) => (y === 1 ? positiveWeight : 1);
  const total = rows.reduce((sum, { y }) => sum + weightOf(y), 0);
  const size = FEATURES + 1;
  const system = Array.from({ length: size }, (_, i) => [
    ...Array.from({ length: size }, (_, j) => {
      const entry = rows.reduce((sum, { x, y }) => sum + weightOf(y) * (x[i] ?? 0) * (x[j] ?? 0), 0);
      return i === j && i < FEATURES ? entry + l2 * total : entry;
    }),
    rows.reduce((sum, { x, y }) => sum + weightOf(y) * (x[i] ?? 0) * y, 0),
  ]);
  const at = (i: number, j: number) => system[i]?.[j] ?? Number.NaN;
  for (let k = 0; k < size; k++) {
    for (let i = 0; i < size; i++) {
      if (i === k) continue;
      const factor = at(i, k) / at(k, k);
      system[i] = (system[i] ?? []).map((value, j) => value - factor * at(k, j));
    }
  }
  return Array.from({ length: size }, (_, i) => at(i, size) / at(i, i));
}

async function federate(dealers: readonly Examples[], of: Task = task): Promise<Float32Array> {
  const trainer = await createTrainer(of, FEATURES);
  const initial = new Float32Array(FEATURES + 1);
  const simulation = { task: of, features: FEATURES, trainer, dealers, initial, seed: 'ridge' };
  return (await simulateRounds(simulation, 1)).weights;
}

/** The model's weights are the solution times 1/(p(1−p)), p being the share of positives. */
function kernelOf(weights: Float32Array, dealers: readonly Examples[], positiveWeight: number): number[] {
  const labels = dealers.flatMap((dealer) => [...dealer.labels]);
  const positives = positiveWeight * labels.filter((label) => label === 1).length;
  const p = (positives + 0.5) / (positives + labels.filter((label) => label === 0).length + 1);
  return [...weights.subarray(0, FEATURES)].map((w) => w * p * (1 - p));
}

describe('the solution', () => {
  test('of exact rational arithmetic, to 1e-12', () => {
    const { gram, moments, solution, l2 } = vectors.ridge;
    const found = solveRidge({ gram: Float64Array.from(gram), moments: Float64Array.from(moments) }, l2);
    solution.forEach((value, i) => {
      expect(Math.abs((found[i] ?? Number.NaN) - Number(value))).toBeLessThan(1e-12 * Math.abs(Number(value)));
    });
  });

  test('statistics are those written out by hand', () => {
    const { features, labels, gram, moments, positiveWeight } = vectors.ridge;
    const of = { ...task, model: { ...task.model, positiveWeight } };
    const shape = { ...shapeOf(of, 3), terms: of };
    const found = statisticsOf(Float32Array.from(features.flat()), Uint8Array.from(labels), shape, 8);
    expect([...found.gram]).toEqual(gram);
    expect([...found.moments]).toEqual(moments);
  });

  test.each([1, 5])(
    'of a federation is the centralised one to 6 digits, positives weighing %i',
    async (positiveWeight) => {
      const dealers = [90, 3, 250, 41].map((rows, i) => examples(`dealer ${i}`, rows));
      const of = { ...task, model: { ...task.model, positiveWeight } };
      const kernel = kernelOf(await federate(dealers, of), dealers, positiveWeight);
      const expected = plainRidge(dealers, of.model);
      kernel.forEach((w, i) => {
        expect(Math.abs(w - (expected[i] ?? Number.NaN))).toBeLessThan(1e-6 * Math.abs(expected[i] ?? 0));
      });
    },
  );

  test('does not depend on who has which record: bit for bit, when features are whole numbers', async () => {
    const all = examples('whole', 300, true);
    const cut = (from: number, to: number): Examples => ({
      features: all.features.subarray(from * FEATURES, to * FEATURES),
      labels: all.labels.subarray(from, to),
    });
    const two = await federate([cut(0, 10), cut(10, 300)]);
    expect(await federate([cut(200, 300), cut(0, 50), cut(50, 51), cut(51, 200)])).toEqual(two);
    expect(await federate([cut(0, 299)])).not.toEqual(two);
  });

  test('a dealer with more records than weightBound counts for weightBound of them', async () => {
    const of = { ...task, update: { ...task.update, weightBound: 100 } };
    const big = examples('big', 400, true);
    const { parts } = await contributionOf(big, of);
    expect(parts[0]?.at(-1)).toBe(100);
  });
});

const contributionOf = ({ features, labels }: Examples, of: Task) => {
  if (of.strategy.name !== 'ridge') throw new Error(of.strategy.name);
  const unused = () => expect.unreachable('ridge trains nobody and draws nothing');
  return ridge(of.strategy).contribute({
    shape: shapeOf(of, FEATURES),
    base: new Float32Array(FEATURES + 1),
    serverState: {},
    dealerState: {},
    features,
    labels,
    weightFraction: 1,
    seed: new Uint8Array(32),
    fillRandom: unused,
    trainer: { fit: unused, score: unused, clippedSum: unused },
  });
};

describe('ranges', () => {
  test('the largest statistics a dealer can have fit their part, and one level more would not', () => {
    const of = { ...task, update: { ...task.update, weightBound: 2 ** 11 } };
    const [gram] = vectorOf(of, FEATURES).parts;
    if (gram === undefined) throw new Error('no part');
    const most = 2 ** 11 * 8 ** 2;
    expect(most / gram.step).toBeLessThanOrEqual(2 ** (gram.bits - 1) - 1);
    expect((4 * most) / gram.step).toBeGreaterThan(2 ** (gram.bits - 1) - 1);
    expect(Number.isInteger(Math.log2(gram.step))).toBe(true);
  });

  test('a feature beyond the bound, or none at all, stops the dealer and names the column alone', async () => {
    for (const odd of [8.000001, -9, Number.NaN, Number.POSITIVE_INFINITY]) {
      const data = examples('odd', 10);
      data.features[3 * FEATURES + 4] = odd;
      await expect(contributionOf(data, task)).rejects.toThrow(/VALUE_OUT_OF_RANGE.*column 4(?!.*8\.0000)/);
    }
    const edge = examples('edge', 10);
    edge.features[0] = -8;
    await expect(contributionOf(edge, task)).resolves.toBeDefined();
  });

  test('sums that no records have are refused, not solved', async () => {
    const gram = new Float64Array(triangleLength(3));
    gram.fill(-1);
    expect(await codeOf(() => solveRidge({ gram, moments: new Float64Array(3) }, 0.1))).toBe('TRAINING_DIVERGED');
  });
});

describe('the solver', () => {
  test('indices walk the triangle row after row', () => {
    const pairs = [0, 1, 2, 3].flatMap((i) => [0, 1, 2, 3].filter((j) => j >= i).map((j) => [i, j] as const));
    expect(pairs.map(([i, j]) => triangleIndex(i, j, 4))).toEqual(pairs.map((_, at) => at));
    expect(pairs).toHaveLength(triangleLength(4));
  });

  test('a matrix of 200 × 200 of bad condition is solved, an indefinite one is not', () => {
    // second differences: the condition number is about 4·200²/π²
    const size = 200;
    const triangle = new Float64Array(triangleLength(size));
    for (let i = 0; i < size; i++) {
      triangle[triangleIndex(i, i, size)] = 2;
      if (i + 1 < size) triangle[triangleIndex(i, i + 1, size)] = -1;
    }
    const found = solveSymmetric(triangle, new Float64Array(size).fill(1)) ?? new Float64Array();
    // x_i = (i + 1)(n − i)/2
    const ratios = found.map((x, i) => x / (((i + 1) * (size - i)) / 2));
    expect(Math.max(...ratios.map((ratio) => Math.abs(ratio - 1)))).toBeLessThan(1e-9);
    expect(found).toHaveLength(size);
    expect(solveSymmetric(Float64Array.of(1, 2, 1), Float64Array.of(1, 1))).toBeUndefined();
    expect(solveSymmetric(Float64Array.of(0), Float64Array.of(1))).toBeUndefined();
    expect(solveSymmetric(Float64Array.of(Number.NaN), Float64Array.of(1))).toBeUndefined();
  });
});

test('on CoIL 2000, eight dealers and one round find at least 127 of 238 buyers in the best 800', async () => {
  const { contract } = coil;
  const rows = await readTable(`${COIL2000}/coil2000.csv.gz`, contract);
  const split = splitRows(contract, rows, { dealers: 8, seed: 'ridge' });
  const pick = (list: readonly number[]) =>
    examplesOf(
      contract,
      list.flatMap((i) => (rows[i] ? [rows[i]] : [])),
    );
  const features = featureCount(contract);
  const trainer = await createTrainer(coil.task, features);
  const initial = initialModel(coil.task, contract).weights;
  const simulation = { task: coil.task, features, trainer, dealers: split.dealers.map(pick), initial, seed: 'ridge' };
  const { weights } = await simulateRounds(simulation, 1);
  const holdOut = pick(split.holdOut);
  const { hits, auc } = scoreOf(trainer.score(weights, holdOut.features), holdOut);
  expect(hits).toBeGreaterThanOrEqual(127);
  expect(auc).toBeGreaterThan(0.73);
}, 20_000);
