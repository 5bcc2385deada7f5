// What a label may be, what of a task must fit it, and the way from a cell to a target to a prediction.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { COIL2000 } from '../../examples/simulation/load.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { parseDataContract } from '../../protocol/learning/data-contract.ts';
import { labelsOf } from '../../protocol/learning/features.ts';
import { outputsOf, predictionsOf, taskTypeOf } from '../../protocol/learning/target.ts';
import { checkTaskContract, parseTask } from '../../protocol/learning/task.ts';
import { vectorOf } from '../../protocol/learning/vector.ts';

const CONTRACT = readFileSync(`${COIL2000}/contract.yaml`, 'utf8');
const TASK = readFileSync(`${COIL2000}/task.yaml`, 'utf8');
const CARAVAN = 'logicalType: integer, required: true, logicalTypeOptions: { minimum: 0, maximum: 1 }';
const codes = (count: number) => Array.from({ length: count }, (_, k) => `c${k}`).join(', ');

/** The example's contract with another label. */
function labelled(label: string): string {
  const changed = CONTRACT.replace(
    `${CARAVAN},\n          customProperties: [{ property: fieldClass, value: insurance }, { property: role, value: label }`,
    `${label},\n          customProperties: [{ property: fieldClass, value: insurance }, { property: role, value: label }`,
  );
  if (changed === CONTRACT && label !== CARAVAN) throw new Error('the label is not where it was');
  return changed;
}
const text = (of: string) => `logicalType: string, required: true, logicalTypeOptions: { enum: [${of}] }`;
const number = (options: string, type = 'number') =>
  `logicalType: ${type}, required: true, logicalTypeOptions: { ${options} }`;

function failure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ConcordatError) return `${error.code} ${error.detail}`;
    throw error;
  }
  return 'nothing was refused';
}

describe('a label', () => {
  test.each([
    ['binary', 1, CARAVAN],
    ['classes', 3, text(codes(3))],
    ['classes', 64, text(codes(64))],
    ['classes', 4, number('enum: [3, 1, 4, 15]', 'integer')],
    ['regression', 1, number('minimum: 0, maximum: 2', 'integer')],
    ['regression', 1, number('minimum: 0, maximum: 1')],
    ['regression', 1, number('minimum: -5.5, maximum: 1000000')],
  ] as const)('asks for %s with %i outputs', (type, outputs, label) => {
    const contract = parseDataContract(labelled(label));
    expect([taskTypeOf(contract), outputsOf(contract)]).toEqual([type, outputs]);
  });

  test.each([
    ['two codes', text(codes(2)), /of two, make an integer/],
    ['65 codes', text(codes(65)), /3 to 64/],
    ['a code twice', text('a, b, c, a'), /twice/],
    ['codes of a number', number('enum: [1, 2, 3]'), /3 to 64 texts or integers/],
    ['a text without codes', 'logicalType: string, required: true', /enum/],
    ['no bounds', 'logicalType: number, required: true', /public bounds/],
    ['one bound', number('minimum: 0'), /public bounds/],
    ['no range', number('minimum: 3, maximum: 3'), /under its maximum/],
    ['a range that is not finite', number('minimum: -1.7e308, maximum: 1.7e308'), /finite/],
    ['a cell that may be missing', 'logicalType: integer, logicalTypeOptions: { minimum: 0, maximum: 1 }', /required/],
  ])('of %s is refused, with what to write instead', (_, label, advice) => {
    const refusal = failure(() => parseDataContract(labelled(label)));
    expect(refusal).toMatch(/^CONTRACT_INVALID/);
    expect(refusal).toMatch(advice);
  });

  test('becomes a target and comes back: a class is its place in the enum, a number a share of its range', () => {
    const classes = parseDataContract(labelled(text('low, middle, high')));
    const rows = ['high', 'low', 'middle'].map((CARAVAN) => ({ CARAVAN }));
    expect(labelsOf(classes, rows)).toEqual(Uint8Array.of(2, 0, 1));
    // equal scores: the first class
    const scores = Float32Array.of(0.1, 0.2, 0.7, 0.4, 0.4, 0.2, 0.3, 0.3, 0.4);
    expect(predictionsOf(classes.target, scores)).toEqual(['high', 'low', 'high']);

    const numbers = parseDataContract(labelled(number('minimum: -10, maximum: 30')));
    const cells = [-10, 30, 0].map((CARAVAN) => ({ CARAVAN }));
    expect(labelsOf(numbers, cells)).toEqual(Float32Array.of(0, 1, 0.25));
    expect(predictionsOf(numbers.target, Float32Array.of(0, 1, 0.25, -0.5, 7))).toEqual([-10, 30, 0, -10, 30]);
  });
});

