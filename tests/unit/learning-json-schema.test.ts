// The published JSON Schemas of tasks and data contracts say what the parsers' schemas say, and describe every key.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { z } from 'zod';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { dataContractSchema } from '../../protocol/learning/contract-schema.ts';
import { contractJsonSchema, taskJsonSchema } from '../../protocol/learning/published-schema.ts';
import { valueAt } from '../../protocol/learning/schema-guide.ts';
import { taskSchema } from '../../protocol/learning/task-schema.ts';
import { learningSchemaFiles } from '../../scripts/gen/learning-schemas.ts';
import { accepts } from './consent-json-schema.ts';

const EXAMPLES = join(PACKAGE_ROOT, 'examples');
const read = (path: string): unknown => parse(readFileSync(join(EXAMPLES, path), 'utf8'), { version: '1.2' });
const tasks = ['coil2000', 'telco'].flatMap((name) => [
  `${name}/task.yaml`,
  ...readdirSync(join(EXAMPLES, name, 'tasks')).map((file) => `${name}/tasks/${file}`),
]);

/** The value with what stands at the path replaced, or removed. */
function changed(value: unknown, [key, ...rest]: readonly (string | number)[], change: readonly unknown[]): unknown {
  if (key === undefined) return change[0];
  if (Array.isArray(value)) {
    return value.flatMap((item, i) => {
      if (i !== key) return [item];
      return rest.length === 0 && change.length === 0 ? [] : [changed(item, rest, change)];
    });
  }
  const entries = Object.entries(value as object).flatMap(([name, part]) => {
    if (name !== key) return [[name, part]];
    return rest.length === 0 && change.length === 0 ? [] : [[name, changed(part, rest, change)]];
  });
  return Object.fromEntries(entries);
}

function pathsOf(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Array.isArray(value)
    ? value.flatMap((item, i) => pathsOf(item, [...path, i]))
    : Object.entries(value).flatMap(([key, part]) => pathsOf(part, [...path, key]));
  return [path, ...below];
}

/** Places where the two disagree, for every change at every path. */
function disagreements(
  schema: Readonly<Record<string, unknown>>,
  parser: z.ZodType,
  value: unknown,
  every = 1,
): string[] {
  const changes = [[], [null], [0], [-1], [1.5], [1e9], ['x'], [''], [[]], [{}], [true], [['x']]];
  return pathsOf(value)
    .filter((_, i) => i % every === 0)
    .flatMap((path) =>
      changes.flatMap((change) => {
        if (path.length === 0 && change.length === 0) return [];
        const other = changed(value, path, change);
        const [ours, theirs] = [parser.safeParse(other).success, accepts(schema, other)];
        return ours === theirs ? [] : [`${path.join('.')} = ${JSON.stringify(change[0])}: ${ours} and ${theirs}`];
      }),
    );
}

describe('the schema of tasks', () => {
  const { schema, strays } = taskJsonSchema();

  test.each(tasks)('takes %s', (path) => {
    expect(accepts(schema, read(path))).toBe(true);
  });

  test.each(['coil2000/task.yaml', 'coil2000/tasks/scaffold.yaml', 'telco/tasks/dp-fedsgd.yaml'])(
    'agrees with the parser on every change of every key of %s',
    (path) => {
      expect(disagreements(schema, taskSchema, read(path))).toEqual([]);
    },
  );

  test('describes every key, and none that is not there', () => {
    expect(strays).toEqual([]);
    const rate = (name: string) => {
      const shapes =
        valueAt(schema, ['properties', 'strategy', 'oneOf']) ?? valueAt(schema, ['properties', 'strategy', 'anyOf']);
      const shape = (shapes as unknown[]).find((one) => valueAt(one, ['properties', 'name', 'const']) === name);
      return valueAt(shape, ['properties', 'learningRate', 'description']);
    };
    expect(rate('fedavg')).not.toEqual(rate('dp-fedsgd')); // one is a dealer's step, the other the server's
  });
});

describe('the schema of data contracts', () => {
  const { schema, strays } = contractJsonSchema();

  test.each(['coil2000', 'telco'])('takes that of %s', (name) => {
    expect(accepts(schema, read(`${name}/contract.yaml`))).toBe(true);
  });

  test('agrees with the parser on changes all over the telco contract', () => {
    expect(disagreements(schema, dataContractSchema, read('telco/contract.yaml'), 5)).toEqual([]);
  }, 30_000);

  test('describes every key, and none that is not there', () => {
    expect(strays).toEqual([]);
  });
});

test('the published files are what is generated, and the examples tell editors where they lie', () => {
  for (const { path, text } of learningSchemaFiles()) expect(readFileSync(join(PACKAGE_ROOT, path), 'utf8')).toBe(text);
  for (const name of ['coil2000', 'telco']) {
    for (const [file, schema] of [
      ['task.yaml', 'task.schema.json'],
      ['contract.yaml', 'data-contract.schema.json'],
    ] as const) {
      const path = join(EXAMPLES, name, file);
      const [, named = ''] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(readFileSync(path, 'utf8')) ?? [];
      expect(join(dirname(path), named)).toBe(join(PACKAGE_ROOT, 'docs/schema', schema));
    }
  }
});
