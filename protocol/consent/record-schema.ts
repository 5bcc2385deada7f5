// Schema of the CSA record, each field with its ISO/IEC TS 27560:2023 and W3C DPV 2.3 term, and its published JSON Schema.
import { z } from 'zod';
import { CONSENT, PROTOCOL_VERSION } from '../params.ts';
import { GRANT_VOCABULARY } from './grants.ts';
import { hexOf } from './hex-schema.ts';
import { FIELD_CLASS_IDS, FIELD_CLASSES, SCENES, type SceneId } from './scenes.ts';

/** What TS 27560 has no field for. */
const EXTENSION = 'extension';

/** `ts27560`: its field name, or EXTENSION; `dpv`: the properties and classes of the JSON-LD export. */
const meaning = (description: string, ts27560: string, ...dpv: readonly string[]) => ({
  description,
  'x-ts27560': ts27560,
  'x-dpv': dpv,
});

type Meaning = ReturnType<typeof meaning>;

// a custom schema tells JSON Schema nothing: the pattern says the same once more
const hex = (bytes: number, about: Meaning) =>
  hexOf(bytes).meta({ type: 'string', pattern: `^0x[0-9a-f]{${2 * bytes}}$`, ...about });

const text = (max: number, about: Meaning) => z.string().min(1).max(max).meta(about);

const time = (about: Meaning) =>
  z
    .string()
    .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'must be UTC, to the second')
    .meta(about);

const row = (about: Meaning) =>
  z
    .string()
    .regex(new RegExp(`^[+-]{${FIELD_CLASS_IDS.length}}$`), 'must be one + or - per field class')
    .meta(about);

const grants = z
  .strictObject(
    Object.fromEntries(
      SCENES.map(({ id, title, purpose }) => [
        id,
        row(
          meaning(`${title}. Purpose: ${purpose}`, 'purpose, pii_information', 'dpv:hasPurpose', 'dpv:hasPersonalData'),
        ),
      ]),
    ) as Record<SceneId, ReturnType<typeof row>>,
  )
  .meta(
    meaning(
      `One dpv:Process per scene. One mark per field class, in this order: ${FIELD_CLASS_IDS.join(', ')}. "+" is given, "-" is refused: refusals are recorded too.`,
      'purpose, pii_information, event_state',
      'dpv:hasProcess',
      'dpv:hasConsentStatus',
      'dpv:ConsentGiven',
      'dpv:ConsentRefused',
    ),
  );

const conditions = z
  .strictObject({
    accuracyFloorBps: z
      .int()
      .min(0)
      .max(10_000)
      .meta(
        meaning(
          'Suspended while the attested accuracy is under this, basis points. 0: no floor.',
          EXTENSION,
          'odrl:constraint',
        ),
      ),
    privacyCapMilli: z
      .int()
      .min(0)
      .max(2 ** CONSENT.privacyCapBits - 1)
      .meta(meaning('Suspended beyond this epsilon, thousandths. 2^20-1: no cap.', EXTENSION, 'odrl:constraint')),
  })
  .meta(
    meaning(
      'Conditions of the customer’s own. A breach suspends the grant.',
      EXTENSION,
      'dpv:hasRule',
      'dpv:Permission',
    ),
  );

