// What an export hands over: real models on real rows, the safetensors bytes by their published layout, and a manifest by which
// anybody makes the same columns and the same hash.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTable } from '../../edge-node/data/csv.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { COIL2000, loadTask } from '../../examples/simulation/load.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { type DataContract, parseDataContract } from '../../protocol/learning/data-contract.ts';
import {
  FORMATS,
  type ModelManifest,
  type ModelRecord,
  modelManifestSchema,
} from '../../protocol/learning/export/manifest.ts';
import { safetensorsFile } from '../../protocol/learning/export/safetensors.ts';
import { type ExportFile, tensorsOf } from '../../protocol/learning/export/tensors.ts';
import { exportFiles } from '../../protocol/learning/export/write.ts';
import { featureCount, featuriseAll } from '../../protocol/learning/features.ts';
import { encodeModel, initialModel, type Model, modelHash } from '../../protocol/learning/model.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import { parseTask, type Task } from '../../protocol/learning/task.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { manifestSchemaFile } from '../../scripts/gen/manifest-schema.ts';
import { furthest, runOnnx, runTfjs } from '../helpers/exported.ts';
import { layersModel } from '../helpers/keras.ts';
import { accepts } from './consent-json-schema.ts';

const ROWS = 500;
const HASH = `0x${'ab'.repeat(32)}` as const;
const RECORD: ModelRecord = {
  round: 4,
  chain: { checked: false, why: 'a test' },
  privacy: { mode: 'none' },
  metrics: { base: { round: 4, model: HASH, accuracyBps: 9_000, aucBps: 7_000 } },
};

let coil: { task: Task; contract: DataContract; rows: readonly Row[] };
beforeAll(async () => {
  const { task, contract } = await loadTask(join(COIL2000, 'task.yaml'));
  coil = { task, contract, rows: await readTable(join(COIL2000, 'coil2000.csv.gz'), contract) };
});

/** Weights that a model could have: small, none of them zero. */
function drawn(task: Task, contract: DataContract): Model {
  const prng = createPrng(utf8ToBytes(task.id), 'test');
  const { layout, weights } = initialModel(task, contract);
  return { layout, weights: weights.map((x) => x + (prng.unit() - 0.5) / 5) };
}

function exported(task: Task, contract: DataContract, model: Model, more: { licence?: string } = {}) {
  const hash = modelHash(encodeModel(model));
  const parts = { task, contract, model, modelHash: hash, record: RECORD, licence: undefined, ...more };
  const files = exportFiles({ ...parts, formats: FORMATS });
  const file = (name: string): ExportFile => {
    const found = files.find((one) => one.name === name);
    if (!found) throw new Error(`no ${name}`);
    return found;
  };
  return { files, file, hash, manifest: manifestOf(file('concordat-model.json')) };
}

const manifestOf = ({ bytes }: ExportFile): ModelManifest =>
  modelManifestSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));

const withModel = (task: Task, model: object): Task => {
  const { hash: _, ...document } = task;
  return parseTask(JSON.stringify({ ...document, model: { ...document.model, ...model } }));
};

describe('500 real rows score the same on onnxruntime-web, on TensorFlow.js and in the federation', () => {
  const cases: readonly (readonly [string, (task: Task) => Promise<Task>])[] = [
    ['logistic regression', async (task) => task],
    [
      'a dense model of three layers',
      async (task) =>
        withModel(task, {
          layers: [
            { units: 64, activation: 'relu' },
            { units: 32, activation: 'tanh' },
            { units: 1, activation: 'sigmoid' },
          ],
        }),
    ],
    ['Keras layers', async () => (await loadTask(join(COIL2000, 'tasks/layers-mlp.yaml'))).task],
  ];
  test.each(cases)('%s', async (_, taskOf) => {
    const { contract, rows } = coil;
    const task = await taskOf(coil.task);
    const model = drawn(task, contract);
    const columns = featureCount(contract);
    const features = featuriseAll(contract, rows.slice(0, ROWS));
    const scores = (await createTrainer(task, columns)).score(model.weights, features);
    expect(new Set(scores).size).toBeGreaterThan(ROWS / 2);
    const { file } = exported(task, contract, model);
    expect(furthest((await runOnnx(file('model.onnx'), features, columns)).score ?? [], scores)).toBeLessThan(1e-6);
    const tfjs = await runTfjs([file('model.json'), file('weights.bin')], features, columns);
    expect(furthest(tfjs, scores)).toBeLessThan(1e-6);
  });
});

