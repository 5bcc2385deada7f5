// `concordat model export` of a real finished run: looked up on its kept chain, and refused when the bundle was changed.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readFinishedRun } from '../../auditor/chain-at.ts';
import { readTable } from '../../edge-node/data/csv.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { COIL2000, loadTask } from '../../examples/simulation/load.ts';
import { modelManifestSchema } from '../../protocol/learning/export/manifest.ts';
import { featureCount, featuriseAll } from '../../protocol/learning/features.ts';
import { decodeModel } from '../../protocol/learning/model.ts';
import { exportModel } from '../../scripts/model/export.ts';
import { run } from '../helpers/command.ts';
import { furthest, runOnnx } from '../helpers/exported.ts';
import { finishedRun } from '../helpers/finished-run.ts';

let out: string;
beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'concordat-export-'));
});
afterAll(() => rm(out, { recursive: true }));

const manifestIn = async (folder: string) =>
  modelManifestSchema.parse(JSON.parse(await readFile(join(folder, 'concordat-model.json'), 'utf8')));

test('the command finds the last model on chain, and what it writes scores as the run’s own model', async () => {
  const { outDir } = await finishedRun();
  const { code, output } = await run(['model', 'export', '--run', outDir, '--format', 'onnx', '--out', out, '--json']);
  expect(output).toContain('"checked":true');
  expect(code).toBe(0);
  const manifest = await manifestIn(out);
  expect(manifest.chain.checked).toBe(true);
  expect(manifest.training?.dealers.length).toBe(3);
  expect(manifest.metrics.model).toBeUndefined(); // nobody has measured the last model
  const { task, contract } = await loadTask(join(outDir, 'task.yaml'));
  const { bundle } = await readFinishedRun(outDir);
  const { weights } = decodeModel(new Uint8Array(await readFile(join(bundle, 'blobs', manifest.model.hash.slice(2)))));
  const rows = (await readTable(join(COIL2000, 'coil2000.csv.gz'), contract)).slice(0, 500);
  const features = featuriseAll(contract, rows);
  const columns = featureCount(contract);
  const scores = (await createTrainer(task, columns)).score(weights, features);
  const bytes = new Uint8Array(await readFile(join(out, 'model.onnx')));
  expect(furthest((await runOnnx({ name: '', bytes }, features, columns)).score ?? [], scores)).toBeLessThan(1e-6);
});

test('a model file that was changed since is not exported', async () => {
  const { outDir } = await finishedRun();
  const copy = join(out, 'run');
  const { bundle, chainState } = await readFinishedRun(outDir);
  if (chainState === undefined) throw new Error('the run kept no chain');
  for (const path of [join(outDir, 'federation.json'), chainState, bundle])
    await cp(path, join(copy, path.slice(outDir.length)), { recursive: true });
  const { model } = await manifestIn(out);
  const blob = join((await readFinishedRun(copy)).bundle, 'blobs', model.hash.slice(2));
  const bytes = await readFile(blob);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  await writeFile(blob, bytes);
  const exporting = exportModel({ run: copy, format: ['onnx'], out: join(out, 'changed') });
  await expect(exporting).rejects.toThrow('ARTIFACT_CORRUPT');
});
