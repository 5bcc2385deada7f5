// The published JSON Schema of the consent record: what it says, that it is the schema in force, that nothing is unnamed.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { encodeCanonicalJson } from '../../protocol/consent/canonical-json.ts';
import { type ConsentRecord, decodeRecord } from '../../protocol/consent/record.ts';
import { recordJsonSchema } from '../../protocol/consent/record-schema.ts';
import { consentSchemaFiles } from '../../scripts/gen/consent-schema.ts';
import { KNOWN_IRIS } from './consent-dpv-terms.ts';
import { accepts } from './consent-json-schema.ts';
import { customer, faultOf, ON_PAPER, TRAINING } from './consent-world.ts';

type Schema = Readonly<Record<string, unknown>> & { readonly properties?: Readonly<Record<string, Schema>> };

const root = fileURLToPath(new URL('../../', import.meta.url));
const published = JSON.parse(readFileSync(`${root}docs/schema/consent-record.schema.json`, 'utf8')) as Schema & {
  readonly examples: readonly unknown[];
};
const recordOf = (policy: typeof TRAINING) => decodeRecord(customer('anna').submission(policy).record);
const record = recordOf(TRAINING);

/** path -> schema of every field, the record itself under ''. */
function fieldsOf(schema: Schema, path = ''): [string, Schema][] {
  const inner = Object.entries(schema.properties ?? {});
  return [[path, schema], ...inner.flatMap(([name, part]) => fieldsOf(part, path === '' ? name : `${path}.${name}`))];
}

test('the published files are what the generator writes', () => {
  for (const { path, text } of consentSchemaFiles()) expect(readFileSync(root + path, 'utf8')).toBe(text);
});

describe('what the schema says', () => {
  const fields = new Map(fieldsOf(published));

  test('is draft 2020-12, closed at every level, with every field required', () => {
    expect(published.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    for (const [path, { properties, required, additionalProperties }] of fields) {
      if (properties === undefined) continue;
      expect([path, required, additionalProperties]).toEqual([path, Object.keys(properties), false]);
    }
  });

  test('every field is described, with its TS 27560 name and its terms', () => {
    const prefixes: Readonly<Record<string, string>> = {
      dpv: 'https://w3id.org/dpv#',
      dct: 'http://purl.org/dc/terms/',
      odrl: 'http://www.w3.org/ns/odrl/2/',
      csa: 'urn:concordat:1:csa#',
    };
    for (const [path, field] of fields) {
      const terms = field['x-dpv'] as readonly string[];
      expect([path, field.description, field['x-ts27560']]).toEqual([path, expect.any(String), expect.any(String)]);
      expect(terms.length).toBeGreaterThan(0);
      for (const term of terms) {
        const [prefix = '', name] = term.split(':');
        expect(KNOWN_IRIS).toContain(`${prefixes[prefix]}${name}`);
      }
    }
  });

  test('every field that TS 27560 makes mandatory of a record has its place', () => {
    const named = new Set([...fields.values()].flatMap((field) => String(field['x-ts27560']).split(', ')));
    // recipients are not a field: data never leave the controller, and the export says so
    const mandatory = [
      ...['schema_version', 'record_id', 'pii_principal_id', 'privacy_notice', 'language', 'purpose'],
      ...['pii_information', 'pii_controllers', 'storage_locations', 'retention_period', 'jurisdiction'],
      ...['withdrawal_method', 'event_time', 'validity_duration', 'entity_id', 'event_type', 'event_state'],
      ...['party_id', 'party_name', 'party_contact'],
    ];
    expect(mandatory.filter((name) => !named.has(name))).toEqual([]);
  });

  test('the marks of a row are told apart by position: the field classes are listed in order', () => {
    expect((published['x-field-classes'] as readonly { id: string }[]).map(({ id }) => id)).toHaveLength(16);
    expect(fields.get('grants')?.description).toContain('identity, contact, demographics, area-statistics, financial');
  });
});

describe('the schema and the decoder agree', () => {
  test('its examples, which are records that were signed', () => {
    expect(published.examples.length).toBeGreaterThan(3);
    for (const example of published.examples) {
      expect(accepts(published, example)).toBe(true);
      expect(decodeRecord(encodeCanonicalJson(example as ConsentRecord))).toEqual(example);
    }
    const example: unknown = JSON.parse(readFileSync(`${root}docs/schema/consent-record.example.json`, 'utf8'));
    expect(accepts(published, example)).toBe(true);
  });

  test.each([
    ['by passkey', record],
    ['on paper', recordOf(ON_PAPER)],
  ])('a record %s', (_, good) => {
    expect(accepts(published, good)).toBe(true);
  });

  const edges: readonly (readonly [string, unknown])[] = [
    ['a field left out', { ...record, jurisdiction: undefined }],
    ['an unknown field', { ...record, extra: 1 }],
    ['an unknown field inside', { ...record, subject: { ...record.subject, name: 'Anna' } }],
    ['another schema version', { ...record, schema: 'concordat/2/consent-record' }],
    ['sequence number 0', { ...record, seq: 0 }],
    ['half a sequence number', { ...record, seq: 1.5 }],
    ['a pseudonym of 31 bytes', { ...record, subject: { ...record.subject, pseudonym: `0x${'ab'.repeat(31)}` } }],
    ['upper-case hex', { ...record, prev: `0x${'AB'.repeat(32)}` }],
    ['a newline after hex', { ...record, prev: `${record.prev}\n` }],
    ['a row of 15 marks', { ...record, grants: { ...record.grants, 'lead-scoring': '-'.repeat(15) } }],
    ['a scene nobody knows', { ...record, grants: { ...record.grants, gossip: '-'.repeat(16) } }],
    ['a floor over 100 %', { ...record, conditions: { ...record.conditions, accuracyFloorBps: 10_001 } }],
    ['a negative floor', { ...record, conditions: { ...record.conditions, accuracyFloorBps: -1 } }],
    ['a cap over 20 bits', { ...record, conditions: { ...record.conditions, privacyCapMilli: 2 ** 20 } }],
    ['an empty name', { ...record, controller: { ...record.controller, name: '' } }],
    ['a name of 121 letters', { ...record, controller: { ...record.controller, name: 'a'.repeat(121) } }],
    ['data stored elsewhere', { ...record, storage: { ...record.storage, location: 'cloud' } }],
    ['a time with fractions', { ...record, event: { ...record.event, time: '2026-05-28T20:26:40.5Z' } }],
    ['a language spelled out', { ...record, notice: { ...record.notice, language: 'Dutch' } }],
    ['a jurisdiction in lower case', { ...record, jurisdiction: 'nl' }],
    ['paper that claims a passkey', { ...record, event: { ...record.event, method: 'paper' } }],
    ['a passkey that claims paper', { ...record, evidence: 'attested' }],
    ['no evidence level', { ...record, evidence: 'none' }],
  ];
  test.each(edges)('both refuse %s', async (_, value) => {
    const json: unknown = JSON.parse(JSON.stringify(value));
    expect(accepts(published, json)).toBe(false);
    const decode = () => decodeRecord(new TextEncoder().encode(JSON.stringify(json)));
    expect(await faultOf(decode)).toBe('MESSAGE_MALFORMED');
    expect(await faultOf(() => decodeRecord(encodeCanonicalJson(json as ConsentRecord)))).toBe('MESSAGE_MALFORMED');
  });

  test('the schema generated in memory is the one in force', () => {
    const { examples: _, ...rest } = published;
    expect(JSON.parse(JSON.stringify(recordJsonSchema()))).toEqual(rest);
  });
});
