// What a data contract can have wrong that its schema does not say: field by field, and between fields.
import type { ContractProperty, FeatureMap, FieldRole } from './contract-schema.ts';
import { fitsType, mapWidth } from './feature-maps.ts';
import type { KnownField, KnownProperty } from './field-sketch.ts';
import { labelFault } from './target.ts';

export interface ContractFault {
  /** Of the document: keys and places in lists. */
  readonly at: readonly (string | number)[];
  /** What it is about, in a word: a field's name, or `schema`. */
  readonly subject: string;
  readonly detail: string;
}

/** Beyond this no model of a round fits; and a contract, which comes from elsewhere, costs memory to run. */
const MAX_COLUMNS = 1_000_000;

/** What a property says in the customProperties. */
export function customOf({ customProperties = [] }: KnownProperty) {
  const entry = <P extends ContractProperty['customProperties'][number]['property']>(name: P) =>
    customProperties.find((candidate) => candidate?.property === name) as
      | Extract<ContractProperty['customProperties'][number], { property: P }>
      | undefined;
  const features: readonly FeatureMap[] = entry('features')?.value ?? [];
  return { fieldClass: entry('fieldClass')?.value, role: entry('role')?.value, features };
}

type Tell = (detail: string, ...inside: readonly (string | number)[]) => void;

/** Of one field, whatever the others are like. `at` is where it stands. What is illegible is not blamed. */
function fieldFaults(field: KnownField, at: ContractFault['at']): ContractFault[] {
  const found: ContractFault[] = [];
  const subject = field.property.name ?? 'schema';
  const tell: Tell = (detail, ...inside) => found.push({ at: [...at, ...inside], subject, detail });
  customFaults(field, tell);
  boundsFaults(field, tell);
  requiredFaults(field, tell);
  mapFaults(field, tell);
  return found;
}

/** Where among the customProperties a name stands. */
const placeOf = ({ customProperties = [] }: KnownProperty, name: string): number =>
  customProperties.findIndex((entry) => entry?.property === name);

function customFaults({ property, illegible }: KnownField, tell: Tell): void {
  const { fieldClass, role, features } = customOf(property);
  const named = (property.customProperties ?? []).map((entry) => entry?.property);
  named.forEach((name, i) => {
    if (name === undefined || named.indexOf(name) === i) return;
    tell('customProperties names a property twice: leave one', 'customProperties', i);
  });
  if (!fieldClass && !illegible.has('fieldClass'))
    tell('customProperties must name its fieldClass: add { property: fieldClass, value: … }', 'customProperties');
  if (!role && !illegible.has('role'))
    tell('customProperties must name its role: add { property: role, value: … }', 'customProperties');
  if (role === 'feature' && features.length === 0 && !illegible.has('features')) {
    tell('a feature needs at least one feature map: add a customProperty `features`', 'customProperties');
  }
  if (role && !FEEDING.has(role) && features.length > 0) {
    const detail = `a field of role ${role} must not feed the model: leave its features out`;
    tell(detail, 'customProperties', placeOf(property, 'features'));
  }
}

/** Roles whose fields may be features. */
const FEEDING: ReadonlySet<FieldRole> = new Set(['feature', 'partition'] as const);

function boundsFaults({ property }: KnownField, tell: Tell): void {
  const { logicalType: type, logicalTypeOptions: { minimum, maximum, enum: codes = [] } = {} } = property;
  if (type === 'string' && (minimum !== undefined || maximum !== undefined)) {
    tell('a string has no minimum or maximum: leave them out', 'logicalTypeOptions');
  }
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    tell('minimum is over maximum: lower it, or raise the other', 'logicalTypeOptions', 'minimum');
  }
  codes.forEach((code, i) => {
    if (type === undefined || (typeof code === 'string') === (type === 'string')) return;
    tell(`enum value ${code} is not ${type}: ${quoting(type)}`, 'logicalTypeOptions', 'enum', i);
  });
  if (customOf(property).role === 'label' && new Set(codes).size < codes.length) {
    tell('its enum names a class twice: a class is its place in the enum', 'logicalTypeOptions', 'enum');
  }
}

function requiredFaults({ property, illegible }: KnownField, tell: Tell): void {
  const { role, features } = customOf(property);
  const open = !property.required && !illegible.has('required');
  if (role === 'split') {
    // whatever is not exactly `test` is trained on
    if (!property.logicalTypeOptions?.enum?.includes('test') && !illegible.has('enum')) {
      tell('the hold-out is what its enum calls test: give enum: [train, test]', 'logicalTypeOptions');
    }
    if (open) tell('a row without a split would be trained on: give required: true');
  }
  // of another role, the maps have to go
  const feeds = features.length > 0 && (role === undefined || FEEDING.has(role));
  if (feeds && open) tell('a field that feeds the model must be required: give required: true');
}

function mapFaults({ property }: KnownField, tell: Tell): void {
  const { logicalType: type, logicalTypeOptions = {} } = property;
  if (type === undefined) return;
  customOf(property).features.forEach((map, i) => {
    const inside = ['customProperties', placeOf(property, 'features'), 'value', i] as const;
    if (!fitsType(map, type)) {
      tell(`${map.map} does not fit type ${type}: give another map or type, or its values as ${type}`, ...inside);
    } else if (map.map === 'one-hot') {
      map.values.forEach((value, place) => {
        const detail = deadColumn(value, type, logicalTypeOptions);
        if (detail !== undefined) tell(detail, ...inside, 'values', place);
      });
    }
  });
}

