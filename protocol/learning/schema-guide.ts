// What a JSON Schema expects at a place, in words: remedies are written from the schema itself, so they cannot go stale.

export type JsonSchema = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** The value at a path; undefined when there is none. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inside, key) => (typeof inside === 'object' && inside !== null ? Reflect.get(inside, key) : undefined),
    value,
  );
}

/** Of several shapes, the one whose constants the value has. */
function chosen(schema: JsonSchema, value: unknown): JsonSchema {
  const options = listOf(schema.oneOf ?? schema.anyOf).filter(isRecord);
  const fits = (option: JsonSchema): boolean =>
    isRecord(option.properties) &&
    Object.entries(option.properties).every(
      ([key, part]) => !isRecord(part) || part.const === undefined || part.const === valueAt(value, [key]),
    );
  return options.find(fits) ?? schema;
}

export function schemaAt(root: JsonSchema, value: unknown, path: readonly PropertyKey[]): JsonSchema | undefined {
  let schema: JsonSchema | undefined = chosen(root, value);
  path.forEach((key, depth) => {
    if (schema === undefined) return;
    const part = isRecord(schema.properties)
      ? schema.properties[String(key)]
      : (schema.items ?? oneOfConstants(schema, key));
    schema = isRecord(part) ? chosen(part, valueAt(value, path.slice(0, depth + 1))) : undefined;
  });
  return schema;
}

/** Of a key that tells several shapes apart. */
function oneOfConstants(schema: JsonSchema, key: PropertyKey): JsonSchema {
  const shapes = listOf(schema.oneOf ?? schema.anyOf);
  const constants = shapes.map((shape) => valueAt(shape, ['properties', key, 'const']));
  return { enum: constants.filter((constant) => constant !== undefined) };
}

/** Keys that an object may have there. */
export function keysOf(schema: JsonSchema | undefined): string[] {
  return isRecord(schema?.properties) ? Object.keys(schema.properties) : [];
}

/** Words that may stand there. */
export const wordsOf = (schema: JsonSchema | undefined): string[] =>
  listOf(schema?.enum ?? [schema?.const]).filter((word) => typeof word === 'string');

const MOST_SHOWN = 16;
const joined = (values: readonly unknown[]): string =>
  `${values.slice(0, MOST_SHOWN).join(', ')}${values.length > MOST_SHOWN ? ', …' : ''}`;

/** `an integer from 1 to 100`, `one of wasm, cpu`, `text that matches …` */
export function expectation(schema: JsonSchema | undefined): string | undefined {
  if (schema === undefined) return undefined;
  if (schema.const !== undefined) return String(schema.const);
  if (Array.isArray(schema.enum)) return `one of ${joined(schema.enum)}`;
  const options = listOf(schema.oneOf ?? schema.anyOf).filter(isRecord);
  if (options.length > 0) return joined([...new Set(options.map(expectation))]).replaceAll(', a', ' or a');
  switch (schema.type) {
    case 'integer':
      return `an integer${bounds(schema)}`;
    case 'number':
      return `a number${bounds(schema)}`;
    case 'string':
      return schema.pattern === undefined
        ? `text${lengths(schema, 'Length', ' characters')}`
        : `text like ${schema.pattern}`;
    case 'array':
      return `a list${lengths(schema, 'Items', ' entries')}`;
    case 'boolean':
      return 'true or false';
    case 'object':
      return `a mapping of ${joined(keysOf(schema))}`;
    default:
      return undefined;
  }
}

/** The integers that JSON can say exactly are no bound that anyone meant. */
const meant = (bound: unknown): bound is number =>
  typeof bound === 'number' && Math.abs(bound) < Number.MAX_SAFE_INTEGER;

function bounds({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: JsonSchema): string {
  const low = meant(minimum) ? ` from ${minimum}` : meant(exclusiveMinimum) ? ` over ${exclusiveMinimum}` : '';
  const high = meant(maximum) ? ` to ${maximum}` : meant(exclusiveMaximum) ? ` under ${exclusiveMaximum}` : '';
  return low + high;
}

function lengths(schema: JsonSchema, what: string, unit: string): string {
  const [least, most] = [schema[`min${what}`], schema[`max${what}`]];
  const low = meant(least) ? `${least}` : '0';
  if (meant(most)) return least === most ? ` of ${most}${unit}` : ` of ${low} to ${most}${unit}`;
  return meant(least) ? ` of at least ${least}${unit}` : '';
}

/** The name that a mistyped one was probably meant to be. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return near && near.distance <= Math.max(2, Math.floor(near.candidate.length / 3)) ? near.candidate : undefined;
}

/** Levenshtein: single characters added, removed or replaced. Names are short; a long key is cut. */
function editDistance(a: string, b: string): number {
  const [left, right] = [a.slice(0, 64), b.slice(0, 64)];
  let row = Array.from({ length: right.length + 1 }, (_, i) => i);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