export const recordSchema = z
  .strictObject({
    schema: z
      .literal(`${PROTOCOL_VERSION}/consent-record`)
      .meta(meaning('Version of this schema.', 'schema_version', 'dct:conformsTo')),
    recordId: hex(
      16,
      meaning('The same in all versions of one subject’s record.', 'record_id', 'dct:identifier', 'dct:isVersionOf'),
    ),
    seq: z
      .int()
      .min(1)
      .meta(
        meaning(
          'Version of the record: the sequence number of the operation that signs it.',
          EXTENSION,
          'dct:hasVersion',
        ),
      ),
    prev: hex(32, meaning('sha256 of the version before; zero in the first.', EXTENSION, 'dct:replaces')),
    subject: z
      .strictObject({
        pseudonym: hex(
          32,
          meaning('Pseudonym at this dealer: a hash of key, dealer and nonce.', 'pii_principal_id', 'dct:identifier'),
        ),
        publicKey: hex(64, meaning('Passkey of the customer, P-256 point, x then y.', EXTENSION, 'csa:publicKey')),
        nonce: hex(32, meaning('Keeps one customer’s pseudonyms at two dealers apart.', EXTENSION, 'csa:nonce')),
      })
      .meta(meaning('The customer, by pseudonym.', 'pii_principal_id', 'dpv:hasDataSubject', 'dpv:DataSubject')),
    controller: z
      .strictObject({
        address: hex(20, meaning('Address of the dealer on chain.', 'party_id', 'dpv:hasIdentifier')),
        name: text(120, meaning('Legal name.', 'party_name', 'dpv:hasName')),
        contact: text(200, meaning('Where to ask.', 'party_contact', 'dpv:hasContact')),
      })
      .meta(meaning('The dealer.', 'pii_controllers', 'dpv:hasDataController', 'dpv:DataController')),
    notice: z
      .strictObject({
        id: text(80, meaning('Name of the notice.', 'privacy_notice', 'dct:identifier')),
        version: text(20, meaning('Version of the notice.', 'privacy_notice', 'dct:hasVersion')),
        sha256: hex(32, meaning('sha256 of exactly what was shown.', 'privacy_notice', 'csa:sha256')),
        language: z
          .string()
          .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/)
          .meta(meaning('Language it was shown in (BCP 47).', 'language', 'dct:language')),
      })
      .meta(meaning('What the customer read before signing.', 'privacy_notice', 'dpv:hasNotice', 'dpv:ConsentNotice')),
    vocabulary: z
      .literal(GRANT_VOCABULARY)
      .meta(
        meaning('Names the list of scenes and field classes that the marks refer to.', EXTENSION, 'dct:conformsTo'),
      ),
    grants,
    conditions,
    evidence: z
      .enum(['attested', 'passkey'])
      .meta(
        meaning(
          'passkey: signed by the customer’s own device. attested: on paper, entered by the dealer.',
          'event_type',
          'dpv:hasLegalBasis',
          'csa:evidence',
        ),
      ),
    validity: z
      .strictObject({
        from: time(meaning('Valid from.', 'validity_duration', 'dct:valid')),
        until: time(
          meaning(
            'Valid until. What is proven ends at the start of this quarter: earlier than asked, never later.',
            'validity_duration',
            'dct:valid',
            'dpv:hasDuration',
            'dpv:UntilTimeDuration',
          ),
        ),
      })
      .meta(meaning('How long the grants hold.', 'validity_duration', 'dct:valid', 'dpv:hasDuration')),
    storage: z
      .strictObject({
        location: z
          .literal('edge-node')
          .meta(
            meaning(
              'Data stay on the dealer’s own node.',
              'storage_locations',
              'dpv:StorageLocation',
              'dpv:hasLocation',
            ),
          ),
        retentionDays: z
          .int()
          .min(1)
          .max(36_500)
          .meta(meaning('Days the data are kept.', 'retention_period', 'dpv:StorageDuration', 'dpv:hasDuration')),
      })
      .meta(
        meaning(
          'Where the data are and for how long.',
          'storage_locations, retention_period',
          'dpv:hasStorageCondition',
        ),
      ),
    jurisdiction: z
      .string()
      .regex(/^[A-Z]{2}(-[A-Z0-9]{1,3})?$/)
      .meta(meaning('Whose law applies: ISO 3166 code, or EU.', 'jurisdiction', 'dpv:hasJurisdiction')),
    withdrawal: z
      .strictObject({
        url: text(300, meaning('Page with the same switches.', 'withdrawal_method', 'dpv:isExercisedAt')),
      })
      .meta(meaning('How to withdraw.', 'withdrawal_method', 'dpv:hasConsentControl', 'dpv:WithdrawConsent')),
    event: z
      .strictObject({
        time: time(meaning('When the customer decided.', 'event_time', 'dpv:isIndicatedAtTime')),
        method: z
          .enum(['qr-self', 'staff-assisted', 'paper'])
          .meta(meaning('How the customer decided.', 'collection_method', 'dpv:hasIndicationMethod')),
      })
      .meta(
        meaning(
          'The decision this version records.',
          'event_time, entity_id',
          'dpv:hasConsentStatus',
          'dpv:isIndicatedBy',
        ),
      ),
  })
  .meta({
    title: 'Customer Sovereignty Agreement: consent record',
    ...meaning(
      'Canonical JSON (RFC 8785); its sha256 is what the customer signs. Rules a schema cannot state: times exist in the calendar, validity does not end before it begins, the pseudonym is the hash of key, dealer and nonce.',
      'consent record',
      'dpv:ConsentRecord',
    ),
  });

/** Paper is attested, and nothing else is. */
const PAPER_RULE = {
  if: { properties: { event: { properties: { method: { const: 'paper' } } } } },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { properties: { evidence: { const: 'attested' } } },
  else: { properties: { evidence: { const: 'passkey' } } },
};

/** JSON Schema, draft 2020-12, without examples. */
export function recordJsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...schema } = z.toJSONSchema(recordSchema, { target: 'draft-2020-12', unrepresentable: 'any' });
  return {
    $schema,
    $id: 'urn:concordat:1:consent-record',
    ...schema,
    ...PAPER_RULE,
    'x-field-classes': FIELD_CLASSES.map(({ id, title, term, sensitive }) => ({ id, title, term, sensitive })),
  };
}
