// Every strategy: its server step against values computed apart from this code, and its whole path from dealers to model.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { createTrainer, type Trainer } from '../../engines/tensor/train.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { auc } from '../../protocol/learning/metrics.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import { serverStep } from '../../protocol/learning/server-optimiser.ts';
import type { StrategySettings } from '../../protocol/learning/strategies/settings.ts';
import type { StrategyState } from '../../protocol/learning/strategies/strategy.ts';
import { type DenseModel, parseTask, type Task } from '../../protocol/learning/task.ts';
import { shapeOf, vectorOf } from '../../protocol/learning/vector.ts';
import vectors from '../../protocol/vectors/learning-server.json' with { type: 'json' };
import { type Examples, type Simulation, simulateRounds } from '../../scripts/simulate.ts';
import { task as smallTask, taskText } from '../helpers/audit/small-task.ts';
import { denseOf } from '../helpers/dense.ts';
import { codeOf } from './secagg-fixtures.ts';

const SGD = { localEpochs: 2, batchSize: 16, learningRate: 0.05 };
const ADAPTIVE = { ...SGD, serverLearningRate: 0.05, beta1: 0.9, beta2: 0.99, tau: 1e-3 };
const STRATEGIES: readonly StrategySettings[] = [
  { name: 'fedavg', ...SGD },
  { name: 'fedprox', ...SGD, proximal: 0.1 },
  { name: 'fedavgm', ...SGD, serverLearningRate: 0.5, momentum: 0.5 },
  { name: 'fedadam', ...ADAPTIVE },
  { name: 'fedyogi', ...ADAPTIVE },
  { name: 'scaffold', ...SGD, serverLearningRate: 1, controlClipNorm: 10, dealers: 4 },
  { name: 'ridge', featureBound: 4, entryBits: 42 },
];
const FEATURES = 6;

function taskWith(strategy: StrategySettings): Task {
  const loss = strategy.name === 'ridge' ? 'squared' : 'sigmoid-cross-entropy';
  return {
    ...smallTask,
    strategy,
    model: { ...smallTask.model, loss, l2: 0.01 },
    update: { clipNorm: 4, valueBits: 16, packing: '4x19', weightBound: 200 },
    evaluation: { histogramBins: 64, decisionThreshold: 0.5 },
  };
}

/** Labels follow one direction, noisily; each dealer sees the features somewhere else. */
function examples(name: string, rows: number, shift: number, turn = 1): Examples {
  const prng = createPrng(utf8ToBytes(name), 'test');
  const features = Float32Array.from(
    { length: rows * FEATURES },
    () => Math.round((prng.unit() * 4 - 2 + shift) * 8) / 8,
  );
  const labels = Uint8Array.from({ length: rows }, (_, r) => {
    const x = features.subarray(r * FEATURES, (r + 1) * FEATURES);
    const z = turn * (x[0] ?? 0) - 2 * (x[1] ?? 0) + (x[2] ?? 0) / 2 - 0.5;
    return 1 / (1 + Math.exp(-2 * z)) > prng.unit() ? 1 : 0;
  });
  return { features, labels };
}

const dealers = [120, 60, 200, 35].map((rows, i) => examples(`dealer ${i}`, rows, (i - 1.5) / 3));
const holdOut = examples('hold-out', 400, 0);
let trainer: Trainer;
beforeAll(async () => {
  trainer = await createTrainer(taskWith({ name: 'fedavg', ...SGD }), FEATURES);
});

const federation = (strategy: StrategySettings, more: Partial<Simulation> = {}): Simulation => ({
  task: taskWith(strategy),
  features: FEATURES,
  trainer,
  dealers,
  initial: new Float32Array(FEATURES + 1),
  seed: 'strategies',
  ...more,
});
const named = (name: StrategySettings['name']): StrategySettings => {
  const found = STRATEGIES.find((strategy) => strategy.name === name);
  if (found === undefined) throw new Error(name);
  return found;
};

const close = (got: ArrayLike<number>, expected: readonly (string | number)[], relative: number) => {
  expect(got).toHaveLength(expected.length);
  expected.forEach((value, i) => {
    const want = Number(value);
    expect(Math.abs((got[i] ?? Number.NaN) - want)).toBeLessThanOrEqual(relative * Math.abs(want));
  });
};

