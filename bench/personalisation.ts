// What tuning the last layer at the dealer brings, on dealers whose customers differ much: Dirichlet(0.1) over kinds of customers.
// npx tsx bench/personalisation.ts [--example coil2000|telco] [--seeds N] [--alpha A] [--json FILE]
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { isHeldOut, isPersonal, type PersonalRecord, tuneLastLayer } from '../edge-node/personal/tune.ts';
import { createTrainer } from '../engines/tensor/train.ts';
import { splitRows } from '../examples/simulation/split.ts';
import { canonicalJson } from '../protocol/learning/canonical-json.ts';
import { featureCount } from '../protocol/learning/features.ts';
import { auc } from '../protocol/learning/metrics.ts';
import { initialModel } from '../protocol/learning/model.ts';
import { parseTask, type Task } from '../protocol/learning/task.ts';
import { examplesOf } from '../scripts/baseline.ts';
import { simulateRounds } from '../scripts/simulate.ts';
import { exampleNamed, type Learning, learningOf, recordsOf, rowsAt } from './learning/material.ts';
import { deviation, mean } from './learning/statistics.ts';
import { seededFill } from './learning/stream.ts';

const { values } = parseArgs({
  options: {
    example: { type: 'string', default: 'coil2000' },
    seeds: { type: 'string', default: '5' },
    alpha: { type: 'string', default: '0.1' },
    json: { type: 'string' },
  },
});
const example = exampleNamed(values.example);
const DEALERS = 12;
const SETTINGS = [
  { localEpochs: 1, learningRate: 0.001, batchSize: 32 },
  { localEpochs: 1, learningRate: 0.01, batchSize: 32 },
  { localEpochs: 5, learningRate: 0.01, batchSize: 32 },
  { localEpochs: 5, learningRate: 0.05, batchSize: 32 },
];
const MODELS = {
  'one layer': [{ units: 1, activation: 'sigmoid' }],
  'two layers': [
    { units: 16, activation: 'tanh' },
    { units: 1, activation: 'sigmoid' },
  ],
};

interface Difference {
  readonly before: number;
  readonly after: number;
}

/** Chance that a dealer's own positive outranks its own negative: over all such pairs at all dealers. */
function withinDealers(scored: readonly { readonly scores: Float32Array; readonly labels: ArrayLike<number> }[]) {
  let [right, pairs] = [0, 0];
  for (const { scores, labels } of scored) {
    const positives = Array.from(labels).filter((label) => label === 1).length;
    const own = positives * (labels.length - positives);
    right += own * (auc(scores, labels) ?? 0);
    pairs += own;
  }
  return right / pairs;
}

async function seedOf({ task, contract }: Learning, rows: Awaited<ReturnType<typeof recordsOf>>['rows'], seed: number) {
  const features = featureCount(contract);
  const split = splitRows(contract, rows, { dealers: DEALERS, seed: `personal/${seed}`, alpha: Number(values.alpha) });
  const dealers = split.dealers.map((places) =>
    rowsAt(rows, places).map((row): PersonalRecord => ({ customerId: String(row[contract.id.name]), row })),
  );
  const held = (records: readonly PersonalRecord[]) => records.filter(({ customerId }) => isHeldOut(task, customerId));
  const own = (records: readonly PersonalRecord[]) => records.filter(({ customerId }) => !isHeldOut(task, customerId));
  const asExamples = (records: readonly PersonalRecord[]) => examplesOf(contract, records.map(({ row }) => row)); // biome-ignore format: one line
  const trainer = await createTrainer(task, features);
  const { weights: base } = await simulateRounds(
    {
      task,
      features,
      trainer,
      dealers: dealers.map((records) => asExamples(own(records))), // held-out records are in nothing at all
      initial: initialModel(task, contract).weights,
      seed: `personal/${seed}`,
      fillRandom: seededFill(`personal/${seed}`),
    },
    task.rounds,
  );
  const found: Difference[] = [];
  for (const personalisation of SETTINGS) {
    const of = { ...task, personalisation };
    if (!isPersonal(of)) throw new Error('not a dense model');
    const scored = await Promise.all(
      dealers.map(async (records) => {
        const tuned = await tuneLastLayer(of, contract, base, records);
        const { features: matrix, labels } = asExamples(held(records));
        const score = (weights: Float32Array) => ({ scores: trainer.score(weights, matrix), labels });
        return { before: score(base), after: score(tuned?.weights ?? base) };
      }),
    );
    found.push({
      before: withinDealers(scored.map(({ before }) => before)),
      after: withinDealers(scored.map(({ after }) => after)),
    });
  }
  return found;
}

const { rows, contract } = await recordsOf(example);
const { task: named } = await learningOf(example, 'task.yaml');
const results: Record<string, unknown>[] = [];
for (const [model, layers] of Object.entries(MODELS)) {
  const { hash: _, ...document } = named;
  const task: Task = parseTask(canonicalJson({ ...document, model: { ...document.model, layers } }));
  const seeds: Difference[][] = [];
  for (let seed = 0; seed < Number(values.seeds); seed++) seeds.push(await seedOf({ task, contract }, rows, seed));
  for (const [i, setting] of SETTINGS.entries()) {
    const differences = seeds.flatMap((found) => found[i] ?? []);
    const gained = differences.map(({ before, after }) => after - before);
    const line = {
      model,
      ...setting,
      before: mean(differences.map(({ before }) => before)),
      after: mean(differences.map(({ after }) => after)),
      gain: mean(gained),
      standardError: deviation(gained) / Math.sqrt(gained.length),
    };
    results.push(line);
    console.log(JSON.stringify(line));
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ example, alpha: values.alpha, results }, undefined, 2)}\n`); // biome-ignore format: one line