/** The example's task, with places changed; every change must hit. */
function taskOf(...changes: readonly (readonly [from: string, to: string])[]): string {
  return changes.reduce((source, [from, to]) => {
    if (!source.includes(from)) throw new Error(`${from} is not in the task`);
    return source.replace(from, to);
  }, TASK);
}
const LAYER = 'layers: [{ units: 1, activation: sigmoid }]';
const LOSS = 'loss: sigmoid-cross-entropy';
const WEIGHT = ['positiveWeight: 15', 'positiveWeight: 1'] as const;
const THRESHOLD = 'decisionThreshold: 0.8125';
const CLASSES = [
  [LAYER, 'layers: [{ units: 3, activation: softmax }]'],
  [LOSS, 'loss: softmax-cross-entropy'],
  WEIGHT,
  [THRESHOLD, ''],
] as const;
const NUMBER = [
  [LAYER, 'layers: [{ units: 1, activation: linear }]'],
  [LOSS, 'loss: squared'],
  WEIGHT,
  [THRESHOLD, 'tolerance: 0.125'],
] as const;

describe('[LRN-2] a task', () => {
  test.each([
    ['classes', CLASSES, text('low, middle, high'), [9, 0]],
    ['a number', NUMBER, number('minimum: 0, maximum: 50'), [256, 3]],
    ['a label of 0 or 1', [], CARAVAN, [512, 0]],
  ] as const)('of %s fits its contract, and says how much is counted', (_, changes, label, counted) => {
    const contract = parseDataContract(labelled(label));
    const hash = TASK.match(/hash: "(0x[0-9a-f]{64})"/)?.[1] ?? '';
    const task = parseTask(taskOf(...changes, [hash, contract.hash]));
    checkTaskContract(task, contract);
    expect(vectorOf(task, 343).evaluation.map(({ length }) => length)).toEqual(counted);
  });

  test('of one type is refused for the label of another, with the layer that fits', () => {
    const refusal = (changes: readonly (readonly [string, string])[], label: string) => {
      const contract = parseDataContract(labelled(label));
      const hash = TASK.match(/hash: "(0x[0-9a-f]{64})"/)?.[1] ?? '';
      return failure(() => checkTaskContract(parseTask(taskOf(...changes, [hash, contract.hash])), contract));
    };
    expect(refusal([], text('low, middle, high'))).toMatch(/model\.loss.*3 softmax units/);
    expect(refusal([], number('minimum: 0, maximum: 5'))).toMatch(/model\.loss.*one linear unit/);
    expect(refusal(CLASSES, CARAVAN)).toMatch(/model\.loss.*sigmoid/);
    expect(refusal(CLASSES, text(codes(5)))).toMatch(/model\.layers.*5 classes/);
  });

  test.each([
    ['softmax of two', [[LAYER, 'layers: [{ units: 2, activation: softmax }]'], ...CLASSES.slice(1)], 'model.layers.0'],
    ['softmax of 65', [[LAYER, 'layers: [{ units: 65, activation: softmax }]'], ...CLASSES.slice(1)], 'model.layers.0'],
    ['cross-entropy of a line', [[LAYER, 'layers: [{ units: 1, activation: linear }]']], 'model.layers.0'],
    ['two numbers', [[LAYER, 'layers: [{ units: 2, activation: linear }]'], ...NUMBER.slice(1)], 'model.layers.0'],
    [
      'softmax below the last layer',
      [[LAYER, 'layers: [{ units: 4, activation: softmax }, { units: 1, activation: sigmoid }]']],
      'model.layers.0.activation',
    ],
    ['positives among classes', [...CLASSES.slice(0, 2), CLASSES[3]], 'model.positiveWeight'],
    ['a threshold between bins', [[THRESHOLD, 'decisionThreshold: 0.81']], 'evaluation.decisionThreshold'],
    ['no threshold', [[THRESHOLD, '']], 'evaluation.decisionThreshold'],
    ['a threshold of a number', [...NUMBER.slice(0, 3)], 'evaluation.decisionThreshold'],
    ['no tolerance', [...NUMBER.slice(0, 3), [THRESHOLD, '']], 'evaluation.tolerance'],
    ['a tolerance between bins', [...NUMBER.slice(0, 3), [THRESHOLD, 'tolerance: 0.1']], 'evaluation.tolerance'],
    ['a tolerance of 0', [...NUMBER.slice(0, 3), [THRESHOLD, 'tolerance: 0']], 'evaluation.tolerance'],
    ['gradients of a squared sigmoid', [[LOSS, 'loss: squared']], 'model.loss'],
  ] as const)('with %s is refused where it is wrong', (_, changes, path) => {
    const refusal = failure(() => parseTask(taskOf(...(changes as readonly (readonly [string, string])[]))));
    expect(refusal).toMatch(/^TASK_INVALID/);
    expect(refusal).toContain(`${path}: `);
  });

  test.each(['ridge', 'dp-ridge'])('of classes is refused by %s, with the strategies that can', (name) => {
    const source = readFileSync(`${COIL2000}/tasks/${name}.yaml`, 'utf8');
    const classes = source
      .replace(/layers: .*/, 'layers: [{ units: 3, activation: softmax }]')
      .replace(/loss: .*/, 'loss: softmax-cross-entropy')
      .replace(/decisionThreshold: .*/, '');
    expect(failure(() => parseTask(classes))).toMatch(/strategy\.name: .*one output/);
    const line = source
      .replace(/activation: sigmoid/, 'activation: linear')
      .replace(/decisionThreshold: .*/, 'tolerance: 0.125');
    expect(failure(() => parseTask(line))).toBe('nothing was refused');
  });
});