/** By https://huggingface.co/docs/safetensors: nothing of ours is used. */
function readSafetensors(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  const start = 8 + headerBytes;
  const { __metadata__, ...entries } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  let at = 0;
  const tensors = Object.entries(entries as Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>);
  const read = tensors.map(([name, { dtype, shape, data_offsets }]) => {
    const [from = -1, to = -1] = data_offsets;
    expect([dtype, from]).toEqual(['F32', at]); // no gap, no overlap
    expect(to - from).toBe(4 * shape.reduce((a, b) => a * b, 1));
    at = to;
    return {
      name,
      shape,
      values: Float32Array.from({ length: (to - from) / 4 }, (_, i) => view.getFloat32(start + from + 4 * i, true)),
    };
  });
  expect(start + at).toBe(bytes.length);
  return { start, first: bytes[8], notes: __metadata__, tensors: read };
}

describe('safetensors', () => {
  test('the bytes of a tiny file, written out', () => {
    const { bytes } = safetensorsFile([{ name: 'a', shape: [1, 2], values: Float32Array.of(1, -2) }], {});
    const json = '{"__metadata__":{},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}';
    const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
    const expected = [padded.length, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from(padded), 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0];
    expect([...bytes]).toEqual(expected);
  });

  test('read back by the published layout, it holds the model, and makes its hash again', () => {
    const model = { ...drawn(coil.task, coil.contract), state: HASH };
    const { file, hash, manifest } = exported(coil.task, coil.contract, model);
    const { start, first, notes, tensors } = readSafetensors(file('model.safetensors').bytes);
    expect([start % 8, first]).toEqual([0, '{'.charCodeAt(0)]);
    expect(notes['concordat.model']).toBe(hash);
    expect(tensors).toEqual(tensorsOf(model));
    const weights = Float32Array.from(tensors.flatMap(({ values }) => [...values]));
    const { layout, state } = manifest.model;
    expect(modelHash(encodeModel({ layout, weights, ...(state && { state }) }))).toBe(manifest.model.hash);
  });

  test('it holds a variance under zero as it was published; what scores does not', () => {
    const topology = {
      class_name: 'Sequential',
      config: {
        layers: [
          {
            class_name: 'BatchNormalization',
            config: { name: 'norm', batch_input_shape: [null, featureCount(coil.contract)] },
          },
          { class_name: 'Dense', config: { name: 'score', units: 1, activation: 'sigmoid' } },
        ],
      },
    };
    const n = featureCount(coil.contract);
    const shapes = { gamma: [n], beta: [n], moving_mean: [n], moving_variance: [n] };
    const named = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [`norm/${name}`, shape]));
    const keras = layersModel(topology, { ...named, 'score/kernel': [n, 1], 'score/bias': [1] });
    const task = withModel({ ...coil.task, model: keras }, {});
    const model = drawn(task, coil.contract);
    model.weights[3 * n] = -1e-9; // the first variance
    const { file } = exported(task, coil.contract, model);
    const published = readSafetensors(file('model.safetensors').bytes).tensors;
    expect(published[3]?.values[0]).toBe(Math.fround(-1e-9));
    expect(Buffer.from(file('weights.bin').bytes).readFloatLE(4 * 3 * n)).toBe(0);
  });
});

describe('the manifest', () => {
  test('names every file by its hash, and the documents by theirs; the same model makes the same bytes', () => {
    const model = drawn(coil.task, coil.contract);
    const { files, manifest } = exported(coil.task, coil.contract, model);
    const beside = files
      .slice(0, -1)
      .map(({ name, bytes }) => ({ name, sha256: toHex(sha256(bytes)), bytes: bytes.length }));
    expect(manifest.files.map(({ format: _, ...file }) => file)).toEqual(beside);
    expect(files.at(-1)?.name).toBe('concordat-model.json');
    expect(parseTask(JSON.stringify(manifest.task.document)).hash).toBe(manifest.task.hash);
    expect(parseDataContract(JSON.stringify(manifest.dataContract.document)).hash).toBe(manifest.dataContract.hash);
    expect(manifest.dataContract.hash).toBe(coil.task.dataContract.hash);
    expect(exported(coil.task, coil.contract, model).files).toEqual(files);
  });

  test('says that nobody stated a licence, and that the chain was not asked', () => {
    const model = drawn(coil.task, coil.contract);
    const silent = exported(coil.task, coil.contract, model).manifest;
    expect(silent.licence).toBeUndefined();
    expect(silent.provenance.join()).toContain('NOT CHECKED AGAINST THE CHAIN');
    expect(exported(coil.task, coil.contract, model, { licence: 'CC0-1.0' }).manifest.licence).toBe('CC0-1.0');
  });

  test('fits the published schema, which lets nothing else through', () => {
    const schema = JSON.parse(manifestSchemaFile().text);
    const { manifest } = exported(coil.task, coil.contract, drawn(coil.task, coil.contract));
    expect(accepts(schema, manifest)).toBe(true);
    expect(accepts(schema, { ...manifest, chain: { checked: true } })).toBe(false);
    expect(accepts(schema, { ...manifest, extra: 1 })).toBe(false);
    const onDisk = readFileSync(join(PACKAGE_ROOT, 'docs/schema/model-manifest.schema.json'), 'utf8');
    expect(onDisk).toBe(manifestSchemaFile().text);
  });
});

