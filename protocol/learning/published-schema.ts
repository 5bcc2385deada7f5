// Tasks and data contracts as JSON Schema 2020-12, made from what parses them, with words for whoever writes one.
import { z } from 'zod';
import { dataContractSchema } from './contract-schema.ts';
import type { JsonSchema } from './schema-guide.ts';
import { CONTRACT_WORDS, TASK_WORDS } from './schema-words.ts';
import { taskSchema } from './task-schema.ts';

type Words = Readonly<Record<string, string>>;

export interface WordedSchema {
  readonly schema: JsonSchema;
  /** Keys nobody described, and descriptions of keys that are not there. */
  readonly strays: readonly string[];
}

export const taskJsonSchema = once(() =>
  worded(taskSchema, TASK_WORDS, {
    $id: 'urn:concordat:1:task',
    title: 'Concordat training task',
    description:
      'What is learnt, from which data, how, and under which conditions. Its hash goes on chain. Rules that lie between keys are checked by `concordat task check`.',
  }),
);

export const contractJsonSchema = once(() =>
  worded(dataContractSchema, CONTRACT_WORDS, {
    $id: 'urn:concordat:1:data-contract',
    title: 'Concordat data contract',
    description:
      'What a record is, which kind of data each field holds, and how it becomes features: a subset of the Open Data Contract Standard 3.1. Rules that lie between keys are checked by `concordat task check`.',
  }),
);

/** Made when first asked for: a party that only parses pays nothing. */
function once(make: () => WordedSchema): () => WordedSchema {
  let made: WordedSchema | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function worded(source: z.ZodType, words: Words, head: JsonSchema): WordedSchema {
  const options = { target: 'draft-2020-12', io: 'input', unrepresentable: 'any' } as const;
  const { $schema, ...plain } = z.toJSONSchema(source, options);
  const unused = new Set(Object.keys(words));
  const silent: string[] = [];
  const wordFor = (names: readonly string[]): string | undefined => {
    const name = names.find((candidate) => words[candidate] !== undefined);
    if (name !== undefined) unused.delete(name);
    return name === undefined ? undefined : words[name];
  };
  const schema = describe(plain, [], (names) => {
    const word = wordFor(names);
    if (word === undefined) silent.push(names[0] ?? '');
    return word;
  });
  return { schema: { $schema, ...head, ...schema }, strays: [...silent, ...unused] };
}

/** `paths`: the names that this place goes by, the most exact first. */
function describe(
  schema: JsonSchema,
  paths: readonly string[],
  word: (names: readonly string[]) => string | undefined,
) {
  const out: Record<string, unknown> = { ...schema };
  for (const key of ['oneOf', 'anyOf'] as const) {
    if (isList(schema[key]))
      out[key] = schema[key].map((shape) => describe(shape, [...shapePaths(shape, paths), ...paths], word));
  }
  if (isRecord(schema.items)) out.items = describe(schema.items, paths, word);
  if (isRecord(schema.properties)) {
    const parts = Object.entries(schema.properties).map(([key, part]) => {
      if (!isRecord(part)) return [key, part];
      const names = paths.length === 0 ? [key] : paths.map((path) => `${path}.${key}`);
      const description = part.description ?? word(names);
      return [key, { ...(description !== undefined && { description }), ...describe(part, names, word) }];
    });
    out.properties = Object.fromEntries(parts);
  }
  return out;
}

/** `strategy.ridge` for the shape of `strategy` that a constant calls ridge. */
function shapePaths(shape: JsonSchema, paths: readonly string[]): string[] {
  const parts = isRecord(shape.properties) ? Object.values(shape.properties) : [];
  const constants = parts.filter(isRecord).map((part) => part.const);
  return constants.flatMap((name) => (typeof name === 'string' ? paths.map((path) => `${path}.${name}`) : []));
}

const isRecord = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isList = (value: unknown): value is readonly JsonSchema[] => Array.isArray(value) && value.every(isRecord);
