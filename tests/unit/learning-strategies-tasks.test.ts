// The example's task files, one per strategy, and what `concordat federate --task` makes of one.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
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

test('--task: a fault in the file is reported with its path', async () => {
  const file = join(folder, 'bad.yaml');
  await writeFile(file, 'version: concordat/1\nid: [');
  await expect(prepareMaterial(optionsFor({ task: file }))).rejects.toThrow('TASK_INVALID');
  await expect(prepareMaterial(optionsFor({ task: join(folder, 'none.yaml') }))).rejects.toThrow('FILE_MISSING');
});
