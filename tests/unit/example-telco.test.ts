// The telco example: its counts, its origin's traps, its tasks, and that it learns what the literature says.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readTable } from '../../edge-node/data/csv.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { loadTask } from '../../examples/simulation/load.ts';
import { splitRows } from '../../examples/simulation/split.ts';
import { convert } from '../../examples/telco/convert.ts';
import { numpyPermutation } from '../../examples/telco/permutation.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { initialModel } from '../../protocol/learning/model.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { vectorOf } from '../../protocol/learning/vector.ts';
import { examplesOf, scoreOf } from '../../scripts/baseline.ts';
import { exampleFiles } from '../../scripts/federate/examples.ts';
import { simulateRounds } from '../../scripts/simulate.ts';

const files = exampleFiles('telco');
let loaded: Awaited<ReturnType<typeof loadTask>>;
let rows: readonly Row[];

beforeAll(async () => {
  loaded = await loadTask(files.task);
  rows = await readTable(files.table, loaded.contract);
});

describe('the table', () => {
  test('has the published counts, and the hold-out that numpy draws', () => {
    const left = (of: readonly Row[]) => of.filter((row) => row.churn === 1).length;
    const test = rows.filter((row) => row.split === 'test');
    expect([rows.length, left(rows)]).toEqual([7_043, 1_869]);
    expect([test.length, left(test)]).toEqual([1_409, 370]);
    const drawn = numpyPermutation(7, 7_043).subarray(-1_409).sort();
    expect(rows.flatMap((row, i) => (row.split === 'test' ? [i] : []))).toEqual([...drawn]);
  });

  test('gives the 11 customers of this very month a total of 0, and nobody else', () => {
    const none = rows.filter((row) => row.total_charges === 0);
    expect(none).toHaveLength(11);
    expect(none.every((row) => row.tenure === 0)).toBe(true);
  });

  test('names each segment by its two fields', () => {
    expect(rows.every((row) => row.segment === `${row.contract}/${row.internet_service}`)).toBe(true);
  });

  // numpy 1 and 2: numpy.random.RandomState(seed).permutation(10)
  test.each([
    [0, [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]],
    [42, [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]],
  ])('permutes as numpy does from seed %i', (seed, expected) => {
    expect([...numpyPermutation(seed, 10)]).toEqual(expected);
  });
});

describe('the conversion', () => {
  const header =
    '"churn","female","senior_citizen","partner","dependents","tenure","phone_service","multiple_lines","internet_service","online_security","online_backup","device_protection","tech_support","streaming_tv","streaming_movies","contract","paperless_billing","payment_method","monthly_charges","total_charges"';
  const record = (tenure: number, total: string) =>
    `"Yes",1,0,1,0,${tenure},0,"No phone service","DSL","No","Yes","No","No","No","No","One year",1,"Mailed check",29.85,${total}`;

  test('puts id, split and segment in front and the label last', () => {
    const [, line = ''] = convert(`${header}\n${record(0, 'NA')}\n`).split('\n');
    expect(line).toMatch(/^T0001,test,One year\/DSL,1,.*,29\.85,0,1$/);
  });

  test('stops at a total that is missing for another reason, and at another table', () => {
    expect(() => convert(`${header}\n${record(3, 'NA')}\n`)).toThrow(/row 1: no total_charges after 3 months/);
    expect(() => convert(`${header.replace('churn', 'left')}\n${record(0, 'NA')}\n`)).toThrow(ConcordatError);
  });
});

describe('its tasks', () => {
  const folder = join(PACKAGE_ROOT, 'examples/telco/tasks');
  test.each(readdirSync(folder))('%s names this contract and fits a round', async (name) => {
    const { task, contract } = await loadTask(join(folder, name));
    expect(contract.hash).toBe(loaded.contract.hash);
    expect(vectorOf(task, featureCount(contract)).length).toBeGreaterThan(0);
  });

  test('FedAvg over 12 dealers of unlike customers ranks leavers with an AUC of 0.845 and more', async () => {
    const { task, contract } = loaded;
    const features = featureCount(contract);
    expect(features).toBe(40);
    const seed = 'telco';
    const { dealers, holdOut } = splitRows(contract, rows, { dealers: 12, seed });
    const pick = (list: readonly number[]) =>
      examplesOf(
        contract,
        list.flatMap((i): Row[] => (rows[i] ? [rows[i]] : [])),
      );
    const trainer = await createTrainer(task, features);
    const initial = initialModel(task, contract).weights;
    const federation = { task, features, trainer, dealers: dealers.map(pick), initial, seed };
    const { weights } = await simulateRounds(federation, task.rounds);
    const examples = pick(holdOut);
    expect(scoreOf(trainer.score(weights, examples.features), examples).auc).toBeGreaterThan(0.845);
  }, 60_000);
});

test('an example that is not there is refused by name, and a path is no name', () => {
  for (const name of ['telecom', '../examples/telco', '']) expect(() => exampleFiles(name)).toThrow(/coil2000, telco/);
});
