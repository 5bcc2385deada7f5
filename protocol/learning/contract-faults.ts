// What a data contract can have wrong that its schema does not say: field by field, and between fields.
import type { ContractProperty, FeatureMap, FieldRole } from './contract-schema.ts';
import { fitsType, mapWidth } from './feature-maps.ts';
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
export function customOf({ customProperties }: ContractProperty) {
  const entry = <P extends (typeof customProperties)[number]['property']>(name: P) =>
    customProperties.find((candidate) => candidate.property === name) as
      | Extract<(typeof customProperties)[number], { property: P }>
      | undefined;
  const features: readonly FeatureMap[] = entry('features')?.value ?? [];
  return { fieldClass: entry('fieldClass')?.value, role: entry('role')?.value, features };
}

/** Of one field, whatever the others are like. `at` is where it stands. */
export function fieldFaults(property: ContractProperty, at: ContractFault['at']): ContractFault[] {
  const { name: subject, customProperties, logicalType: type, logicalTypeOptions = {}, required } = property;
  const { fieldClass, role, features } = customOf(property);
  const { minimum, maximum, enum: codes = [] } = logicalTypeOptions;
  const found: ContractFault[] = [];
  const fault = (detail: string, ...inside: readonly (string | number)[]) =>
    found.push({ at: [...at, ...inside], subject, detail });

  const named = customProperties.map((entry) => entry.property);
  const twice = named.findIndex((entry, i) => named.indexOf(entry) < i);
  if (twice >= 0) fault('customProperties names a property twice: leave one', 'customProperties', twice);
  if (!fieldClass) fault('customProperties must name its fieldClass', 'customProperties');
  if (!role) fault('customProperties must name its role', 'customProperties');
  if (role === 'feature' && features.length === 0) {
    fault('a feature needs at least one feature map: add a customProperty `features`', 'customProperties');
  }
  const fed = named.indexOf('features');
  if (role && role !== 'feature' && role !== 'partition' && features.length > 0) {
    fault(`a field of role ${role} must not feed the model: leave its features out`, 'customProperties', fed);
  }
  if (type === 'string' && (minimum !== undefined || maximum !== undefined)) {
    fault('a string has no minimum or maximum: leave them out', 'logicalTypeOptions');
  }
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    fault('minimum is over maximum', 'logicalTypeOptions', 'minimum');
  }
  codes.forEach((code, i) => {
    if ((typeof code === 'string') === (type === 'string')) return;
    fault(`enum value ${code} is not ${type}: ${quoting(type)}`, 'logicalTypeOptions', 'enum', i);
  });
  if (role === 'label' && new Set(codes).size < codes.length) {
    fault('its enum names a class twice: a class is its place in the enum', 'logicalTypeOptions', 'enum');
  }
  if (role === 'split') {
    // whatever is not exactly `test` is trained on
    if (!codes.includes('test')) {
      fault('the hold-out is what its enum calls test: give enum: [train, test]', 'logicalTypeOptions');
    }
    if (!required) fault('a row without a split would be trained on: give required: true');
  }
  if (features.length > 0 && !required) fault('a field that feeds the model must be required: give required: true');
  features.forEach((map, i) => {
    const inside = ['customProperties', fed, 'value', i] as const;
    if (!fitsType(map, type)) {
      fault(`${map.map} does not fit type ${type}: give another map or type, or its values as ${type}`, ...inside);
    } else if (map.map === 'one-hot') {
      const details = map.values.map((value) => deadColumn(value, type, logicalTypeOptions));
      const first = details.findIndex((detail) => detail !== undefined);
      if (first >= 0) fault(details[first] ?? '', ...inside, 'values', first);
    }
  });
  return found;
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

/** Between the fields, each of which is without fault. */
function betweenFields(properties: readonly ContractProperty[], at: ContractFault['at']): ContractFault[] {
  const found: ContractFault[] = [];
  const schema = (detail: string) => found.push({ at, subject: 'schema', detail });
  const names = properties.map(({ name }) => name);
  names.forEach((name, i) => {
    if (names.indexOf(name) === i) return;
    found.push({ at: [...at, i, 'name'], subject: name, detail: 'two fields have this name: give one another' });
  });
  const fields = properties.map((property, i) => ({ property, at: [...at, i], ...customOf(property) }));
  const the = (role: FieldRole) => {
    const [first, ...more] = fields.filter((field) => field.role === role);
    for (const { property, at: place } of more) {
      const detail = `a second field of role ${role}: leave one`;
      found.push({ at: [...place, 'customProperties'], subject: property.name, detail });
    }
    return first?.property;
  };
  const [id, label] = [the('id'), the('label')];
  the('split');
  the('partition');
  const wrong = (property: ContractProperty, detail: string) =>
    found.push({ at: [...at, properties.indexOf(property)], subject: property.name, detail });
  if (!id) schema('needs one field of role id, required and unique');
  else if (!id.required || !id.unique)
    wrong(id, 'the id of a record is one of its own: give required: true, unique: true');
  if (!label) {
    schema('needs one field of role label, required: an integer from 0 to 1, an enum or a number');
  } else if (!label.required) {
    wrong(label, 'there is nothing to learn from a record without its label: give required: true');
  } else {
    const { minimum, maximum, enum: codes } = label.logicalTypeOptions ?? {};
    const detail = labelFault({ type: label.logicalType, minimum, maximum, codes: codes && new Set(codes) });
    if (detail) wrong(label, detail);
  }
  const columns = fields.flatMap(({ features }) => features.map(mapWidth)).reduce((sum, width) => sum + width, 0);
  if (columns === 0) schema('no field feeds the model: give one role feature and a feature map');
  if (columns > MAX_COLUMNS) {
    schema(`${columns} columns, at most ${MAX_COLUMNS}: give fewer buckets, codes or edges`);
  }
  return found;
}

/** Everything; of the fields first. */
export function contractFaults(properties: readonly ContractProperty[], at: ContractFault['at']): ContractFault[] {
  const own = properties.flatMap((property, i) => fieldFaults(property, [...at, i]));
  return own.length > 0 ? own : betweenFields(properties, at);
}
