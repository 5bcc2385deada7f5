// The linked-data form of a record: one process per scene, a status for every class, no term that nobody defined.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type JsonLd, recordToJsonLd } from '../../protocol/consent/json-ld.ts';
import type { GrantState } from '../../protocol/consent/lifecycle.ts';
import { EVIDENCE, type Policy } from '../../protocol/consent/policy.ts';
import { type ConsentRecord, decodeRecord, recordHash } from '../../protocol/consent/record.ts';
import { recordJsonSchema } from '../../protocol/consent/record-schema.ts';
import { FIELD_CLASSES, SCENE_IDS, SCENES, type SceneId } from '../../protocol/consent/scenes.ts';
import { registerConsent } from '../../scripts/consent/command.ts';
import { KNOWN_IRIS } from './consent-dpv-terms.ts';
import { expand, irisOf } from './consent-linked-data.ts';
import { customer, faultOf, NOTHING, NOW, TRAINING } from './consent-world.ts';

const ALL = (1n << 192n) - 1n;
/** Every part that a record can have: conditions, refusals, grants in the scene with recipients, a version before. */
const FULL: Policy = {
  grants: TRAINING.grants | (1n << (16n * 11n)),
  conditions: { ...TRAINING.conditions, accuracyFloorBps: 9200, privacyCapMilli: 3000, evidence: EVIDENCE.passkey },
};
const anna = customer('anna');
const firstBytes = anna.submission(TRAINING).record;
const first = decodeRecord(firstBytes);
const record = decodeRecord(anna.submission(FULL).record);
const DPV = 'https://w3id.org/dpv#';

/** IRIs with a meaning of their own; the rest name this very record, subject, dealer. */
const termsOf = (document: JsonLd): string[] =>
  irisOf(expand(document)).filter((iri) => !/^urn:concordat:1:(record|subject|dealer|record-hash):/.test(iri));

interface Part {
  readonly 'https://w3id.org/dpv#hasPersonalData': readonly { readonly '@id': string }[];
  readonly 'https://w3id.org/dpv#hasConsentStatus': { readonly '@type': readonly string[] };
}
interface Process {
  readonly 'http://purl.org/dc/terms/identifier': SceneId;
  readonly 'https://w3id.org/dpv#hasPurpose': { readonly '@id': string };
  readonly 'https://w3id.org/dpv#hasProcess': readonly Part[];
}
const processesOf = (document: JsonLd) => expand(document)[`${DPV}hasProcess`] as unknown as readonly Process[];

/** scene -> class term -> status terms. */
const statusesOf = (document: JsonLd) =>
  new Map(
    processesOf(document).map((process) => [
      process['http://purl.org/dc/terms/identifier'],
      process[`${DPV}hasProcess`].flatMap((part) =>
        part[`${DPV}hasPersonalData`].map(
          ({ '@id': data }) =>
            [data, part[`${DPV}hasConsentStatus`]['@type'].map((type) => type.split('#')[1])] as const,
        ),
      ),
    ]),
  );

describe('terms', () => {
  test.each<[string, ConsentRecord]>([
    ['some grants', first],
    ['conditions and sharing', record],
    ['everything granted', decodeRecord(customer('bo').submission({ ...FULL, grants: ALL }).record)],
    ['everything refused', decodeRecord(customer('cy').submission(NOTHING).record)],
  ])('of a record with %s are all defined somewhere', (_, one) => {
    expect(termsOf(recordToJsonLd(one)).filter((iri) => !KNOWN_IRIS.has(iri))).toEqual([]);
  });

  test('a term nobody defined, and a name that is no IRI, are noticed', () => {
    const document = recordToJsonLd(record);
    const planted = termsOf({ ...document, 'dpv:hasConsentState': 'given' });
    expect(planted.filter((iri) => !KNOWN_IRIS.has(iri))).toEqual([`${DPV}hasConsentState`]);
    expect(() => termsOf({ ...document, hasProcess: [] })).toThrow('not an IRI');
    expect(() => termsOf({ ...document, '@context': 'https://w3id.org/dpv' })).toThrow('not inlined');
  });

  test('the terms that the JSON Schema promises are the ones used', () => {
    const used = new Set(termsOf(recordToJsonLd(record)));
    const promised = JSON.stringify(recordJsonSchema()).matchAll(/"(dpv|dct|odrl|csa):([A-Za-z0-9-]+)"/g);
    const context = recordToJsonLd(record)['@context'] as Readonly<Record<string, string>>;
    for (const [, prefix = '', name] of promised) expect(used).toContain(`${context[prefix]}${name}`);
  });
});

