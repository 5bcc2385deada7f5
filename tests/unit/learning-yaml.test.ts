// YAML that came from elsewhere: texts that would end a process, or keep it busy, are refused before a parser sees them.
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import { parseTask } from '../../protocol/learning/task.ts';
import { readYaml, requireCanonical } from '../../protocol/learning/yaml.ts';
import { taskText } from '../helpers/audit/small-task.ts';

const indented = (rows: number, row: string) => Array.from({ length: rows }, (_, i) => ' '.repeat(i) + row).join('\n');

describe('how deep a text nests', () => {
  // each of the first ones ran the process out of stack inside V8, where nothing can be caught
  test.each([
    ['maps in a line', '{"a":'.repeat(150_000)],
    ['lists in a line', '['.repeat(400_000)],
    ['dashes in a line', '- '.repeat(400_000)],
    ['dashes after a bracket', `[\n${'- '.repeat(5_000)}`],
    ['dashes after an unclosed brace', `{a: \n- - -\n${'- '.repeat(5_000)}`],
    ['questions', '? '.repeat(400_000)],
    ['colons', ': '.repeat(400_000)],
    ['dashes with anchors', '- &a '.repeat(100_000)],
    ['indentation', indented(1_400, 'a:')],
    ['one too many', '['.repeat(101)],
  ])('is bounded: %s', (_, source) => {
    const { faults } = readYaml(source);
    expect(faults.map(({ message }) => message)).toEqual(['nested too deep']);
    expect(faults[0]?.start).toBeLessThan(source.length);
  });

  test.each([
    ['as deep as it may', `${'['.repeat(100)}${']'.repeat(100)}`],
    ['brackets in texts', `a: "${'['.repeat(500)}"\nb: 'x ${'- '.repeat(50)}'\nc: x ${'{'.repeat(200)}`],
    ['a ruler in a remark', `# ${'- '.repeat(60)}\na: 1`],
    ['an indented text', `a: |\n${' '.repeat(300)}x`],
    ['many pairs in a line', `{${Array.from({ length: 100 }, (_, i) => `k${i}: 1`).join(', ')}}`],
  ])('says nothing of %s', (_, source) => {
    expect(readYaml(source).faults).toEqual([]);
  });

  test('is told with its place, also after a remark and a text', () => {
    const before = '# x\na: "y z"\nb: ';
    expect(readYaml(before + '['.repeat(101)).faults[0]).toMatchObject({ start: before.length + 100 });
  });
});

describe('canonical JSON', () => {
  // characters on which readers of YAML and of JSON have fallen out before
  test.each(['\u0085', '\ufeffx', 'a\u2028b', 'tab\tx', '\u007f', '\ud800', '# no', ' lead ', '\u0000', '\u{1f600}'])(
    'is read back as it was: %j',
    (title) => {
      const task = parseTask(JSON.stringify({ ...JSON.parse(taskText), title }));
      expect(task.title).toBe(title);
      const { hash, ...document } = task;
      requireCanonical(canonicalJson(document), 'TASK_INVALID');
      expect(parseTask(canonicalJson(document)).hash).toBe(hash);
    },
  );

  test.each([
    ['a space', '{"a": 1}'],
    ['keys out of order', '{"b":1,"a":1}'],
    ['a key twice', '{"a":1,"a":1}'],
    ['another number for the same', '{"a":1.0}'],
    ['YAML', 'a: 1'],
    ['a list', '[1]'],
    ['too deep', `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`],
    ['nothing', ''],
  ])('is not %s', (_, source) => {
    expect(() => requireCanonical(source, 'TASK_INVALID')).toThrow(/TASK_INVALID/);
  });
});
