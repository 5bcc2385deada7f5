// Diagnosis: every fault at once, each on its line; nothing that the parsers refuse is missed, and nothing they take is blamed.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Document, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import { COIL2000 } from '../../examples/simulation/load.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { parseDataContract } from '../../protocol/learning/data-contract.ts';
import { examineContract, examineTask, type Finding } from '../../protocol/learning/diagnose.ts';
import { parseTask } from '../../protocol/learning/task.ts';
import { exampleFiles } from '../../scripts/federate/examples.ts';

const taskSource = readFileSync(`${COIL2000}/task.yaml`, 'utf8');
const contractSource = readFileSync(`${COIL2000}/contract.yaml`, 'utf8');
const telcoSource = readFileSync(exampleFiles('telco').contract, 'utf8');
const contract = parseDataContract(contractSource);

/** The source with places changed; each change must hit. */
function altered(source: string, ...changes: readonly (readonly [from: string, to: string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`${from} is not in the source`);
    return text.replace(from, to);
  }, source);
}

const refuses = (parse: () => unknown): boolean => {
  try {
    parse();
    return false;
  } catch (error) {
    if (error instanceof ConcordatError) return true;
    throw error;
  }
};

/** Every key and every list entry below a node, as paths. */
function pathsOf(node: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (isMap(node)) {
    return node.items.flatMap(({ key, value }) => {
      const below = [...path, String(isScalar(key) ? key.value : key)];
      return [below, ...pathsOf(value, below)];
    });
  }
  if (isSeq(node)) return node.items.flatMap((item, i) => [[...path, i], ...pathsOf(item, [...path, i])]);
  return [];
}

type Corruption = (document: Document, path: readonly (string | number)[]) => void;
const replacedBy =
  (value: unknown): Corruption =>
  (document, path) =>
    document.setIn(path, value);

const CORRUPTIONS: Readonly<Record<string, Corruption>> = {
  removed: (document, path) => void document.deleteIn(path),
  'made null': replacedBy(null),
  'made a list': replacedBy([['x']]),
  'made a mapping': replacedBy({ unknown: 1 }),
  'made a huge negative number': replacedBy(-1e300),
  'made a fraction': replacedBy(0.123456789),
};

