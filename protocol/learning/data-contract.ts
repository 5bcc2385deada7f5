// A data contract, parsed: the fields a dealer's records have, what class of data each is, and how it becomes features.
import { type Hex, sha256, toHex, utf8ToBytes } from '../bytes.ts';
import type { FieldClassId } from '../consent/scenes.ts';
import { ConcordatError } from '../errors.ts';
import { canonicalJson } from './canonical-json.ts';
import { contractFaults, customOf } from './contract-faults.ts';
import {
  type ContractProperty,
  type DataContractDocument,
  dataContractSchema,
  type FeatureMap,
  type FieldRole,
} from './contract-schema.ts';
import { wholeField } from './field-sketch.ts';
import { type Target, targetOfField } from './target.ts';
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
  /** What the label asks a model for. */
  readonly target: Target;
  /** Names the hold-out: rows whose value is `test` are scored and never trained on. */
  readonly split: Field | undefined;
  /** What an example is dealt out by; also a feature when it has feature maps. */
  readonly partition: Field | undefined;
}

/** Where a contract's fields stand. */
export const PROPERTIES_AT = ['schema', 0, 'properties'] as const;

const invalid = (path: string, detail: string) =>
  new ConcordatError('CONTRACT_INVALID', `${path}: ${detail}`, { path });

function toField(property: ContractProperty): Field {
  const { fieldClass, role, features } = customOf(property);
  if (!fieldClass || !role) throw invalid(property.name, 'customProperties must name its fieldClass and its role');
  const { minimum, maximum, enum: codes } = property.logicalTypeOptions ?? {};
  return {
    name: property.name,
    type: property.logicalType,
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
  const properties = document.schema[0]?.properties ?? [];
  const [fault] = contractFaults(properties.map(wholeField), PROPERTIES_AT);
  if (fault) throw invalid(fault.subject, fault.detail);
  const fields = properties.map(toField);
  const the = (role: FieldRole): Field | undefined => fields.find((field) => field.role === role);
  const [id, label] = [the('id'), the('label')];
  const target = label && targetOfField(label);
  if (!id || !target) throw invalid('schema', 'needs one field of role id, and one of role label');
  const hash = toHex(sha256(utf8ToBytes(canonicalJson(document))));
  return { document, hash, fields, id, label, target, split: the('split'), partition: the('partition') };
}
