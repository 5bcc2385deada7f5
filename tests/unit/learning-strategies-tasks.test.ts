// The example's task files, one per strategy, and what `concordat federate --task` makes of one.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COIL2000, loadTask } from '../../examples/simulation/load.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { vectorOf } from '../../protocol/learning/vector.ts';
import { prepareMaterial } from '../../scripts/federate/material.ts';
import type { FederateOptions } from '../../scripts/federate/options.ts';

const TASKS = join(COIL2000, 'tasks');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'concordat-tasks-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('each is named after its strategy, is about the contract beside it, and fits a payload', async () => {
  const files = await readdir(TASKS);
  expect(files.length).toBeGreaterThanOrEqual(6);
  for (const file of files) {
    const { task, contract } = await loadTask(join(TASKS, file));
    // budgets and kinds of model are named after what they show
    if (!/^(dp-eps|layers)/.test(file)) expect(file.startsWith(task.strategy.name)).toBe(true);
    expect(vectorOf(task, featureCount(contract)).length).toBeGreaterThan(0);
  }
});

const optionsFor = (more: Partial<FederateOptions>): FederateOptions => ({
  example: 'coil2000',
  dealers: 5,
  seed: 1,
  keyHolders: 3,
  threshold: 2,
  witnesses: 0,
  keep: false,
  out: folder,
  cacheDir: folder,
  ...more,
});

test('--task: its own number of rounds unless told otherwise, the federation’s number of dealers, the contract beside it', async () => {
  const file = join(TASKS, 'scaffold.yaml');
  const { task } = await prepareMaterial(optionsFor({ task: file }));
  expect(task.strategy).toMatchObject({ name: 'scaffold', dealers: 5 });
  expect([task.rounds, task.dataContract.file]).toEqual([10, 'contract.yaml']);
  expect((await loadTask(join(folder, 'task.yaml'))).task.hash).toBe(task.hash);
  const ridge = optionsFor({ task: join(TASKS, 'ridge.yaml'), rounds: 2 });
  expect((await prepareMaterial(ridge)).task).toMatchObject({ rounds: 2, strategy: { name: 'ridge' } });
});

/** Records of a label of this type, and their contract. */
async function ownData(name: string, label: object, cells: readonly (string | number)[]) {
  const custom = (role: string, more: readonly object[] = []) => ({
    customProperties: [{ property: 'fieldClass', value: 'purchases' }, { property: 'role', value: role }, ...more],
  });
  const scaled = { property: 'features', value: [{ map: 'scaled', centre: 0, scale: 1 }] };
  const properties = [
    { name: 'id', logicalType: 'string', required: true, unique: true, ...custom('id') },
    { name: 'spent', logicalType: 'number', required: true, ...custom('feature', [scaled]) },
    { name: 'y', required: true, ...label, ...custom('label') },
  ];
  const contract = {
    ...{ apiVersion: 'v3.1.0', kind: 'DataContract', id: `-${name}`, version: '1.0.0', status: 'active' },
    schema: [{ name: 'customers', logicalType: 'object', properties }],
  };
  const files = { contract: join(folder, `${name}.json`), data: join(folder, `${name}.csv`) };
  await writeFile(files.contract, JSON.stringify(contract));
  const rows = Array.from({ length: 60 }, (_, i) => `C${i},${i % 7},${cells[i % cells.length]}`);
  await writeFile(files.data, ['id,spent,y', ...rows].join('\n'));
  return files;
}

test.each([
  ['binary', { logicalType: 'integer', logicalTypeOptions: { minimum: 0, maximum: 1 } }, [0, 1], 'sigmoid', 1],
  ['classes', { logicalType: 'string', logicalTypeOptions: { enum: ['a', 'b', 'c'] } }, ['a', 'b', 'c'], 'softmax', 3],
  ['regression', { logicalType: 'number', logicalTypeOptions: { minimum: 0, maximum: 9 } }, [0, 4.5, 9], 'linear', 1],
])('--data with a label that is %s, and no task: a model for it', async (name, label, cells, activation, units) => {
  const files = await ownData(name, label, cells);
  const { task } = await prepareMaterial(optionsFor({ ...files, dealers: 3 }));
  expect(task).toMatchObject({
    id: `own-${name}`,
    label: 'y',
    model: { layers: [{ units, activation }], positiveWeight: 1 },
  });
});

test('--data, --contract and a task about them: it keeps its name and its model', async () => {
  const files = await ownData(
    'mine',
    { logicalType: 'integer', logicalTypeOptions: { minimum: 0, maximum: 1 } },
    [0, 1],
  );
  await prepareMaterial(optionsFor({ ...files, dealers: 3 }));
  const task = join(folder, 'mine.yaml');
  const made = await readFile(join(folder, 'task.yaml'), 'utf8');
  await writeFile(task, made.replace('id: own-mine', 'id: my-own').replace('l2: 0.01', 'l2: 0.25'));
  const material = await prepareMaterial(optionsFor({ ...files, dealers: 3, task }));
  expect(material.task).toMatchObject({ id: 'my-own', model: { l2: 0.25 } });
});

test('--task: a fault in the file is reported with its path', async () => {
  const file = join(folder, 'bad.yaml');
  await writeFile(file, 'version: concordat/1\nid: [');
  await expect(prepareMaterial(optionsFor({ task: file }))).rejects.toThrow('TASK_INVALID');
  await expect(prepareMaterial(optionsFor({ task: join(folder, 'none.yaml') }))).rejects.toThrow('FILE_MISSING');
});
