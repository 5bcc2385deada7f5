// What is known of a contract's field that may break the schema, so that the rules on the rest of it still run.
import { type ContractProperty, propertySchema } from './contract-schema.ts';
import { closest } from './schema-guide.ts';

type CustomEntry = ContractProperty['customProperties'][number];

/** Places in the list of customProperties are kept. */
export type KnownProperty = Partial<Omit<ContractProperty, 'customProperties'>> & {
  readonly customProperties?: readonly (CustomEntry | undefined)[];
};

export interface KnownField {
  readonly property: KnownProperty;
  /** Keys, also those of logicalTypeOptions, and names of customProperties that are there and say nothing legible. */
  readonly illegible: ReadonlySet<string>;
}

/** A field that fits the schema. */
export const wholeField = (property: ContractProperty): KnownField => ({ property, illegible: new Set() });

const OPTIONS = propertySchema.shape.logicalTypeOptions.unwrap().shape;
const CUSTOM = propertySchema.shape.customProperties.element;
const CUSTOM_NAMES: readonly string[] = CUSTOM.options.map((option) => option.shape.property.value);

type Shape = Readonly<Record<string, { safeParse(value: unknown): { success: boolean; data?: unknown } }>>;

export function knownField(value: unknown): KnownField {
  const { legible, illegible } = read(propertySchema.shape, value);
  const given = new Map(entriesOf(value));
  if (illegible.has('logicalTypeOptions')) {
    const options = read(OPTIONS, given.get('logicalTypeOptions'));
    legible.set('logicalTypeOptions', Object.fromEntries(options.legible));
    for (const key of options.illegible) illegible.add(key);
  }
  if (illegible.has('customProperties')) {
    const list: unknown = given.get('customProperties');
    const entries: readonly unknown[] = Array.isArray(list) ? list : [];
    const parsed = entries.map((entry) => CUSTOM.safeParse(entry).data);
    legible.set('customProperties', parsed);
    // an entry without a legible name may be any of those that are not there
    entries.forEach((entry, i) => {
      if (parsed[i] === undefined) for (const name of namesOf(entry)) illegible.add(name);
    });
    if (entries.length === 0) for (const name of CUSTOM_NAMES) illegible.add(name);
  }
  return { property: Object.fromEntries(legible) as KnownProperty, illegible };
}

const entriesOf = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : [];

function namesOf(entry: unknown): readonly string[] {
  const [, name] = entriesOf(entry).find(([key]) => key === 'property') ?? [];
  return CUSTOM_NAMES.filter((known) => known === name).length > 0 ? [String(name)] : CUSTOM_NAMES;
}

/** Of a mapping; of something else every key is illegible. */
function read(shape: Shape, value: unknown) {
  const given = new Map(entriesOf(value));
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
  const legible = new Map<string, unknown>();
  const illegible = new Set<string>();
  for (const [key, part] of Object.entries(shape)) {
    const parsed = part.safeParse(given.get(key));
    if (isMapping && parsed.success) legible.set(key, parsed.data);
    else illegible.add(key);
  }
  // of a misspelt key, what it was meant to say is not known either
  for (const key of given.keys()) {
    if (Object.hasOwn(shape, key)) continue;
    const meant = closest(key, Object.keys(shape));
    if (meant !== undefined && !given.has(meant)) illegible.add(meant);
  }
  return { legible, illegible };
}
