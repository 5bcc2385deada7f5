// Every planted fault is named, on its line and with its remedy, and none that only follows from another one.
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkTask } from '../../scripts/task/check.ts';
import { run } from '../helpers/command.ts';
import { dense, layer, sequential } from '../helpers/keras.ts';
import {
  COHORT,
  EVALUATION,
  FAULTY_CONTRACT,
  FAULTY_TASKS,
  FEDAVG,
  HASH,
  HEAD,
  LOGISTIC,
  NO_PRIVACY,
  TELCO,
  UPDATE,
} from '../helpers/planted-tasks.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'concordat-faults-'));
  await cp(TELCO, join(folder, 'contract.yaml'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function written(text: string): Promise<string> {
  const file = join(folder, 'task.yaml');
  await writeFile(file, text);
  return file;
}

type Row = readonly [line: number, path: string, problem: string, remedy: string];

/** What stands behind the lines; a remedy that ends in … is a beginning. */
function planted(text: string): Row[] {
  return text.split('\n').flatMap((line, i) => {
    const [, ...faults] = line.split(' ✗ ');
    return faults.map((fault): Row => {
      const [path = '', problem = '', remedy = ''] = fault.split(' | ').map((part) => part.trim());
      return [i + 1, path, problem, remedy];
    });
  });
}

interface Told {
  readonly line: number;
  readonly path: string;
  readonly problem: string;
  readonly remedy: string;
}

function expectPlanted(text: string, faults: readonly Told[]): void {
  const rows = planted(text);
  const cut = (remedy: string, i: number): string => {
    const wanted = rows[i]?.[3] ?? '';
    return wanted.endsWith('…') && remedy.startsWith(wanted.slice(0, -1)) ? wanted : remedy;
  };
  const told = faults.map(({ line, path, problem, remedy }, i): Row => [line, path, problem, cut(remedy, i)]);
  expect(told).toEqual(rows);
}

describe('a task with planted faults', () => {
  test.each(Object.entries(FAULTY_TASKS))('%s', async (_, text) => {
    const { faults } = await checkTask(await written(text));
    expectPlanted(text, faults);
  });
});

test('of a topology, every layer, every option and every weight', async () => {
  const topology = sequential(40, [
    layer('Dense', 'one', { units: 0, activation: 'cube', kernel_regularizer: { class_name: 'L2' } }),
    layer('Embedding', 'two'),
    layer('Lambda', 'three'),
    dense('score', 1, 'sigmoid'),
  ]);
  const weights = ['one/kernel', 'one/kernel', 'score/kernel', 'score/kernel'].map((name) => ({ name, shape: [1] }));
  const model = { kind: 'tfjs-layers', topology, weights, loss: 'sigmoid-cross-entropy', positiveWeight: 1, l2: 0 };
  const rest = `${FEDAVG}${COHORT}${UPDATE}${NO_PRIVACY}${EVALUATION}`;
  const { faults } = await checkTask(await written(`${HEAD}model: ${JSON.stringify(model)}\n${rest}`));
  const at = 'model.topology';
  expect(faults.map(({ path, problem }) => [path, problem])).toEqual([
    [at, 'Dense one'], // units
    [at, 'Dense one'], // activation
    [at, 'Dense one'], // regulariser
    [at, 'layer Embedding'],
    [at, 'layer Lambda'],
    ['model.weights.1.name', 'one/kernel is named twice'],
    ['model.weights.3.name', 'score/kernel is named twice'],
  ]);
  expect(faults.slice(0, 3).map(({ remedy }) => remedy.split(' ')[0])).toEqual([
    'units',
    'activation',
    'kernel_regularizer',
  ]);
});

test('of a topology that can be read, what does not fit the strategy, the backend, the label and the columns', async () => {
  const topology = sequential(40, [
    layer('Reshape', 'grid', { target_shape: [40, 1] }),
    layer('Conv1D', 'first', { filters: 2, kernel_size: [3] }),
    layer('Conv1D', 'second', { filters: 2, kernel_size: [3] }),
    layer('BatchNormalization', 'norm'),
    layer('Flatten', 'flat'),
    dense('score', 2, 'sigmoid'),
  ]);
  const weights = ['first/kernel', 'thrid/kernel', 'forth/kernel'].map((name) => ({ name, shape: [1] }));
  const model = { kind: 'tfjs-layers', topology, weights, loss: 'sigmoid-cross-entropy', positiveWeight: 1, l2: 0 };
  const adam = FEDAVG.replace('fedavg', 'fedadam').replace(
    ' }',
    ', serverLearningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 0.001 }',
  );
  const rest = `${adam}${COHORT}${UPDATE}${NO_PRIVACY}${EVALUATION}`;
  const { faults } = await checkTask(await written(`${HEAD}model: ${JSON.stringify(model)}\n${rest}`));
  expect(faults.map(({ path, problem }) => [path, problem])).toEqual([
    ['model.topology', 'layer first'],
    ['model.topology', 'layer second'],
    ['model.topology', 'layer norm'],
    ['model.topology', 'the last layer is the score'],
    ['model.weights.1.name', 'thrid/kernel'],
    ['model.weights.2.name', 'forth/kernel'],
  ]);
});

test('of a data contract: of the fields, between them, and beside what breaks the schema', async () => {
  await writeFile(join(folder, 'contract.yaml'), FAULTY_CONTRACT);
  const sound = `${HEAD}${LOGISTIC}${FEDAVG}${COHORT}${UPDATE}${NO_PRIVACY}${EVALUATION}`;
  const { faults } = await checkTask(await written(sound));
  expect(new Set(faults.map(({ file }) => file.split('/').at(-1)))).toEqual(new Set(['contract.yaml']));
  expectPlanted(FAULTY_CONTRACT, faults);
});

test('a hash that is none: the contract is read all the same, and the right one is said', async () => {
  const sound = `${LOGISTIC}${FEDAVG}${COHORT}${UPDATE}${NO_PRIVACY}${EVALUATION}`;
  const { faults } = await checkTask(await written(`${HEAD.replace(HASH, 'later')}${sound}`));
  expect(faults.map(({ path, remedy }) => [path, remedy])).toEqual([
    ['dataContract.hash', `give "${HASH}", or fetch the file meant`],
  ]);
});

test('the command says them all, in the order of the file', async () => {
  const text = FAULTY_TASKS['dp-ridge with nothing right'] ?? '';
  const file = await written(text);
  const { code, output } = await run(['task', 'check', file, '--json']);
  const { ok, faults } = JSON.parse(output.slice(output.indexOf('{')));
  expect([code, ok]).toEqual([1, false]);
  expectPlanted(text, faults);
}, 60_000);