describe('the server step is that of the papers', () => {
  test.each(vectors.strategies)('$strategy over seven rounds, to 1e-12', (vector) => {
    const settings = { ...named(vector.strategy as StrategySettings['name']), ...vector.settings } as StrategySettings;
    const task = taskWith(settings);
    const shape = { terms: task, features: 3, parameters: 4 };
    let [base, state]: [Float32Array, StrategyState] = [Float32Array.from(vector.base), {}];
    for (const round of vector.rounds) {
      // as of dealers whose weight fractions sum to 2
      const means = 'control' in round ? [round.delta, round.control] : [round.delta];
      const sums = means.map((mean) => Float64Array.from(mean, (x) => 2 * x));
      const set = { dealers: 'dealersInSet' in vector ? Number(vector.dealersInSet) : 8, totalWeightFraction: 2 };
      const made = serverStep(task, { shape, base, state, sums, ...set });
      expect([...made.weights]).toEqual(round.weights);
      expect(Object.keys(made.state)).toEqual(Object.keys(round.state));
      for (const [name, expected] of Object.entries(round.state)) close(made.state[name] ?? [], expected, 1e-12);
      [base, state] = [made.weights, made.state];
    }
  });

  test('an update of another size, or a step to nowhere, is refused', async () => {
    const task = taskWith(named('fedavg'));
    const round = { shape: shapeOf(task, 1), base: new Float32Array(2), state: {}, dealers: 1, totalWeightFraction: 1 };
    const step = (...sums: Float64Array[]) => codeOf(() => serverStep(task, { ...round, sums }));
    expect(await step(new Float64Array(3))).toBe('MODEL_MISMATCH');
    expect(await step()).toBe('MODEL_MISMATCH');
    expect(await step(new Float64Array(2), new Float64Array(2))).toBe('MODEL_MISMATCH');
    expect(await step(Float64Array.of(1e39, 0))).toBe('TRAINING_DIVERGED');
    expect(await step(Float64Array.of(Number.NaN, 0))).toBe('TRAINING_DIVERGED');
  });
});

describe('from dealers to model', () => {
  test.each(STRATEGIES.map((strategy) => [strategy.name, strategy] as const))('%s learns', async (_, strategy) => {
    const { weights } = await simulateRounds(federation(strategy), strategy.name === 'ridge' ? 1 : 12);
    expect(auc(trainer.score(weights, holdOut.features), holdOut.labels)).toBeGreaterThan(0.93);
  });

  const weightsAfter = async (rounds: number, strategy: StrategySettings) =>
    (await simulateRounds(federation(strategy), rounds)).weights;

  test('FedProx that pulls with 0 is FedAvg, bit for bit; pulling hard it hardly moves', async () => {
    const plain = await weightsAfter(3, named('fedavg'));
    expect(await weightsAfter(3, { name: 'fedprox', ...SGD, proximal: 0 })).toEqual(plain);
    const norm = (weights: Float32Array) => Math.hypot(...weights);
    expect(norm(await weightsAfter(3, { name: 'fedprox', ...SGD, proximal: 15 }))).toBeLessThan(0.5 * norm(plain));
  });

  test('FedAvgM without momentum is FedAvg, at the server’s own rate', async () => {
    const plain = await weightsAfter(3, named('fedavg'));
    const still = { name: 'fedavgm', ...SGD, serverLearningRate: 1, momentum: 0 } as const;
    expect(await weightsAfter(3, still)).toEqual(plain);
    const [one] = [await weightsAfter(1, named('fedavg'))];
    const half = await weightsAfter(1, { ...still, serverLearningRate: 0.5 });
    close(
      half,
      [...one].map((w) => w / 2),
      1e-6,
    );
  });

  test('SCAFFOLD’s first round, with nothing to correct, is FedAvg’s, bit for bit; its second is not', async () => {
    expect(await weightsAfter(1, named('scaffold'))).toEqual(await weightsAfter(1, named('fedavg')));
    expect(await weightsAfter(2, named('scaffold'))).not.toEqual(await weightsAfter(2, named('fedavg')));
  });

  test('SCAFFOLD undoes the drift of dealers that train for long: it ends nearer to the central optimum', async () => {
    const long = { ...SGD, localEpochs: 20, batchSize: 200 };
    const apart = [examples('left', 150, -0.5), examples('right', 90, 0.5, -1)];
    const together = {
      features: join(apart.map((d) => d.features)),
      labels: Uint8Array.from(apart.flatMap((d) => [...d.labels])),
    };
    const initial = new Float32Array(FEATURES + 1);
    const sgd = { ...SGD, batchSize: 240, epochs: 3_000, seed: utf8ToBytes('central') };
    const optimum = await trainer.fit({ ...together, ...sgd, weights: initial });
    const distance = async (strategy: StrategySettings) => {
      const { weights } = await simulateRounds(federation(strategy, { dealers: apart }), 150);
      return Math.hypot(...weights.map((w, i) => w - (optimum[i] ?? 0)));
    };
    const drifted = await distance({ name: 'fedavg', ...long });
    const corrected = await distance({
      name: 'scaffold',
      ...long,
      serverLearningRate: 1,
      controlClipNorm: 10,
      dealers: 2,
    });
    expect(corrected).toBeLessThan(0.25 * drifted);
  }, 30_000);
});

const join = (parts: readonly Float32Array[]) => Float32Array.from(parts.flatMap((part) => [...part]));

