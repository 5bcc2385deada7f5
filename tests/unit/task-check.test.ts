// `concordat task check`: both files, what is shown of them, and the figures of a sound task against independent ones.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { COIL2000 } from '../../examples/simulation/load.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { checkTask, registerCheck } from '../../scripts/task/check.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'concordat-check-'));
  file = join(folder, 'task.yaml');
  await cp(join(COIL2000, 'task.yaml'), file);
  await cp(join(COIL2000, 'contract.yaml'), join(folder, 'contract.yaml'));
});

afterEach(async () => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function edit(name: string, from: string, to: string): Promise<void> {
  const path = join(folder, name);
  const source = await readFile(path, 'utf8');
  if (!source.includes(from)) throw new Error(`${from} is not in ${name}`);
  await writeFile(path, source.replace(from, to));
}

async function command(...args: string[]): Promise<{ output: string; code: unknown }> {
  let output = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    output += String(chunk);
    return true;
  });
  const program = new Command();
  registerCheck(program);
  await program.parseAsync(['node', 'concordat', 'check', ...args]);
  return { output, code: process.exitCode };
}

describe('a sound task', () => {
  test('is summed up: columns, bytes, privacy, and what customers must have granted', async () => {
    const { faults, summary } = await checkTask(join(PACKAGE_ROOT, 'examples/telco/tasks/dp-fedsgd.yaml'));
    expect(faults).toEqual([]);
    expect(summary).toMatchObject({
      columns: 40,
      parameters: 41,
      values: 41 + 2 * 16,
      payloadBytes: 8 + 3 * 15_360, // one block of three primes, docs/spec/01-encodings.md
      bytesPerKeyHolder: 1_120 + 8_200 + 16,
      rounds: 150,
      scenes: ['model-training', 'churn-retention'],
      fieldClasses: ['demographics', 'purchases', 'financial'],
    });
    expect(summary?.privacy?.spent).toBeLessThanOrEqual(3);
    expect(summary?.privacy?.spent).toBeGreaterThan(2.99); // the smallest noise for it was asked for
  });

  test('every example task is sound', async () => {
    const examples = ['coil2000', 'telco'].map((name) => join(PACKAGE_ROOT, 'examples', name));
    const lists = await Promise.all(examples.map((example) => readdir(join(example, 'tasks'))));
    const files = examples.flatMap((example, i) => [
      join(example, 'task.yaml'),
      ...(lists[i] ?? []).map((name) => join(example, 'tasks', name)),
    ]);
    for (const path of files) expect({ path, ...(await checkTask(path)) }).toMatchObject({ path, faults: [] });
  });

  test('exits 0, as JSON too', async () => {
    const { output, code } = await command(file, '--json');
    expect(code).toBeUndefined();
    expect(JSON.parse(output)).toMatchObject({ ok: true, faults: [], summary: { columns: 343, parameters: 344 } });
  });
});

describe('faults', () => {
  test('of task and contract come together, each with its own file and line', async () => {
    await edit('task.yaml', 'rounds: 10', 'rounds: 0');
    await edit('contract.yaml', 'minimum: 1, maximum: 41', 'minimum: 42, maximum: 41');
    const { faults, summary } = await checkTask(file);
    expect(summary).toBeUndefined();
    expect(faults.map(({ file: name, path }) => [name.split('/').at(-1), path])).toEqual([
      ['task.yaml', 'rounds'],
      ['contract.yaml', 'schema.0.properties.2.logicalTypeOptions.minimum'],
    ]);
    expect(faults[1]?.text).toContain('minimum: 42');
  });

  test('another contract than the one named: the right hash to paste', async () => {
    await edit('contract.yaml', 'centre: 2.7', 'centre: 2.8');
    const { faults } = await checkTask(file);
    expect(faults.map(({ path }) => path)).toEqual(['dataContract.hash']);
    const [, hash = ''] = /"(0x[0-9a-f]{64})"/.exec(faults[0]?.remedy ?? '') ?? [];
    const source = await readFile(file, 'utf8');
    await writeFile(file, source.replace(/0x[0-9a-f]{64}/, hash));
    expect((await checkTask(file)).faults).toEqual([]);
  });

  test('a contract that is not there is a fault of the line that names it', async () => {
    await edit('task.yaml', 'file: contract.yaml', 'file: elsewhere.yaml');
    const { faults } = await checkTask(file);
    expect(faults).toMatchObject([{ path: 'dataContract.file', text: '  file: elsewhere.yaml', column: 9 }]);
  });

  test('are shown with their line and a caret under the place, and exit 1', async () => {
    await edit('task.yaml', 'localEpochs: 5', 'localEpochs: 500');
    const { output, code } = await command(file);
    expect(code).toBe(1);
    const lines = output.split('\n');
    const shown = lines.findIndex((line) => line.includes('localEpochs: 500'));
    expect(lines[shown]?.indexOf('500')).toBe(lines[shown + 1]?.indexOf('^^^'));
    expect(output).toContain('an integer from 1 to 100');
    expect(output).toContain('1 fault');
  });

  test('far out on a long line are still under their caret', async () => {
    await edit(
      'task.yaml',
      'layers: [',
      `layers: [${'{ units: 2, activation: relu }, '.repeat(6)}{ units: x, activation: relu }, `,
    );
    const { output } = await command(file);
    const lines = output.split('\n');
    const shown = lines.findIndex((line) => line.includes('units: x'));
    expect(lines[shown]?.length).toBeLessThan(120);
    expect(lines[shown]?.[lines[shown + 1]?.indexOf('^') ?? -1]).toBe('x');
  });

  test('cannot speak to the terminal: escape sequences in a file are blanked', async () => {
    await edit('task.yaml', 'scene: lead-scoring', 'scene: "\\e[2J\\u202eevil" # \u001b[2J');
    const { output } = await command(file);
    for (const sequence of ['\u001b[2J', '\u202e']) expect(output).not.toContain(sequence);
    expect(output).toContain('evil');
  });

  test('in JSON: file, line, column, path, problem and remedy, and nothing else', async () => {
    await edit('task.yaml', 'rounds: 10', 'rounds: ten');
    const { output, code } = await command(file, '--json');
    const { ok, faults } = JSON.parse(output);
    expect([ok, code, faults.length]).toEqual([false, 1, 1]);
    expect(Object.keys(faults[0])).toEqual(['file', 'line', 'column', 'path', 'problem', 'remedy']);
  });
});

test('a task file that is not there is said to be missing', async () => {
  await expect(checkTask(join(folder, 'none.yaml'))).rejects.toMatchObject({ code: 'FILE_MISSING' });
});
