// Personal models: only the last layer moves, the same records give the same model, and whoever withdraws is in none.
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { recordsOf } from '../../bench/learning/material.ts';
import { createPersonalRouter } from '../../edge-node/api/personal.ts';
import type { ConsentedRecord, ConsentGate } from '../../edge-node/data/gate.ts';
import { createPersonalModelFiles } from '../../edge-node/personal/file.ts';
import { createPersonalModels, type PersonalModelsParts } from '../../edge-node/personal/models.ts';
import {
  isHeldOut,
  isPersonal,
  type PersonalRecord,
  type PersonalTask,
  tuneLastLayer,
} from '../../edge-node/personal/tune.ts';
import { lastLayerInputs, lastLayerOf } from '../../engines/tensor/last-layer.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { COIL2000, loadTask } from '../../examples/simulation/load.ts';
import { createApp, listen, problemHandler } from '../../kit/http.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { type Access, evaluate } from '../../protocol/consent/evaluate.ts';
import { EVIDENCE, NO_PRIVACY_CAP, type Policy } from '../../protocol/consent/policy.ts';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { decodeModel, initialModel } from '../../protocol/learning/model.ts';
import { parseTask, requirementOfTask } from '../../protocol/learning/task.ts';
import { SILENT } from './coordinator-world.ts';

let contract: DataContract;
let task: PersonalTask;
let records: PersonalRecord[];

function personal(document: object): PersonalTask {
  const parsed = parseTask(JSON.stringify(document));
  if (!isPersonal(parsed)) throw new Error('not personal');
  return parsed;
}

beforeAll(async () => {
  const { task: example } = await loadTask(join(COIL2000, 'task.yaml'));
  const { rows, contract: whole } = await recordsOf('coil2000');
  contract = whole;
  const { hash: _, ...document } = example;
  const layers = [
    { units: 6, activation: 'tanh' },
    { units: 1, activation: 'sigmoid' },
  ];
  const personalisation = { localEpochs: 3, learningRate: 0.05, batchSize: 16 };
  task = personal({ ...document, model: { ...document.model, layers }, personalisation });
  records = rows.slice(0, 200).map((row) => ({ customerId: String(row[whole.id.name]), row }));
});

const base = () => initialModel(task, contract).weights;
const tune = (of: readonly PersonalRecord[] = records) => tuneLastLayer(task, contract, base(), of);

describe('tuning', () => {
  test('every layer but the last stays as it is, bit for bit, and the last one moves', async () => {
    const tuned = await tune();
    const last = lastLayerOf(task.model, featureCount(contract));
    expect(last).toMatchObject({ inputs: 6, from: base().length - 7 });
    expect(tuned?.weights.slice(0, last.from)).toEqual(base().slice(0, last.from));
    expect(tuned?.weights.slice(last.from)).not.toEqual(base().slice(last.from));
  });

  test('the last layer on its inputs is the whole model: what is tuned is what is used', async () => {
    const columns = featureCount(contract);
    const features = Float32Array.from({ length: 5 * columns }, (_, i) => Math.sin(i));
    const { model, inputs, from } = lastLayerOf(task.model, columns);
    const hidden = await lastLayerInputs(task, columns, base(), features);
    const head = await createTrainer({ model, backend: task.backend }, inputs);
    const whole = await createTrainer(task, columns);
    expect(head.score(base().slice(from), hidden)).toEqual(whole.score(base(), features));
  });

  test('the same records give the same model, and held-out ones have no part in it', async () => {
    const [first, second] = [await tune(), await tune()];
    expect(second?.weights).toEqual(first?.weights);
    const held = records.filter(({ customerId }) => isHeldOut(task, customerId));
    expect(first).toMatchObject({ heldOut: held.length, tunedOn: records.length - held.length });
    const label = contract.label.name;
    const turned = records.map((record) =>
      held.includes(record) ? { ...record, row: { ...record.row, [label]: 1 - Number(record.row[label]) } } : record,
    );
    const other = await tune(turned);
    expect(other?.weights).toEqual(first?.weights);
    expect(other?.before).not.toEqual(first?.before);
  });

  test('what is so at this dealer alone is learnt: on customers that nothing was tuned on', async () => {
    const { hash: _, ...document } = task;
    const layers = [{ units: 1, activation: 'sigmoid' }];
    const alone = personal({ ...document, model: { ...document.model, layers, positiveWeight: 1 } });
    const label = contract.label.name;
    const ours = records.map(({ customerId, row }) => ({
      customerId,
      row: { ...row, [label]: Number(Number(row.MOSTYPE) > 25) },
    }));
    const tuned = await tuneLastLayer(alone, contract, initialModel(alone, contract).weights, ours);
    expect(tuned?.before.aucBps).toBe(5_000);
    expect(tuned?.after.aucBps).toBeGreaterThan(9_000);
  });

  test('a fifth is held out, the same customers whatever the records; too few make no model', async () => {
    const share = records.filter(({ customerId }) => isHeldOut(task, customerId)).length / records.length;
    expect(share).toBeGreaterThan(0.13);
    expect(share).toBeLessThan(0.27);
    expect(await tune(records.slice(0, 12))).toBeUndefined();
    expect(await tune([])).toBeUndefined();
  });

  test('the task: not with Keras layers, and a minMs beyond the deadline is refused too', () => {
    const { hash: _, ...document } = task;
    const adaptive = { quantile: 0.6, margin: 2, minMs: document.cohort.deadlineMs + 1 };
    const wrong = { ...document, cohort: { ...document.cohort, adaptive } };
    expect(() => parseTask(canonicalJson(wrong))).toThrow('cohort.adaptive.minMs');
    expect(() => personal({ ...document, personalisation: undefined })).toThrow('not personal');
  });
});