/** Why no record can ever have this code. */
function deadColumn(
  value: string | number,
  type: string,
  { minimum = -Infinity, maximum = Infinity, enum: codes }: NonNullable<ContractProperty['logicalTypeOptions']>,
): string | undefined {
  if ((typeof value === 'string') !== (type === 'string')) return `value ${value} is not ${type}: ${quoting(type)}`;
  if (codes && !codes.includes(value)) return `${value} is not in the field's enum: give a code of it`;
  if (typeof value === 'string' || minimum > maximum || (value >= minimum && value <= maximum)) return undefined;
  return `${value} is beyond the field's bounds: give a code within`;
}

const quoting = (type: string): string => (type === 'string' ? 'quote it' : 'give a number, without quotes');

interface PlacedField extends KnownField, ReturnType<typeof customOf> {
  readonly at: ContractFault['at'];
  /** Its own faults. */
  readonly own: readonly ContractFault[];
}

/** Between the fields. What may be missing only because a field has a fault is not called missing. */
function betweenFields(fields: readonly PlacedField[], at: ContractFault['at']): ContractFault[] {
  const schema = (detail: string): ContractFault => ({ at, subject: 'schema', detail });
  const [id, label] = [fields.find(({ role }) => role === 'id'), fields.find(({ role }) => role === 'label')];
  const rolesKnown = fields.every(({ role }) => role !== undefined);
  const found = [...nameFaults(fields), ...(['id', 'label', 'split', 'partition'] as const).flatMap(another(fields))];
  if (id) found.push(...idFaults(id));
  else if (rolesKnown) found.push(schema('needs one field of role id, required and unique'));
  if (label) found.push(...labelFaults(label));
  else if (rolesKnown) {
    found.push(schema('needs one field of role label, required: an integer from 0 to 1, an enum or a number'));
  }
  return [...found, ...columnFaults(fields).map(schema)];
}

const wrong = ({ at, property: { name: subject = 'schema' } }: PlacedField, detail: string): ContractFault => ({
  at,
  subject,
  detail,
});

function nameFaults(fields: readonly PlacedField[]): ContractFault[] {
  const seen = new Set<string>();
  return fields.flatMap(({ property: { name }, at }) => {
    if (name === undefined) return [];
    if (seen.has(name)) {
      return [{ at: [...at, 'name'], subject: name, detail: 'two fields have this name: give one another' }];
    }
    seen.add(name);
    return [];
  });
}

const another = (fields: readonly PlacedField[]) => (role: FieldRole) =>
  fields
    .filter((field) => field.role === role)
    .slice(1)
    .map((field): ContractFault => {
      const fault = wrong(field, `a second field of role ${role}: leave one`);
      return { ...fault, at: [...fault.at, 'customProperties'] };
    });

function idFaults(id: PlacedField): ContractFault[] {
  const lacks = (key: 'required' | 'unique') => !id.property[key] && !id.illegible.has(key);
  if (!lacks('required') && !lacks('unique')) return [];
  return [wrong(id, 'the id of a record is one of its own: give required: true, unique: true')];
}

function labelFaults(label: PlacedField): ContractFault[] {
  const open = !label.property.required && !label.illegible.has('required');
  const required = 'there is nothing to learn from a record without its label: give required: true';
  return [open ? required : undefined, targetFault(label)]
    .filter((detail) => detail !== undefined)
    .map((detail) => wrong(label, detail));
}

function targetFault({ property, illegible, own }: PlacedField): string | undefined {
  const { logicalType: type, logicalTypeOptions: { minimum, maximum, enum: codes } = {} } = property;
  if (type === undefined || ['minimum', 'maximum', 'enum'].some((key) => illegible.has(key))) return undefined;
  // bounds that cross, and classes named twice, are a fault already: what they are instead decides about the rest
  if (own.some(({ at }) => at.at(-1) === 'minimum' || at.at(-1) === 'enum')) return undefined;
  return labelFault({ type, minimum, maximum, codes: codes && new Set(codes) });
}

function columnFaults(fields: readonly PlacedField[]): string[] {
  const fed = fields.filter(({ role }) => role !== undefined && FEEDING.has(role));
  const columns = fed.flatMap(({ features }) => features.map(mapWidth)).reduce((sum, width) => sum + width, 0);
  if (columns > MAX_COLUMNS) {
    return [`${columns} columns, at most ${MAX_COLUMNS}: give fewer buckets, codes or edges`];
  }
  // a feature without maps, and a field whose role nobody can read, have a fault of their own
  const settled = fields.every(({ role }) => role !== undefined && role !== 'feature');
  const unread = fed.some(({ illegible }) => illegible.has('features'));
  return columns === 0 && settled && !unread
    ? ['no field feeds the model: give one role feature and a feature map']
    : [];
}

/** Everything; of the fields first. */
export function contractFaults(known: readonly KnownField[], at: ContractFault['at']): ContractFault[] {
  const fields = known.map((field, i): PlacedField => {
    const place = [...at, i];
    return { ...field, ...customOf(field.property), at: place, own: fieldFaults(field, place) };
  });
  return [...fields.flatMap(({ own }) => own), ...betweenFields(fields, at)];
}
