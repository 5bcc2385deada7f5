// Classes and numbers in the tensor engine: steps against finite differences, and whole federations on real columns.
import { beforeAll, describe, expect, test } from 'vitest';
import { readTable } from '../../edge-node/data/csv.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { COIL2000, loadTask } from '../../examples/simulation/load.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { type DataContract, parseDataContract } from '../../protocol/learning/data-contract.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { initialModel } from '../../protocol/learning/model.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import { checkTaskContract, parseTask, type Task, type TaskDocument } from '../../protocol/learning/task.ts';
import { type Row, validateRow } from '../../protocol/learning/validate-row.ts';
import { examplesOf, scoreFor } from '../../scripts/baseline.ts';
import { type Examples, simulateRounds } from '../../scripts/simulate.ts';
import { fedSgdTask, ridgeTask, runRound, seededFill } from './privacy-world.ts';

const F = 6;
const K = 4;
const ROWS = 40;
type Model = Extract<TaskDocument['model'], { kind: 'dense' }>;
const HIDDEN = { units: 5, activation: 'tanh' } as const;
const CLASSES: Model = {
  kind: 'dense',
  layers: [HIDDEN, { units: K, activation: 'softmax' }],
  loss: 'softmax-cross-entropy',
  positiveWeight: 1,
  l2: 0.05,
};
const NUMBER: Model = { ...CLASSES, layers: [HIDDEN, { units: 1, activation: 'linear' }], loss: 'squared' };
const LINE: Model = { ...NUMBER, layers: [{ units: 1, activation: 'linear' }] };

function example(model: Model, rows = ROWS, seed = 'types'): Examples {
  const prng = createPrng(utf8ToBytes(seed), 'test');
  const features = Float32Array.from({ length: rows * F }, () => prng.unit() * 2 - 1);
  const drawn = Array.from({ length: rows }, () => (model.loss === 'squared' ? prng.unit() : prng.below(K)));
  return { features, labels: model.loss === 'squared' ? Float32Array.from(drawn) : Uint8Array.from(drawn) };
}

/** Mean loss and penalty in float64, from the definitions. */
function lossOf(model: Model, weights: Float64Array, { features, labels }: Examples): number {
  let [total, penalty] = [0, 0];
  for (let r = 0; r < labels.length; r++) {
    let values = [...features.subarray(r * F, (r + 1) * F)];
    let at = 0;
    for (const { units, activation } of model.layers) {
      const input = values;
      values = Array.from({ length: units }, (_, u) =>
        input.reduce(
          (sum, x, i) => sum + x * (weights[at + i * units + u] ?? 0),
          weights[at + input.length * units + u] ?? 0,
        ),
      );
      if (activation === 'tanh') values = values.map(Math.tanh);
      if (r === 0)
        for (let i = 0; i < input.length * units; i++) penalty += (model.l2 / 2) * (weights[at + i] ?? 0) ** 2;
      at += (input.length + 1) * units;
    }
    const label = labels[r] ?? 0;
    if (model.loss === 'squared') total += ((values[0] ?? 0) - label) ** 2 / 2;
    else total += Math.log(values.reduce((sum, z) => sum + Math.exp(z), 0)) - (values[label] ?? 0);
  }
  return total / labels.length + penalty;
}