test('the same federation gives the same bits in another process', async () => {
  const program = `
    import { createHash } from 'node:crypto';
    import { createTrainer } from './engines/tensor/train.ts';
    import { simulateRounds } from './scripts/simulate.ts';
    let text = '';
    for await (const part of process.stdin) text += part;
    const { tasks, dealers } = JSON.parse(text);
    for (const task of tasks) {
      const trainer = await createTrainer(task, ${FEATURES});
      const { weights } = await simulateRounds({
        task, trainer, features: ${FEATURES}, seed: 'strategies', initial: new Float32Array(${FEATURES + 1}),
        dealers: dealers.map((d) => ({ features: Float32Array.from(d.features), labels: Uint8Array.from(d.labels) })),
      }, 3);
      console.log(createHash('sha256').update(new Uint8Array(weights.buffer)).digest('hex'));
    }`;
  const input = JSON.stringify({
    tasks: STRATEGIES.map(taskWith),
    dealers: dealers.map(({ features, labels }) => ({ features: [...features], labels: [...labels] })),
  });
  const args = ['--import', 'tsx', '--input-type=module', '-e', program];
  const there = execFileSync(process.execPath, args, { input }).toString().trim().split('\n');
  const here: string[] = [];
  for (const strategy of STRATEGIES) {
    const { weights } = await simulateRounds(federation(strategy), 3);
    here.push(createHash('sha256').update(new Uint8Array(weights.buffer)).digest('hex'));
  }
  expect(there).toEqual(here);
  expect(new Set(here).size).toBe(STRATEGIES.length);
}, 30_000);

describe('a task is refused that its strategy cannot do', () => {
  const parse = (strategy: object, model: object = {}) => {
    const document = JSON.parse(taskText);
    return codeAndPath(() =>
      parseTask(JSON.stringify({ ...document, strategy, model: { ...document.model, ...model } })),
    );
  };
  const ridge = { name: 'ridge', featureBound: 4, entryBits: 42 };
  const square = { loss: 'squared', l2: 0.1 };
  const deep = {
    layers: [
      { units: 2, activation: 'tanh' },
      { units: 1, activation: 'sigmoid' },
    ],
  };
  test.each([
    ['ridge over hidden layers', ridge, { ...square, ...deep }, 'model.layers'],
    ['ridge on cross-entropy', ridge, { l2: 0.1 }, 'model.loss'],
    ['ridge without a penalty', ridge, { loss: 'squared', l2: 0 }, 'model.l2'],
    [
      'ridge in entries of 43 bits: their sums would not be exact',
      { ...ridge, entryBits: 43 },
      square,
      'strategy.entryBits',
    ],
    ['SGD on the squared loss', { name: 'fedavg', ...SGD }, square, 'model.loss'],
    ['a pull that overshoots', { name: 'fedprox', ...SGD, proximal: 20 }, {}, 'model.l2'],
    [
      'momentum of 1: it never forgets',
      { name: 'fedavgm', ...SGD, serverLearningRate: 1, momentum: 1 },
      {},
      'strategy.momentum',
    ],
    ['FedAdam without τ', { name: 'fedadam', ...ADAPTIVE, tau: 0 }, {}, 'strategy.tau'],
    ['settings of another strategy', { name: 'fedavg', ...SGD, momentum: 0.5 }, {}, 'strategy'],
  ])('%s', (_, strategy, model, path) => {
    expect(parse(strategy, model)).toEqual(['TASK_INVALID', path]);
  });

  test('a vector longer than a payload, at the largest model: SCAFFOLD’s is twice FedAvg’s, ridge’s a square', async () => {
    const wide = { units: 3_000, activation: 'relu' as const };
    const vector = (name: StrategySettings['name'], layers: DenseModel['layers'], features: number) => {
      const task = taskWith(named(name));
      const update = { ...task.update, packing: '3x26' as const };
      return codeOf(() => vectorOf({ ...task, update, model: { ...denseOf(task), layers } }, features));
    };
    const [score] = denseOf(smallTask).layers.slice(-1);
    if (score === undefined) throw new Error('no layer');
    expect(await vector('fedavg', [wide, score], 3_000)).toBe('nothing thrown');
    expect(await vector('scaffold', [wide, score], 3_000)).toBe('TASK_INVALID');
    expect(await vector('ridge', [score], 2_000)).toBe('nothing thrown');
    expect(await vector('ridge', [score], 3_000)).toBe('TASK_INVALID');
  });

  test('and taken otherwise', () => {
    for (const strategy of STRATEGIES) expect(parse(strategy, strategy.name === 'ridge' ? square : {})).toBeUndefined();
  });
});

function codeAndPath(run: () => unknown): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    const { code, fields } = error as { code: string; fields: { path: string } };
    return [code, fields.path];
  }
}
