// A data contract, parsed: the fields a dealer's records have, what class of data each is, and how it becomes features.
import { type Hex, sha256, toHex, utf8ToBytes } from '../bytes.ts';
import type { FieldClassId } from '../consent/scenes.ts';
import { ConcordatError } from '../errors.ts';
import { canonicalJson } from './canonical-json.ts';
import {
  type ContractProperty,
  type DataContractDocument,
  dataContractSchema,
  type FeatureMap,
  type FieldRole,
} from './contract-schema.ts';
import { parseYaml } from './yaml.ts';

export interface Field {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number';
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly codes: ReadonlySet<string | number> | undefined;
  readonly required: boolean;
  readonly unique: boolean;
  readonly fieldClass: FieldClassId;
  readonly role: FieldRole;
  /** Empty for a field that the model never sees. */
  readonly features: readonly FeatureMap[];
}

export interface DataContract {
  readonly document: DataContractDocument;
  /** sha256 of the document's canonical JSON (RFC 8785): comments, key order and anchors do not count. */
  readonly hash: Hex;
  readonly fields: readonly Field[];
  readonly id: Field;
  readonly label: Field;
  /** Names the hold-out: rows whose value is `test` are scored and never trained on. */
  readonly split: Field | undefined;
  /** What an example is dealt out by; also a feature when it has feature maps. */
  readonly partition: Field | undefined;
}

const invalid = (path: string, detail: string) =>
  new ConcordatError('CONTRACT_INVALID', `${path}: ${detail}`, { path });

function toField(property: ContractProperty): Field {
  let fieldClass: FieldClassId | undefined;
  let role: FieldRole | undefined;
  let features: readonly FeatureMap[] = [];
  const named = property.customProperties.map((entry) => entry.property);
  if (new Set(named).size < named.length) throw invalid(property.name, 'customProperties names a property twice');
  for (const entry of property.customProperties) {
    if (entry.property === 'fieldClass') fieldClass = entry.value;
    else if (entry.property === 'role') role = entry.value;
    else features = entry.value;
  }
  if (!fieldClass) throw invalid(property.name, 'customProperties must name its fieldClass');
  if (!role) throw invalid(property.name, 'customProperties must name its role');
  if (role === 'feature' && features.length === 0)
    throw invalid(property.name, 'a feature needs at least one feature map');
  if (role !== 'feature' && role !== 'partition' && features.length > 0) {
    throw invalid(property.name, `a field of role ${role} must not feed the model`);
  }
  const { minimum, maximum, enum: codes } = property.logicalTypeOptions ?? {};
  const type = property.logicalType;
  if (type === 'string' && (minimum !== undefined || maximum !== undefined)) {
    throw invalid(property.name, 'a string has no minimum or maximum');
  }
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    throw invalid(property.name, 'minimum is over maximum');
  }
  for (const code of codes ?? []) {
    if ((typeof code === 'string') !== (type === 'string'))
      throw invalid(property.name, `enum value ${code} is not ${type}`);
  }
  for (const feature of features) {
    if (!property.required) throw invalid(property.name, 'a field that feeds the model must be required');
    const wantsText = feature.map === 'one-hot' && feature.values.some((value) => typeof value === 'string');
    if (wantsText !== (type === 'string')) throw invalid(property.name, `${feature.map} does not fit type ${type}`);
  }
  return {
    name: property.name,
    type,
    minimum,
    maximum,
    codes: codes && new Set(codes),
    required: property.required ?? false,
    unique: property.unique ?? false,
    fieldClass,
    role,
    features,
  };
}

/**
 * Parses and checks a contract. `source` is YAML or JSON.
 * @throws ConcordatError CONTRACT_INVALID, naming the path
 */
export function parseDataContract(source: string): DataContract {
  const document = parseYaml(source, dataContractSchema, 'CONTRACT_INVALID');
  const fields = (document.schema[0]?.properties ?? []).map(toField);
  const seen = new Set<string>();
  for (const field of fields) {
    if (seen.has(field.name)) throw invalid(field.name, 'two fields have this name');
    seen.add(field.name);
  }
  const the = (role: FieldRole): Field | undefined => {
    const found = fields.filter((field) => field.role === role);
    if (found.length > 1) throw invalid(found[1]?.name ?? role, `a second field of role ${role}`);
    return found[0];
  };
  const id = the('id');
  const label = the('label');
  if (!id?.required || !id.unique) throw invalid('schema', 'needs one field of role id, required and unique');
  if (!label?.required || label.minimum !== 0 || label.maximum !== 1 || label.type !== 'integer') {
    throw invalid('schema', 'needs one field of role label: a required integer from 0 to 1');
  }
  if (!fields.some((field) => field.features.length > 0)) throw invalid('schema', 'no field feeds the model');
  const hash = toHex(sha256(utf8ToBytes(canonicalJson(document))));
  return { document, hash, fields, id, label, split: the('split'), partition: the('partition') };
}