describe('one step of SGD is down the gradient by finite differences', () => {
  test.each([
    ['softmax over a hidden layer', CLASSES],
    ['a number over a hidden layer', NUMBER],
    ['a line', LINE],
  ])('%s', async (_, model) => {
    const data = example(model);
    const trainer = await createTrainer({ model }, F);
    const size = trainer.layout.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const prng = createPrng(utf8ToBytes('start'), 'test');
    const weights = Float32Array.from({ length: size }, () => prng.unit() - 0.5);
    const sgd = { epochs: 1, batchSize: ROWS, learningRate: 0.5, seed: utf8ToBytes('s') };
    const moved = await trainer.fit({ ...data, ...sgd, weights });
    const h = 1e-5;
    for (let i = 0; i < size; i++) {
      const at = (step: number) => {
        const around = Float64Array.from(weights);
        around[i] = (around[i] ?? 0) + step;
        return lossOf(model, around, data);
      };
      const gradient = (at(h) - at(-h)) / (2 * h);
      expect(Math.abs(((weights[i] ?? 0) - (moved[i] ?? 0)) / sgd.learningRate - gradient)).toBeLessThan(2e-6);
    }
  });

  test('scores are rows × classes and each row adds up to 1; over the border of a pass too', async () => {
    const trainer = await createTrainer({ model: CLASSES }, F);
    const data = example(CLASSES, 9_000);
    const weights = Float32Array.from({ length: (F + 1) * 5 + 6 * K }, (_, i) => Math.sin(i));
    const scores = trainer.score(weights, data.features);
    expect(scores).toHaveLength(9_000 * K);
    for (const row of [0, 8_191, 8_192, 8_999]) {
      const own = trainer.score(weights, data.features.subarray(row * F, (row + 1) * F));
      expect(scores.subarray(row * K, (row + 1) * K)).toEqual(own);
      expect(own.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
    }
  });
});

const AREA = '[{ property: fieldClass, value: area-statistics }, { property: role, value: label }]';
const INCOME =
  'Average income, class 0-9",\n          logicalType: integer, required: true, logicalTypeOptions: { minimum: 0, maximum: 9 },\n          customProperties: *area3';
const POWER =
  'Purchasing power, class 1-8",\n          logicalType: integer, required: true, logicalTypeOptions: { minimum: 1, maximum: 8 },\n          customProperties: *area3';
const CARAVAN = '{ property: role, value: label }]';
const HOLDS =
  '{ property: role, value: feature }, { property: features, value: [{ map: scaled, centre: 0, scale: 1 }] }]';

/** CoIL 2000 with another column as the label: caravan policies become a feature. */
async function coilAbout(field: string, from: string, label: string, changes: readonly (readonly [string, string])[]) {
  const { taskSource, contractSource, contract: before } = await loadTask(`${COIL2000}/task.yaml`);
  const swap = (source: string, [old, made]: readonly [string, string]) => {
    if (!source.includes(old)) throw new Error(`${old} is not there`);
    return source.replace(old, made);
  };
  const contract = parseDataContract(
    [[CARAVAN, HOLDS] as const, [from, from.replace(/logicalType.*/s, label)] as const].reduce(swap, contractSource),
  );
  const named = [
    [before.hash, contract.hash],
    ['label: CARAVAN', `label: ${field}`],
  ] as const;
  const task = parseTask([...named, ...changes].reduce(swap, taskSource));
  checkTaskContract(task, contract);
  const rows = await readTable(`${COIL2000}/coil2000.csv.gz`, before);
  return { task, contract, rows: rows.slice(0, 1_600) };
}

/** Dealers of unequal size, and the last 400 rows held out. */
function dealt(contract: DataContract, rows: readonly Row[]) {
  const shares = [rows.slice(0, 150), rows.slice(150, 500), rows.slice(500, 1_200)];
  return {
    dealers: shares.map((share) => examplesOf(contract, share)),
    holdOut: examplesOf(contract, rows.slice(1_200)),
  };
}

async function federation(task: Task, contract: DataContract, dealers: readonly Examples[], rounds: number) {
  const features = featureCount(contract);
  const trainer = await createTrainer(task, features);
  const initial = initialModel(task, contract).weights;
  const simulation = { task, features, trainer, dealers, initial, seed: 'types' };
  return { trainer, simulation, last: await simulateRounds(simulation, rounds) };
}

const WEIGHT = ['positiveWeight: 15', 'positiveWeight: 1'] as const;
const LAYERS = 'layers: [{ units: 1, activation: sigmoid }]';

describe('three classes of purchasing power on CoIL 2000', () => {
  const bandOf = (power: unknown) => (Number(power) <= 3 ? 'low' : Number(power) <= 5 ? 'middle' : 'high');
  let world: Awaited<ReturnType<typeof coilAbout>>;
  let made: { contract: DataContract; dealers: Examples[]; holdOut: Examples };
  beforeAll(async () => {
    world = await coilAbout(
      'MKOOPKLA',
      POWER,
      `logicalType: string, required: true, logicalTypeOptions: { enum: [low, middle, high] },\n          customProperties: ${AREA}`,
      [
        [LAYERS, 'layers: [{ units: 3, activation: softmax }]'],
        ['loss: sigmoid-cross-entropy', 'loss: softmax-cross-entropy'],
        WEIGHT,
        ['decisionThreshold: 0.8125', ''],
        ['l2: 0.1', 'l2: 0.01'],
      ],
    );
    const rows = world.rows.map((row, i) =>
      validateRow(world.contract, { ...row, MKOOPKLA: bandOf(row.MKOOPKLA) }, i + 1),
    );
    made = { contract: world.contract, ...dealt(world.contract, rows) };
  });

  test('the federation learns them, and its counts are those of all rows in one place', async () => {
    const { contract, dealers, holdOut } = made;
    const { trainer, simulation, last } = await federation(world.task, contract, dealers, 4);
    // what round 4 measured is the model of round 3, over every dealer's rows
    const third = await simulateRounds(simulation, 3);
    const expected = new Uint32Array(9);
    for (const { features, labels } of dealers) {
      const scores = trainer.score(third.weights, features);
      labels.forEach((label, r) => {
        const row = [...scores.subarray(3 * r, 3 * r + 3)];
        const cell = 3 * label + row.indexOf(Math.max(...row));
        expected[cell] = (expected[cell] ?? 0) + 1;
      });
    }
    expect(last.measured).toEqual({ type: 'classes', confusion: { classes: 3, counts: expected } });
    expect(expected.reduce((a, b) => a + b, 0)).toBe(1_200);
    const { figures } = scoreFor(world.task, contract, trainer.score(last.weights, holdOut.features), holdOut);
    const counts = [0, 1, 2].map((k) => holdOut.labels.filter((label) => label === k).length);
    const largest = Math.max(...counts) / holdOut.labels.length;
    expect(figures?.accuracy).toBeGreaterThan(largest + 0.1);
    expect(figures?.['macro-F1']).toBeGreaterThan(0.5);
  });
});

describe('average income on CoIL 2000, as a number', () => {
  const ABOUT = [
    'MINKGEM',
    INCOME,
    `logicalType: integer, required: true, logicalTypeOptions: { minimum: 0, maximum: 9 },\n          customProperties: ${AREA}`,
  ] as const;
  const LINEAR = [
    [LAYERS, 'layers: [{ units: 1, activation: linear }]'],
    ['loss: sigmoid-cross-entropy', 'loss: squared'],
    WEIGHT,
    ['decisionThreshold: 0.8125', 'tolerance: 0.125'],
  ] as const;

  test('the federation learns it; what is measured is that of all rows in one place, to the last bit', async () => {
    const { task, contract, rows } = await coilAbout(...ABOUT, [...LINEAR, ['l2: 0.1', 'l2: 0.01']]);
    const { dealers, holdOut } = dealt(contract, rows);
    const { trainer, simulation, last } = await federation(task, contract, dealers, 4);
    const third = await simulateRounds(simulation, 3);
    const one = { features: third.weights, labels: [] as number[], scores: [] as number[] };
    for (const { features, labels } of dealers) {
      one.scores.push(...trainer.score(third.weights, features));
      one.labels.push(...labels);
    }
    const errors = new Uint32Array(256);
    let squares = 0;
    one.labels.forEach((label, r) => {
      const error = Math.abs(Math.min(1, Math.max(0, one.scores[r] ?? 0)) - label);
      const bin = Math.min(255, Math.floor(error * 256));
      errors[bin] = (errors[bin] ?? 0) + 1;
      squares += Math.round(error ** 2 * 2 ** 24);
    });
    if (last.measured.type !== 'regression') throw new Error('another type');
    expect(last.measured.errors).toEqual(errors);
    expect(last.measured.moments?.squaredErrors).toBe(squares / 2 ** 24);
    const { figures } = scoreFor(task, contract, trainer.score(last.weights, holdOut.features), holdOut);
    expect(figures?.['R²']).toBeGreaterThan(0.5);
    // in classes of income, not in shares of the range
    expect(figures?.RMSE).toBeGreaterThan(0.5);
    expect(figures?.RMSE).toBeLessThan(1);
  });

  test('ridge solves it exactly in one round: the gradient of its objective is zero over all dealers’ rows', async () => {
    const ridge = [
      ['name: fedavg', 'name: ridge'],
      ['localEpochs: 5', 'featureBound: 12'],
      ['batchSize: 32', 'entryBits: 40'],
      ['  learningRate: 0.01\n', ''],
      ['rounds: 10', 'rounds: 1'],
    ] as const;
    const { task, contract, rows } = await coilAbout(...ABOUT, [...LINEAR, ...ridge]);
    const { dealers, holdOut } = dealt(contract, rows);
    const { trainer, last } = await federation(task, contract, dealers, 1);
    const columns = featureCount(contract);
    const gradient = new Float64Array(columns + 1);
    for (const { features, labels } of dealers) {
      for (let r = 0; r < labels.length; r++) {
        const row = [...features.subarray(r * columns, (r + 1) * columns), 1];
        const miss = row.reduce((sum, x, i) => sum + x * (last.weights[i] ?? 0), 0) - (labels[r] ?? 0);
        row.forEach((x, i) => {
          gradient[i] = (gradient[i] ?? 0) + (miss * x) / 1_200;
        });
      }
    }
    gradient.forEach((g, i) => {
      const penalty = i < columns ? task.model.l2 * (last.weights[i] ?? 0) : 0;
      expect(Math.abs(g + penalty)).toBeLessThan(1e-5);
    });
    const { figures } = scoreFor(task, contract, trainer.score(last.weights, holdOut.features), holdOut);
    expect(figures?.['R²']).toBeGreaterThan(0.5);
  });
});

describe('with differential privacy', () => {
  const dealers = [0, 1, 2].map((d) => {
    const { features } = example(LINE, 600, `dealer ${d}`);
    const target = (r: number) => 0.5 + 0.2 * (features[r * F] ?? 0) - 0.15 * (features[r * F + 3] ?? 0);
    return { features, numbers: Float32Array.from({ length: 600 }, (_, r) => target(r)) };
  });
  const model = (of: Model) => ({ ...of, l2: 0 });

  test('dp-fedsgd takes the step of clipped softmax gradients and counts the confusion', async () => {
    const layers: Model = { ...CLASSES, layers: [{ units: 3, activation: 'softmax' }] };
    const base = fedSgdTask(
      { samplingRate: 1, noiseMultiplier: 0.1, honestDealers: 1 },
      { rounds: 1, model: model(layers) },
    );
    const task = { ...base, strategy: { ...base.strategy, sumRange: 512 } } as TaskDocument;
    const rows = dealers.map(({ features, numbers }) => ({
      features,
      labels: Uint8Array.from(numbers, (y) => (y < 0.45 ? 0 : y < 0.55 ? 1 : 2)),
    }));
    const start = new Float32Array(3 * (F + 1));
    const { weights, measured } = await runRound({
      task,
      features: F,
      dealers: rows,
      base: start,
      fillRandom: seededFill('c'),
    });
    const trainer = await createTrainer(task, F);
    const sums = rows.map((one) =>
      trainer.clippedSum({ weights: start, ...one, clipNorm: 1, unitsPerGradient: 2 ** 20 }),
    );
    weights.forEach((weight, i) => {
      const mean = sums.reduce((sum, one) => sum + (one.sum[i] ?? 0), 0) / 2 ** 20 / 1_800;
      expect(Math.abs(weight + mean)).toBeLessThan(1e-3);
    });
    if (measured.type !== 'classes') throw new Error('another type');
    // the zero model scores all alike: everybody is taken for the first class
    const truly = [0, 1, 2].map((k) => rows.reduce((n, { labels }) => n + labels.filter((y) => y === k).length, 0));
    const off = [0, 1, 2].map((k) => Math.abs((measured.confusion.counts[3 * k] ?? 0) - (truly[k] ?? 0)));
    expect(Math.max(...off)).toBeLessThan(10);
  });

  test('dp-ridge finds the line of a number, its intercept too', async () => {
    const task: TaskDocument = {
      ...ridgeTask({ noiseMultiplier: 0.5, clipNorm: 2.5 }, 1_024),
      model: model(LINE),
    } as TaskDocument;
    const rows = dealers.map(({ features, numbers }) => ({ features, labels: numbers }));
    const { weights, measured } = await runRound({
      task,
      features: F,
      dealers: rows,
      base: new Float32Array(F + 1),
      fillRandom: seededFill('r'),
    });
    expect(measured).toEqual({ type: 'regression', errors: new Uint32Array() });
    const expected = [0.2, 0, 0, -0.15, 0, 0, 0.5];
    weights.forEach((weight, i) => {
      expect(Math.abs(weight - (expected[i] ?? 0))).toBeLessThan(0.05);
    });
  });
});