describe('processes', () => {
  test('one per scene, in order, each with the purpose of the scene', () => {
    const processes = processesOf(recordToJsonLd(record));
    expect(processes.map((process) => process['http://purl.org/dc/terms/identifier'])).toEqual(SCENE_IDS);
    expect(processes.map((process) => process[`${DPV}hasPurpose`]['@id'])).toEqual(
      SCENES.map(({ purpose }) => purpose),
    );
  });

  test('every class has one status in every scene, and it is the mark', () => {
    const statuses = statusesOf(recordToJsonLd(record));
    for (const scene of SCENE_IDS) {
      const marks = FIELD_CLASSES.map(({ term }, i) => [
        term,
        [record.grants[scene][i] === '+' ? 'ConsentGiven' : 'ConsentRefused'],
      ]);
      const said = statuses.get(scene) ?? [];
      expect(said).toHaveLength(16);
      expect(new Map(said)).toEqual(new Map(marks as [string, string[]][]));
    }
  });

  test('only what is shared with partners has another recipient', () => {
    const text = (scene: string, one: ConsentRecord) =>
      JSON.stringify(processesOf(recordToJsonLd(one)).find((p) => p['http://purl.org/dc/terms/identifier'] === scene));
    expect(text('third-party-sharing', record)).toContain('dpv#ThirdParty');
    expect(text('third-party-sharing', first)).not.toContain('dpv#ThirdParty');
    expect(text('model-training', record)).not.toContain('dpv#ThirdParty');
  });

  test.each<[GrantState, string[]]>([
    [
      { status: 'modified', sinceSeconds: NOW, terms: { row: '', conditions: FULL.conditions } },
      ['RenewedConsentGiven'],
    ],
    [{ status: 'expired', sinceSeconds: NOW, terms: { row: '', conditions: FULL.conditions } }, ['ConsentExpired']],
    [
      {
        ...{ status: 'suspended', sinceSeconds: NOW, reason: 'accuracy-under-floor', before: 'given' },
        terms: { row: '', conditions: FULL.conditions },
      },
      ['ConsentSuspended', 'ConsentStatusInvalidForProcessing'],
    ],
  ])('a grant that is by now $status says so, and its refusals stay', (state, expected) => {
    const document = recordToJsonLd(record, new Map([['lead-scoring', state]]));
    expect(termsOf(document).filter((iri) => !KNOWN_IRIS.has(iri))).toEqual([]);
    const said = new Map(statusesOf(document).get('lead-scoring'));
    expect(said.get('https://w3id.org/dpv/pd#Insurance')).toEqual(expected);
    expect(said.get('https://w3id.org/dpv/pd#Health')).toEqual(['ConsentRefused']);
    expect(statusesOf(document).get('model-training')).toEqual(
      statusesOf(recordToJsonLd(record)).get('model-training'),
    );
  });

  test('what a rule did nobody indicated; why and since when is said', () => {
    const frozen: GrantState = {
      ...{ status: 'suspended', sinceSeconds: NOW + 5, reason: 'metric-stale', before: 'given' },
      terms: { row: '', conditions: FULL.conditions },
    };
    const text = (state?: GrantState) =>
      JSON.stringify(recordToJsonLd(record, new Map(state && [['lead-scoring', state]])));
    const count = (word: string, state?: GrantState) => text(state).split(word).length - 1;
    expect(count('isIndicatedBy')).toBe(count('isIndicatedBy', frozen) + 1);
    expect(count('"csa:suspendedBecause":"metric-stale"', frozen)).toBe(1);
    expect([count('2026-05-28T20:26:45Z'), count('2026-05-28T20:26:45Z', frozen)]).toEqual([0, 1]);
    // a frozen grant says no end: it holds nothing now
    expect(count('UntilTimeDuration')).toBe(count('UntilTimeDuration', frozen) + 1);
  });

  test('a scene that was withdrawn is not merely refused', () => {
    const gone = decodeRecord(customer('dee').submission(NOTHING).record);
    const document = recordToJsonLd(gone, new Map([['lead-scoring', { status: 'withdrawn', sinceSeconds: NOW }]]));
    expect(
      new Set(
        statusesOf(document)
          .get('lead-scoring')
          ?.flatMap(([, status]) => status),
      ),
    ).toEqual(new Set(['ConsentWithdrawn']));
  });
});