/** What of a corrupted source is wrong with the findings; undefined when they are as they should be. */
function judge(source: string, findings: readonly Finding[], refused: boolean): string | undefined {
  const lines = source.split('\n');
  if (refused !== findings.length > 0) return `${refused ? 'refused' : 'taken'}, with ${findings.length} findings`;
  const outside = findings.find(({ line, column }) => {
    const text = lines[line - 1];
    return text === undefined || column < 1 || column > Math.max(1, text.length);
  });
  if (outside) return `${outside.line}:${outside.column} is not in the file`;
  const mute = findings.find(
    ({ problem, remedy }) => problem === '' || remedy === '' || /undefined|\[object/.test(remedy),
  );
  return mute && `nothing to read: ${mute.problem} → ${mute.remedy}`;
}

describe('the task', () => {
  test('of the example has no fault', () => {
    expect(examineTask(taskSource).findings(contract)).toEqual([]);
  });

  test.each(Object.keys(CORRUPTIONS))('every field %s: at least one fault, on a line of the file', (name) => {
    const paths = pathsOf(parseDocument(taskSource).contents);
    expect(paths.length).toBeGreaterThan(35);
    const wrong: string[] = [];
    for (const path of paths) {
      const document = parseDocument(taskSource);
      CORRUPTIONS[name]?.(document, path);
      const source = String(document);
      const findings = examineTask(source).findings(contract);
      // a fraction is a fine number for some fields; nothing else is fine for any
      const fine = name === 'made a fraction' && !refuses(() => parseTask(source));
      const fault = fine ? undefined : judge(source, findings, true);
      if (fault) wrong.push(`${path.join('.')}: ${fault}`);
    }
    expect(wrong).toEqual([]);
  });

  test('is blamed exactly when parseTask refuses it', () => {
    const wrong: string[] = [];
    for (const path of pathsOf(parseDocument(taskSource).contents)) {
      for (const value of [0, 1, 2, 7.5, 1e6, '', 'x', 'squared', 'relu', 'dp', 'ridge', '5x15', true]) {
        const document = parseDocument(taskSource);
        document.setIn(path, value);
        const source = String(document);
        const fault = judge(
          source,
          examineTask(source).findings(),
          refuses(() => parseTask(source)),
        );
        if (fault) wrong.push(`${path.join('.')} = ${value}: ${fault}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('of several keys that are missing at one place, each is named', () => {
    const findings = examineTask(altered(taskSource, ['mode: none', 'mode: dp'])).findings(contract);
    expect(findings.map(({ path }) => path)).toEqual(
      // the mode itself too: fedavg adds no noise
      ['epsilon', 'delta', 'noiseMultiplier', 'clipNorm', 'samplingRate', 'honestDealers', 'mode'].map(
        (key) => `privacy.${key}`,
      ),
    );
  });

  test('a model for another kind of label: only what the label asks for is said', () => {
    const classes = altered(
      taskSource,
      ['units: 1, activation: sigmoid', 'units: 2, activation: softmax'],
      ['loss: sigmoid-cross-entropy', 'loss: softmax-cross-entropy'],
    );
    expect(examineTask(classes).findings(contract)).toMatchObject([
      { path: 'model.loss', problem: 'the label is 0 or 1', remedy: /activation: sigmoid/ },
    ]);
    // without the contract nobody knows the label
    expect(examineTask(classes).findings().length).toBeGreaterThan(1);
    const hidden = altered(classes, ['[{ units: 2', '[{ units: 9000, activation: relu }, { units: 2']);
    expect(
      examineTask(hidden)
        .findings(contract)
        .map(({ path }) => path),
    ).toContain('model.layers.0.units');
  });

  test('a loss that does not fit the last layer is said once', () => {
    const line = altered(taskSource, ['activation: sigmoid', 'activation: linear']);
    expect(
      examineTask(line)
        .findings(contract)
        .map(({ path }) => path),
    ).toEqual(['model.layers.0']);
  });

  test('a topology that cannot be read is not also blamed for what it puts out', () => {
    const document = parseDocument(taskSource);
    document.setIn(['model'], {
      kind: 'tfjs-layers',
      topology: { class_name: 'Sequential', config: { layers: [] } },
      weights: [{ name: 'score/kernel', shape: [343, 1] }],
      ...{ loss: 'softmax-cross-entropy', positiveWeight: 1, l2: 0 },
    });
    const paths = examineTask(String(document))
      .findings(contract)
      .map(({ path }) => path);
    expect(paths.filter((path) => path.startsWith('model'))).toEqual(['model.topology']);
  });

  test.each([
    ['rounds: 10', 'rounds: 10.5', '10.5 is no whole number'],
    ['min: 3', 'min: 2', '2 is too small'],
    ['valueBits: 16', 'valueBits: 32', '32 is too large'],
    ['learningRate: 0.01', 'learningRate: "0.01"', '"0.01" is a text'],
    ['title: Who is interested in a caravan policy?', 'title: 7', '7 is a number'],
  ])('%s made %s: what was found is said, in plain words', (from, to, problem) => {
    expect(examineTask(altered(taskSource, [from, to])).findings(contract)).toMatchObject([{ problem }]);
  });

  test('every fault is reported, of syntax-free kinds all at once, in the order of the file', () => {
    const source = altered(
      taskSource,
      ['scene: lead-scoring', 'scene: lead-scorin'],
      [contract.hash, `0x${'0'.repeat(64)}`],
      ['label: CARAVAN', 'label: CARVAN'],
      ['localEpochs: 5', 'localEpoch: 5'],
      ['learningRate: 0.01', 'learningRate: 20'],
      ['packing: 3x26', 'packing: 5x15'],
      ['decisionThreshold: 0.8125', 'decisionThreshold: 0.8126'],
    );
    const findings = examineTask(source).findings(contract);
    expect(findings.map(({ path }) => path)).toEqual([
      'scene',
      'dataContract.hash',
      'label',
      'strategy.localEpochs',
      'strategy.localEpoch',
      'strategy.learningRate',
      'update.packing',
      'evaluation.decisionThreshold',
    ]);
    const [scene, hash, , , misspelt, rate] = findings;
    expect(scene?.problem).toContain('is it lead-scoring?');
    expect(hash?.remedy).toContain(`"${contract.hash}"`);
    expect(misspelt?.remedy).toContain('write localEpochs');
    const line = source.split('\n')[(rate?.line ?? 0) - 1] ?? '';
    expect(line.slice((rate?.column ?? 0) - 1)).toBe('20');
    expect([rate?.length, rate?.remedy]).toEqual([2, expect.stringContaining('to 10')]);
  });

  test('what lies between task and strategy, cohort, privacy and layout', () => {
    const at = (...changes: Parameters<typeof altered>[1][]) =>
      examineTask(altered(taskSource, ...changes))
        .findings(contract)
        .map(({ path }) => path);
    const budget =
      'mode: dp\n  epsilon: 1\n  delta: 0.00001\n  noiseMultiplier: 1\n  clipNorm: 2\n  samplingRate: 1\n  honestDealers: 3';
    expect(at(['mode: none', budget])).toEqual(['privacy.mode']);
    expect(at(['l2: 0.1', 'l2: 10'], ['learningRate: 0.01', 'learningRate: 1'])).toEqual(['model.l2']);
    const wide = '{ units: 4096, activation: relu }, '.repeat(3);
    expect(at(['layers: [', `layers: [${wide}`])).toEqual(['model.layers']);
  });

  test.each([
    ['nothing', ''],
    ['only a remark', '# later\n\n'],
    ['a list', '- 1\n'],
    ['an open bracket', 'a: [1\n'],
    ['an open quote', `${taskSource}x: "`],
    ['a tab', 'a:\n\tb: 1\n'],
    ['a key twice', `${taskSource}id: again\n`],
    ['a custom tag', altered(taskSource, ['rounds: 10', 'rounds: !!js/function 10'])],
    ['an alias without an anchor', altered(taskSource, ['rounds: 10', 'rounds: *ten'])],
    ['two documents', `${taskSource}---\n${taskSource}`],
    ['Windows line ends and a fault', altered(taskSource, ['rounds: 10', 'rounds: ten']).replaceAll('\n', '\r\n')],
    ['a million characters', '#'.repeat(1_000_001)],
  ])('%s: at least one fault inside the file', (_, source) => {
    expect(
      judge(
        source,
        examineTask(source).findings(contract),
        refuses(() => parseTask(source)),
      ),
    ).toBeUndefined();
    expect(examineTask(source).findings(contract).length).toBeGreaterThan(0);
  });

  test('a key that JavaScript objects have anyway is a stranger all the same', () => {
    for (const key of ['constructor', '__proto__', 'toString']) {
      const source = `${taskSource}${key}: 1\n`;
      expect(
        examineTask(source)
          .findings()
          .some(({ line }) => line === source.split('\n').length - 1),
      ).toBe(true);
    }
  });
});

describe('the data contract', () => {
  test.each([
    ['coil2000', contractSource],
    ['telco', telcoSource],
  ])('of %s has no fault', (_, source) => {
    expect(examineContract(source)).toEqual([]);
  });

  test('a fault in what an anchor names is reported once, where it stands', () => {
    const source = altered(contractSource, [
      'map: capped-scaled, cap: 4, scale: 1',
      'map: capped-scaled, cap: 4, scale: 0',
    ]);
    const findings = examineContract(source); // 21 fields share it
    expect(findings).toHaveLength(1);
    expect(source.split('\n')[(findings[0]?.line ?? 0) - 1]).toContain('scale: 0');
  });

  test('faults of fields are found although another field breaks the schema', () => {
    const source = altered(
      telcoSource,
      ['value: identity }, { property: role, value: id }', 'value: identiti }, { property: role, value: id }'],
      ['maximum: 120', 'maximum: -120'],
      ['values: [DSL, Fiber optic, "No"]', 'values: [1, 2]'],
    );
    expect(examineContract(source).map(({ path }) => path)).toEqual([
      expect.stringMatching(/properties\.0\.customProperties\.0\.value$/),
      expect.stringMatching(/properties\.7\.logicalTypeOptions\.minimum$/),
      expect.stringMatching(/properties\.10\.customProperties\.2\.value\.0$/),
    ]);
  });

  test('is blamed exactly when parseDataContract refuses it, on a line of the file', () => {
    const paths = pathsOf(parseDocument(telcoSource).contents).filter((_, i) => i % 19 === 0);
    expect(paths.length).toBeGreaterThan(15);
    const wrong: string[] = [];
    for (const path of paths) {
      for (const [name, corrupt] of Object.entries(CORRUPTIONS)) {
        const document = parseDocument(telcoSource);
        if (document.getIn(path) === undefined) continue; // behind an alias
        corrupt(document, path);
        let source: string;
        try {
          source = String(document);
        } catch {
          continue; // an alias lost its anchor: no such file can be written
        }
        const fault = judge(
          source,
          examineContract(source),
          refuses(() => parseDataContract(source)),
        );
        if (fault) wrong.push(`${path.join('.')} ${name}: ${fault}`);
      }
    }
    expect(wrong).toEqual([]);
  }, 30_000);
});
