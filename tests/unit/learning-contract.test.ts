// The data contract and the task: what is taken, what is refused, and how the refusal names its place.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { COIL2000, loadTask } from '../../examples/simulation/load.ts';
import { EVIDENCE } from '../../protocol/consent/policy.ts';
import { grantBit } from '../../protocol/consent/scenes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import { parseDataContract } from '../../protocol/learning/data-contract.ts';
import { checkTaskContract, packingOf, parseTask, requirementOfTask } from '../../protocol/learning/task.ts';
import { rowFromText, uniqueCheck } from '../../protocol/learning/validate-row.ts';

const contractSource = readFileSync(`${COIL2000}/contract.yaml`, 'utf8');
const taskSource = readFileSync(`${COIL2000}/task.yaml`, 'utf8');

function failure(run: () => unknown): ConcordatError {
  try {
    run();
  } catch (error) {
    if (error instanceof ConcordatError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** The source with one place changed; the change must hit. */
function altered(source: string, from: string | RegExp, to: string): string {
  const changed = source.replace(from, to);
  if (changed === source) throw new Error(`${from} is not in the source`);
  return changed;
}

describe('the data contract', () => {
  test('of the example parses: 88 fields, one of each singular role', () => {
    const contract = parseDataContract(contractSource);
    expect(contract.fields).toHaveLength(88);
    expect([contract.id, contract.split, contract.partition, contract.label].map((field) => field?.name)).toEqual([
      'customer_id',
      'split',
      'MOSHOOFD',
      'CARAVAN',
    ]);
  });

  test('hashes what it says: comments, key order and anchors do not count, a constant does', () => {
    const { hash, document } = parseDataContract(contractSource);
    expect(parseDataContract(`# a remark\n${contractSource}`).hash).toBe(hash);
    expect(parseDataContract(JSON.stringify(document)).hash).toBe(hash);
    expect(parseDataContract(altered(contractSource, 'centre: 2.7', 'centre: 2.8')).hash).not.toBe(hash);
  });

  test.each([
    ['an unknown key', /^status: active/m, 'status: active\nowner: us', 'owner'],
    ['an unknown field class', 'value: area-statistics', 'value: area', 'schema.0.properties.3.customProperties'],
    [
      'a field without a class',
      '{ property: fieldClass, value: identity }, { property: role, value: id }',
      '{ property: role, value: id }',
      'customer_id',
    ],
    ['a second label', '{ property: role, value: id }', '{ property: role, value: label }', 'CARAVAN'],
    ['two fields of one name', 'name: split', 'name: MOSTYPE', 'MOSTYPE'],
    [
      'a map that does not fit the type',
      'map: scaled, centre: 1,',
      'map: one-hot, values: [a], weight: 1 }, { map: scaled, centre: 1,',
      'MAANTHUI',
    ],
    ['minimum over maximum', '{ minimum: 1, maximum: 41 }', '{ minimum: 42, maximum: 41 }', 'MOSTYPE'],
    ['a code that no record can have', 'values: [1, 2, 3,', 'values: [0, 2, 3,', "0 is beyond the field's bounds"],
    ['a quoted code among numbers', 'values: [1, 2, 3,', 'values: ["1", 2, 3,', 'or its values as integer'],
    ['an id that may occur twice', 'required: true, unique: true', 'required: true', 'customer_id'],
    ['a hold-out of another name', 'enum: [train, test]', 'enum: [train, Test]', 'give enum: [train, test]'],
    ['a hold-out of any name', ', logicalTypeOptions: { enum: [train, test] }', '', 'give enum: [train, test]'],
    [
      'a row that may have no split',
      'logicalType: string, required: true, logicalTypeOptions: { enum: [train, test] }',
      'logicalType: string, logicalTypeOptions: { enum: [train, test] }',
      'split',
    ],
    [
      'an optional feature',
      'logicalType: integer, required: true, logicalTypeOptions: { minimum: 1, maximum: 41 }',
      'logicalType: integer, logicalTypeOptions: { minimum: 1, maximum: 41 }',
      'MOSTYPE',
    ],
    [
      'a feature map on the label',
      '{ property: role, value: label }',
      '{ property: role, value: label }, { property: features, value: [{ map: scaled, centre: 0, scale: 1 }] }',
      'CARAVAN',
    ],
    ['a scale of zero', 'centre: 1, scale: 2', 'centre: 1, scale: 0', 'scale'],
    ['a name that prototypes have', 'name: MAANTHUI', 'name: __proto__', 'schema.0.properties.3.name'],
    ['a custom tag', 'status: active', 'status: !!js/function active', 'tag'],
    ['a duplicate key', 'status: active', 'status: active\nstatus: draft', 'unique'],
    ['an alias without an anchor', '*share', '*shared', 'shared'],
  ])('refuses %s and names the place', (_, from, to, place) => {
    const error = failure(() => parseDataContract(altered(contractSource, from, to)));
    expect(error.code).toBe('CONTRACT_INVALID');
    expect(error.detail.toLowerCase()).toContain(place.toLowerCase());
  });

  test.each(['sql', 'custom', 'library'])('refuses a quality check of type %s, which would run code', (type) => {
    const quality = `quality: [{ type: ${type}, description: "SELECT 1" }], logicalType: string, required: true, unique`;
    const error = failure(() =>
      parseDataContract(altered(contractSource, 'logicalType: string, required: true, unique', quality)),
    );
    expect(error.code).toBe('CONTRACT_INVALID');
    expect(error.detail).toMatch(/properties\.0\.quality\.0\.type.*sql and custom/);
  });

  test('refuses an alias bomb and an oversized document without expanding them', () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`,
    );
    expect(failure(() => parseDataContract(`a0: &a0 x\n${levels.join('\n')}`)).code).toBe('CONTRACT_INVALID');
    expect(failure(() => parseDataContract('#'.repeat(1_000_001))).code).toBe('CONTRACT_INVALID');
  });
});

test('an optional field may be called constructor: a record without it has no such cell', () => {
  const field = `- { name: constructor, logicalType: string, unique: true,
          customProperties: [{ property: fieldClass, value: identity }, { property: role, value: partition }] }
      - { name: split`;
  const contract = parseDataContract(
    altered(contractSource, '- { name: split', field)
      .replace('name: MOSHOOFD', 'name: OTHER')
      .replace(/(name: OTHER[\s\S]*?role, value: )partition/, '$1feature'),
  );
  const cells = Object.fromEntries(
    contract.fields.flatMap(({ name, required, codes, minimum }) =>
      required ? [[name, String([...(codes ?? [])][0] ?? minimum ?? 'C1')]] : [],
    ),
  );
  const unique = uniqueCheck(contract);
  for (const row of [1, 2]) {
    const read = rowFromText(contract, cells, row);
    expect(Object.hasOwn(read, 'constructor')).toBe(false);
    unique({ ...read, customer_id: `C${row}` }, row);
  }
});

describe('the task', () => {
  test('of the example parses and names the contract by hash', async () => {
    const { task, contract } = await loadTask(`${COIL2000}/task.yaml`);
    expect(task.dataContract.hash).toBe(contract.hash);
    expect(task.hash).toMatch(/^0x[0-9a-f]{64}$/);
  });

  test('requires its own scene and model-training, over the classes of label and features only', async () => {
    const { task, contract } = await loadTask(`${COIL2000}/task.yaml`);
    const { required, minEvidence } = requirementOfTask(task, contract);
    const cells = (['model-training', 'lead-scoring'] as const).flatMap((scene) =>
      (['demographics', 'area-statistics', 'insurance'] as const).map((c) => grantBit(scene, c)),
    );
    expect(required).toBe(cells.reduce((a, b) => a | b));
    expect(minEvidence).toBe(EVIDENCE.passkey);
  });

  test.each([
    ['an unknown scene', 'scene: lead-scoring', 'scene: leads', 'scene'],
    ['an unknown strategy', 'name: fedavg', 'name: fedmagic', 'strategy'],
    ['a score of two units', 'units: 1', 'units: 2', 'model.layers.0'],
    ['values too narrow to mean anything', 'valueBits: 16', 'valueBits: 3', 'update.valueBits'],
    ['values wider than their array', 'valueBits: 16', 'valueBits: 17', 'update.valueBits'],
    ['an unknown packing', 'packing: 3x26', 'packing: 6x13', 'update.packing'],
    ['a packing that these values overflow', 'packing: 3x26', 'packing: 5x15', 'update.packing'],
    ['a cohort of two, in which each knows the other\u2019s', 'min: 3', 'min: 2', 'cohort.min'],
    ['a cohort beyond any packing', 'min: 3', 'min: 1025', 'cohort.min'],
    [
      'a threshold inside a bin',
      'decisionThreshold: 0.8125',
      'decisionThreshold: 0.8126',
      'evaluation.decisionThreshold',
    ],
    ['a step that overshoots', 'l2: 0.1', 'l2: 10\n  # with learningRate 0.1', 'model.l2'],
    ['an unknown key', 'rounds: 10', 'rounds: 10\nspeed: high', 'speed'],
  ])('refuses %s and names the place', (_, from, to, place) => {
    const source = place === 'model.l2' ? altered(taskSource, 'learningRate: 0.01', 'learningRate: 0.1') : taskSource;
    const error = failure(() => parseTask(altered(source, from, to)));
    expect(error.code).toBe('TASK_INVALID');
    expect(error.detail).toContain(place);
  });

  test('takes the packing that holds its smallest cohort, and no denser one', () => {
    const packed = (packing: string, valueBits: number, min: number): string =>
      [
        ['packing: 3x26', `packing: ${packing}`],
        ['valueBits: 16', `valueBits: ${valueBits}`],
        ['min: 3', `min: ${min}`],
      ].reduce((source, [from, to]) => (from === to ? source : altered(source, from ?? '', to ?? '')), taskSource);
    for (const [packing, valueBits, most] of [
      ['3x26', 16, 1_024],
      ['4x19', 16, 8],
      ['4x19', 12, 128],
      ['5x15', 12, 8],
      ['5x15', 13, 4],
    ] as const) {
      const task = parseTask(packed(packing, valueBits, most));
      expect(packingOf(task)).toMatchObject({ name: packing, valueBits, maxDealers: most });
      if (most === 1_024) continue;
      const error = failure(() => parseTask(packed(packing, valueBits, most + 1)));
      expect(error.code).toBe('TASK_INVALID');
      expect(error.detail).toContain(`update.packing: ${packing} holds ${most} dealers of ${valueBits} bits`);
    }
  });

  test('refuses a contract other than the one it names, and a label that is not there', () => {
    const task = parseTask(taskSource);
    const other = parseDataContract(altered(contractSource, 'centre: 2.7', 'centre: 2.8'));
    expect(failure(() => checkTaskContract(task, other)).detail).toContain(other.hash);
    const relabelled = parseTask(altered(taskSource, 'label: CARAVAN', 'label: ABRAND'));
    expect(failure(() => checkTaskContract(relabelled, parseDataContract(contractSource))).detail).toContain('CARAVAN');
  });
});

test('canonical JSON: RFC 8785 orders keys by UTF-16 code units and writes numbers as ECMAScript does', () => {
  expect(canonicalJson({ b: [1, true, null], a: 1e21, '\u20ac': 'x\n', '\ud83d\ude00': 0.1, '\ufb33': -0 })).toBe(
    '{"a":1e+21,"b":[1,true,null],"\u20ac":"x\\n","\ud83d\ude00":0.1,"\ufb33":0}',
  );
  expect(() => canonicalJson({ a: Number.NaN })).toThrow(TypeError);
});