describe('the record', () => {
  test('is named by id and version, and chained to the version before', () => {
    const [one, two] = [recordToJsonLd(first), recordToJsonLd(record)];
    expect(one['dct:replaces']).toBeUndefined();
    expect(two['dct:replaces']).toEqual({ '@id': `urn:concordat:1:record-hash:${recordHash(firstBytes)}` });
    expect(one['csa:recordHash']).toBe(recordHash(firstBytes));
    expect(one['dct:isVersionOf']).toEqual(two['dct:isVersionOf']);
    expect(one['@id']).not.toBe(two['@id']);
  });

  test('lists the conditions that were set, and the end always', () => {
    const constraints = (one: ConsentRecord) =>
      ((recordToJsonLd(one)['dpv:hasRule'] as JsonLd)['odrl:constraint'] as readonly JsonLd[]).map((constraint) => [
        (constraint['odrl:leftOperand'] as JsonLd)['@id'],
        (constraint['odrl:operator'] as JsonLd)['@id'],
        constraint['odrl:rightOperand'],
      ]);
    const end = ['odrl:dateTime', 'odrl:lt', { '@type': 'xsd:dateTime', '@value': '2027-04-01T00:00:00Z' }];
    expect(constraints(first)).toEqual([end]);
    expect(constraints(record)).toEqual([
      end,
      ['csa:attestedAccuracy', 'odrl:gteq', 9200],
      ['csa:epsilonAfterRound', 'odrl:lteq', 3000],
    ]);
    // what is proven ends with the quarter, so the rule does too
    const later = { ...first, validity: { ...first.validity, until: '2027-05-11T00:00:00Z' } };
    expect(constraints(later)).toEqual([end]);
  });

  test('a withdrawal address is a value, never a name in some prefix', () => {
    const tricky = { ...first, withdrawal: { url: 'dpv:ConsentGiven' } };
    const control = expand(recordToJsonLd(tricky))[`${DPV}hasConsentControl`] as JsonLd;
    expect(control[`${DPV}isExercisedAt`]).toEqual({
      '@type': ['http://www.w3.org/2001/XMLSchema#anyURI'],
      '@value': 'dpv:ConsentGiven',
    });
  });
});

describe('concordat consent export', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  async function run(contents: string | Uint8Array): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'concordat-export-'));
    const printed: string[] = [];
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(String(text)) > 0);
    const program = new Command();
    registerConsent(program);
    try {
      await writeFile(join(dir, 'record.json'), contents);
      await program.parseAsync(['consent', 'export', join(dir, 'record.json')], { from: 'user' });
    } finally {
      vi.restoreAllMocks();
      await rm(dir, { recursive: true });
    }
    return printed.join('');
  }

  test('prints the record, however its file is laid out', async () => {
    expect(JSON.parse(await run(firstBytes))).toEqual(recordToJsonLd(first));
    expect(JSON.parse(await run(JSON.stringify(first, undefined, 4)))).toEqual(recordToJsonLd(first));
  });

  test.each([
    ['no JSON', '{', 'FILE_UNREADABLE'],
    ['another thing', '{"schema":"concordat/1/consent-record"}', 'MESSAGE_MALFORMED'],
    ['null', 'null', 'MESSAGE_MALFORMED'],
    ['a record with one field more', JSON.stringify({ ...first, extra: 1 }), 'MESSAGE_MALFORMED'],
    ['too much', ' '.repeat(40_000), 'MESSAGE_TOO_LARGE'],
  ])('refuses %s', async (_, contents, code) => {
    expect(await faultOf(() => run(contents))).toBe(code);
  });
});