describe('kept at the dealer', () => {
  const FIRST: Hex = `0x${'a1'.repeat(32)}`;
  const SECOND: Hex = `0x${'a2'.repeat(32)}`;
  const DAY = 1_700_000_000;
  let directory: string;
  let published: Hex | undefined;
  let policies: Map<string, Policy>;
  let nowSeconds: number;
  let fetched: number;
  let parts: PersonalModelsParts;

  const policyOf = (conditions: Partial<Policy['conditions']> = {}): Policy => ({
    grants: requirementOfTask(task, contract).required,
    conditions: {
      expiry: DAY + 1_000,
      accuracyFloorBps: 0,
      privacyCapMilli: NO_PRIVACY_CAP,
      evidence: EVIDENCE.passkey,
      ...conditions,
    },
  });
  const gate = {
    open: (covered: ReadonlySet<string>) =>
      records.filter(({ customerId }) => covered.has(customerId)) as unknown as readonly ConsentedRecord[],
  } as ConsentGate;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'concordat-personal-'));
    [published, nowSeconds, fetched] = [FIRST, DAY, 0];
    policies = new Map(records.map(({ customerId }) => [customerId, policyOf()]));
    parts = {
      files: createPersonalModelFiles(join(directory, 'personal')),
      chain: {
        ledger: { lastModelOf: async () => published, attestationOf: async () => undefined },
        federation: { parameters: async () => ({ metricMaxAgeSeconds: 60 }) as never },
      },
      book: {
        decisions: (access: Access) => new Map([...policies].map(([id, policy]) => [id, evaluate(policy, access)])),
      },
      tasks: () => [
        {
          task,
          contract,
          requirement: requirementOfTask(task, contract),
          fetchBase: async () => {
            fetched += 1;
            return { ...initialModel(task, contract), serverState: {} };
          },
        },
      ],
      gateOf: async () => gate,
      chainNowSeconds: async () => nowSeconds,
      log: SILENT,
    };
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  async function refreshed(models = createPersonalModels(parts)) {
    models.changed();
    await models.settled();
    return { models, model: await models.of(task.hash) };
  }
  const nameOf = (at: number): string => records[at]?.customerId ?? '';

  test('one per published model, for its owner alone to read, and not made again for the same', async () => {
    const { models, model } = await refreshed();
    expect(model).toMatchObject({ baseModelHash: FIRST });
    expect(model?.customers).toHaveLength(records.length);
    const folder = join(directory, 'personal');
    const [file = ''] = await readdir(folder);
    expect([(await stat(folder)).mode & 0o777, (await stat(join(folder, file))).mode & 0o777]).toEqual([0o700, 0o600]);
    await refreshed(models);
    expect(fetched).toBe(1);
    published = SECOND;
    expect((await refreshed(models)).model?.baseModelHash).toBe(SECOND);
    expect(await readdir(folder)).toEqual([file]);
  });

  test('nothing before a round is published', async () => {
    published = undefined;
    expect((await refreshed()).model).toBeUndefined();
  });

  test('a customer withdraws: the model is gone before anyone asks again, and the next one is without them', async () => {
    const { models } = await refreshed();
    policies.set(nameOf(3), { ...policyOf(), grants: 0n });
    expect(await models.of(task.hash)).toBeUndefined();
    expect(await readdir(join(directory, 'personal'))).toEqual([]);
    const { model } = await refreshed(models);
    expect(model?.customers).toHaveLength(records.length - 1);
    expect(model?.customers).not.toContain(nameOf(3));
    const without = records.filter(({ customerId }) => customerId !== nameOf(3));
    const expected = await tune(without);
    expect(decodeModel(model?.model ?? new Uint8Array()).weights).toEqual(expected?.weights);
  });

  test('also when a consent runs out unnoticed, and after a restart', async () => {
    policies.set(nameOf(0), policyOf({ expiry: DAY + 10 }));
    expect((await refreshed()).model?.customers).toContain(nameOf(0));
    nowSeconds = DAY + 10;
    expect(await createPersonalModels(parts).of(task.hash)).toBeUndefined();
  });

  test('a cap on privacy loss keeps a customer out: a personal model has no noise', async () => {
    policies.set(nameOf(1), policyOf({ privacyCapMilli: 8_000 }));
    expect((await refreshed()).model?.customers).not.toContain(nameOf(1));
  });

  test('the door: the operator alone, figures without names, and the file', async () => {
    const { models } = await refreshed();
    const app = createApp();
    app.use(createPersonalRouter({ token: 't0ken', models, firstTask: task.hash }));
    app.use(problemHandler(SILENT));
    const http = await listen(app, 0);
    try {
      const get = (path: string, token = 't0ken') =>
        fetch(`${http.url}/v1/operator/personal-model${path}`, { headers: { authorization: `Bearer ${token}` } });
      expect([(await get('', 'guess')).status, (await get('/file', '')).status]).toEqual([401, 401]);
      const report = (await (await get('')).json()) as object;
      expect(Object.keys(report).sort()).toEqual(
        ['after', 'baseModelHash', 'before', 'heldOut', 'taskHash', 'tunedOn'].sort(),
      );
      const file = new Uint8Array(await (await get('/file')).arrayBuffer());
      expect(decodeModel(file).weights).toHaveLength(base().length);
      expect((await get(`?task=0x${'00'.repeat(32)}`)).status).toBe(404);
      expect((await get('?task=../../etc')).status).toBe(400);
    } finally {
      await http.close();
    }
  });
});
