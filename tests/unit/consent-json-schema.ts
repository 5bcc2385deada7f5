// A validator for the JSON Schema keywords that the published schemas use, written from the specification (2020-12).
type Schema = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isObject,
  string: (value) => typeof value === 'string',
  integer: (value) => typeof value === 'number' && Number.isInteger(value),
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  boolean: (value) => typeof value === 'boolean',
  array: Array.isArray,
};

type Rule = (value: unknown, argument: never, schema: Schema) => boolean;

// a keyword says nothing of a value of another type
const RULES: Readonly<Record<string, Rule>> = {
  type: (value, type: string) => TYPES[type]?.(value) ?? fail(`type ${type}`),
  const: (value, wanted: unknown) => value === wanted,
  enum: (value, wanted: readonly unknown[]) => wanted.includes(value),
  pattern: (value, pattern: string) => typeof value !== 'string' || new RegExp(pattern, 'u').test(value),
  minLength: (value, least: number) => typeof value !== 'string' || [...value].length >= least,
  maxLength: (value, most: number) => typeof value !== 'string' || [...value].length <= most,
  minimum: (value, least: number) => typeof value !== 'number' || value >= least,
  maximum: (value, most: number) => typeof value !== 'number' || value <= most,
  exclusiveMinimum: (value, least: number) => typeof value !== 'number' || value > least,
  exclusiveMaximum: (value, most: number) => typeof value !== 'number' || value < most,
  minItems: (value, least: number) => !Array.isArray(value) || value.length >= least,
  maxItems: (value, most: number) => !Array.isArray(value) || value.length <= most,
  items: (value, part: Schema) => !Array.isArray(value) || value.every((item) => accepts(part, item)),
  anyOf: (value, shapes: readonly Schema[]) => shapes.some((shape) => accepts(shape, value)),
  oneOf: (value, shapes: readonly Schema[]) => shapes.filter((shape) => accepts(shape, value)).length === 1,
  propertyNames: (value, part: Schema) => !isObject(value) || Object.keys(value).every((name) => accepts(part, name)),
  required: (value, names: readonly string[]) => !isObject(value) || names.every((name) => Object.hasOwn(value, name)),
  properties: (value, parts: Readonly<Record<string, Schema>>) =>
    !isObject(value) || Object.entries(parts).every(([name, part]) => !(name in value) || accepts(part, value[name])),
  additionalProperties: (value, allowed: boolean | Schema, schema) =>
    !isObject(value) ||
    Object.entries(value).every(([name, part]) => {
      if (isObject(schema.properties) && Object.hasOwn(schema.properties, name)) return true;
      return isObject(allowed) ? accepts(allowed, part) : allowed;
    }),
  if: (value, condition: Schema, schema) => {
    const branch = accepts(condition, value) ? schema.then : schema.else;
    return !isObject(branch) || accepts(branch, value);
  },
};

const ANNOTATIONS = ['$schema', '$id', 'title', 'description', 'examples', 'then', 'else', 'default'];

function fail(what: string): never {
  throw new Error(`the schema uses ${what}, which this validator does not know`);
}

/** @throws Error for a keyword it does not know, so that none is passed over */
export function accepts(schema: Schema, value: unknown): boolean {
  return Object.entries(schema).every(([keyword, argument]) => {
    if (ANNOTATIONS.includes(keyword) || keyword.startsWith('x-')) return true;
    return (RULES[keyword] ?? fail(keyword))(value, argument as never, schema);
  });
}