describe('features.mjs of docs/model-export.md', () => {
  const folder = mkdtempSync(join(tmpdir(), 'concordat-features-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  type Featurise = (manifest: ModelManifest, record: Row) => Float32Array;
  let featurise: Featurise;
  beforeAll(async () => {
    const page = readFileSync(join(PACKAGE_ROOT, 'docs/model-export.md'), 'utf8');
    const code = /```js\n(\/\/ features\.mjs.*?)```/s.exec(page)?.[1];
    const file = join(folder, 'features.mjs');
    writeFileSync(file, code ?? '');
    ({ featurise } = (await import(pathToFileURL(file).href)) as { featurise: Featurise });
  });

  test('makes the same columns of all 9,822 rows, from the manifest alone', () => {
    const { task, contract, rows } = coil;
    const { manifest } = exported(task, contract, drawn(task, contract));
    expect(rows.length).toBe(9_822);
    expect(manifest.input.columns.length).toBe(343);
    const ours = featuriseAll(contract, rows);
    const theirs = rows.map((row) => featurise(manifest, row));
    const wrong = theirs.findIndex((row, r) => row.some((x, c) => !Object.is(x, ours[r * 343 + c])));
    expect(wrong).toBe(-1);
  });

  test('and of every map that there is, at its edges', () => {
    const maps = (property: string, value: unknown) => ({ property, value });
    const field = (name: string, logicalType: string, features: readonly object[], more: object = {}) => ({
      name,
      logicalType,
      required: true,
      ...more,
      customProperties: [maps('fieldClass', 'demographics'), maps('role', 'feature'), maps('features', features)],
    });
    const role = (name: string, is: string, more: object) => ({
      name,
      logicalType: 'integer',
      required: true,
      ...more,
      customProperties: [maps('fieldClass', 'identity'), maps('role', is)],
    });
    const contract = parseDataContract(
      JSON.stringify({
        ...coil.contract.document,
        schema: [
          {
            name: 'customers',
            logicalType: 'object',
            properties: [
              role('customer', 'id', { unique: true }),
              field('x', 'number', [
                { map: 'scaled', centre: 0.1, scale: 3, minimum: -1, maximum: 2.5 },
                { map: 'scaled', centre: 1, scale: 7 },
                { map: 'capped-scaled', cap: 2, scale: 3 },
                { map: 'at-least', threshold: 2, weight: 0.7 },
                { map: 'bands', edges: [-1, 0, 2], weight: -1.5 },
              ]),
              field('town', 'string', [
                { map: 'one-hot', values: ['Zürich', '2'], weight: 2 },
                { map: 'hashed', buckets: 7, salt: 'a', weight: 1, signed: true },
              ]),
              field('code', 'integer', [{ map: 'hashed', buckets: 5, salt: 'b', weight: 0.3 }]),
              role('bought', 'label', { logicalTypeOptions: { minimum: 0, maximum: 1 } }),
            ],
          },
        ],
      }),
    );
    const { hash: _, ...document } = coil.task;
    const dataContract = { ...document.dataContract, hash: contract.hash };
    const task = parseTask(JSON.stringify({ ...document, dataContract, label: 'bought' }));
    const { manifest } = exported(task, contract, drawn(task, contract));
    const numbers = [-7, -1, -0.5, 0, 1.999, 2, 2.5, 1e9];
    const rows = numbers.map((x, i) => ({
      customer: i,
      x,
      town: ['Zürich', '2', 'Zu\u0308rich', ''][i % 4] ?? '',
      code: i - 3,
      bought: 0,
    }));
    expect(rows.flatMap((row) => [...featurise(manifest, row)])).toEqual([...featuriseAll(contract, rows)]);
  });
});
