// Classes and numbers through a sealed round: the coordinator publishes what the opened counts say, and the auditor reads the same.
import { describe, expect, test } from 'vitest';
import { modelCheck } from '../../auditor/checks/14-model.ts';
import { metricsCheck } from '../../auditor/checks/15-metrics.ts';
import type { RoundParts } from '../../coordinator/rounds/parts.ts';
import { publishModel } from '../../coordinator/rounds/publish.ts';
import { toHex } from '../../protocol/bytes.ts';
import { encodeModel, initialModel } from '../../protocol/learning/model.ts';
import { countsPart } from '../../protocol/learning/strategies/parts.ts';
import { encodeUpdate, type NoisyUpdate } from '../../protocol/learning/update.ts';
import { shapeOf, vectorOf } from '../../protocol/learning/vector.ts';
import { changeBodies, copyOf, evidenceOf } from '../helpers/audit/raw-evidence.ts';
import { contractWith, FEATURES, taskOfLabel } from '../helpers/audit/small-task.ts';
import { roundsWithoutConsent } from '../helpers/audit/synthetic-federation.ts';

const TYPES = [
  {
    type: 'classes',
    label: { logicalType: 'string', logicalTypeOptions: { enum: ['few', 'some', 'many'] } },
    model: { layers: [{ units: 3, activation: 'softmax' }], loss: 'softmax-cross-entropy' },
    evaluation: {},
    told: /macro-F1 \d+ bps$/,
  },
  {
    type: 'regression',
    label: { logicalType: 'number', logicalTypeOptions: { minimum: -10, maximum: 90 } },
    model: { layers: [{ units: 1, activation: 'linear' }], loss: 'squared' },
    evaluation: { tolerance: 0.25 },
    told: /mean error 0\.\d+, RMSE 0\.\d+, R2 -?\d+\.\d+$/,
  },
] as const;

/** Rows of the synthetic dealers: see countedBy in the helpers. */
const DEALERS = 4;
const ROWS = 5;
function rightByHand(type: 'classes' | 'regression', place: number): number {
  const score = (i: number) => ((i * 7 + place) % 10) / 10;
  return Array.from({ length: ROWS }, (_, r) => {
    if (type === 'regression') return Math.abs(score(r) - (r % 5) / 4) < 0.25;
    const scores = [score(3 * r), score(3 * r + 1), score(3 * r + 2)];
    return scores.indexOf(Math.max(...scores)) === r % 3;
  }).filter(Boolean).length;
}

describe.each(TYPES)('a task of $type', ({ type, label, model, evaluation, told }) => {
  const contract = contractWith(label);
  const { task, text } = taskOfLabel(contract, model, evaluation);

  test('is audited: models and accuracy are made again, and one point off is found', async () => {
    const raw = await roundsWithoutConsent(task, text, 2, contract);
    const evidence = await evidenceOf(raw);
    expect((await modelCheck.run(evidence)).failures).toEqual([]);
    const { failures, note } = await metricsCheck.run(evidence);
    expect(failures).toEqual([]);
    expect(note).toMatch(told);
    const right = Array.from({ length: DEALERS }, (_, i) => rightByHand(type, i)).reduce((a, b) => a + b, 0);
    expect(note).toContain(`accuracy ${Math.floor((10_000 * right) / (DEALERS * ROWS))} bps over ${DEALERS * ROWS}`);

    const altered = copyOf(raw);
    changeBodies(altered, 'model', ({ accuracyBps, ...body }) => ({ ...body, accuracyBps: accuracyBps + 1 }));
    const found = (await metricsCheck.run(await evidenceOf(altered))).failures.map(({ what }) => what);
    expect(found).toContain('round 1: accuracyBps in the transcript');
    const ranked = copyOf(raw);
    changeBodies(ranked, 'model', (body) => ({ ...body, aucBps: 5_000 }));
    expect((await metricsCheck.run(await evidenceOf(ranked))).failed).toBeGreaterThan(0);
  });

  test('is published by the coordinator: accuracy on chain, no AUC, and what more there is to know', async () => {
    const [vector, shape] = [vectorOf(task, FEATURES), shapeOf(task, FEATURES)];
    const first = initialModel(task, contract);
    const blobs = new Map<string, Uint8Array>([['base', encodeModel(first)]]);
    const published: unknown[] = [];
    const parts = {
      task,
      layout: first.layout,
      shape,
      vector,
      transcript: {
        getBlob: async (hash: string) => blobs.get(hash),
        putBlob: async (bytes: Uint8Array) => toHex(bytes.subarray(0, 32)),
        appendOnce: async () => 'head',
      },
      ledger: {
        publish: async (publication: unknown) => {
          published.push(publication);
          return { gasUsed: 1 };
        },
      },
      gas: () => undefined,
      broadcast: () => undefined,
    } as unknown as RoundParts;
    // 10 rows, of which 7 right
    const counts = type === 'classes' ? [3, 1, 0, 0, 3, 1, 0, 1, 1] : [7, 1, 0, 2];
    const moments = type === 'classes' ? [] : [2.5, 5, 5].map((sum) => sum * 2 ** 24);
    expect(vector.evaluation[0]).toEqual(countsPart('counts', counts.length));
    const levels = [...vector.parts.map(({ length }) => new Float64Array(length)), counts, moments];
    const noisy = { levels: levels.map((part) => Float64Array.from(part)) } as unknown as NoisyUpdate;
    const { values } = encodeUpdate(noisy, vector);
    const record = { baseModelHash: 'base' } as unknown as Parameters<typeof publishModel>[1];
    const sum = { aggregateHash: 'aggregate' } as unknown as Parameters<typeof publishModel>[2];
    const opened = { values } as unknown as Parameters<typeof publishModel>[3];
    const told = await publishModel(1, record, sum, opened, [10], parts);
    expect(published).toEqual([expect.objectContaining({ round: 1, accuracyBps: 7_000, aucBps: 0 })]);
    expect(told.evaluation).toEqual(
      type === 'classes'
        ? { type, recallBps: [7_500, 7_500, 5_000], macroF1Bps: Math.floor(((6 / 7 + 6 / 9 + 0.5) / 3) * 10_000) }
        : { type, mae: expect.closeTo((7 * 0.125 + 0.375 + 2 * 0.875) / 10, 12), rmse: 0.5, r2: 0 },
    );
  });
});
