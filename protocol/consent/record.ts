// The Customer Sovereignty Agreement: the consent record a customer signs by its hash. ISO/IEC TS 27560:2023 / DPV 2.3 terms.
import { z } from 'zod';
import { type Hex, sha256, toHex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { CONSENT, PROTOCOL_VERSION } from '../params.ts';
import { encodeCanonicalJson, parseCanonicalJson } from './canonical-json.ts';
import { GRANT_VOCABULARY, grantsOfRows } from './grants.ts';
import { hexOf } from './hex-schema.ts';
import { EVIDENCE, type Policy } from './policy.ts';
import { roundExpiryDown, secondsOfIso } from './quarter.ts';
import { FIELD_CLASS_IDS, SCENE_IDS, type SceneId } from './scenes.ts';

const MAX_RECORD_BYTES = 8192;

const text = (max: number) => z.string().min(1).max(max);
const isoTime = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'must be UTC, to the second');
const row = z.string().regex(new RegExp(`^[+-]{${FIELD_CLASS_IDS.length}}$`), 'must be one + or - per field class');
const grantRows = z.strictObject(
  Object.fromEntries(SCENE_IDS.map((scene) => [scene, row])) as Record<SceneId, typeof row>,
);

const recordSchema = z.strictObject({
  /** schema_version, dct:conformsTo */
  schema: z.literal(`${PROTOCOL_VERSION}/consent-record`),
  /** record_id, dct:identifier; the same for all versions of one subject's record */
  recordId: hexOf(16),
  /** Version of the record; equals the operation's sequence number. */
  seq: z.int().min(1),
  /** dct:isVersionOf: hash of the version before; 32 zero bytes in the first */
  prev: hexOf(32),
  /** pii_principal_id, dpv:hasDataSubject: a pseudonym per dealer, with the key that can prove to be its owner */
  subject: z.strictObject({ pseudonym: hexOf(32), publicKey: hexOf(64), nonce: hexOf(32) }),
  /** pii_controllers, dpv:hasDataController: the dealer */
  controller: z.strictObject({ address: hexOf(20), name: text(120), contact: text(200) }),
  /** privacy_notice + language, dpv:hasNotice, dct:language: exactly what was shown, by hash */
  notice: z.strictObject({
    id: text(80),
    version: text(20),
    sha256: hexOf(32),
    language: z.string().regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/),
  }),
  vocabulary: z.literal(GRANT_VOCABULARY),
  /** One dpv:Process per scene: dpv:hasPurpose the scene's term, dpv:hasPersonalData the classes marked "+"
   *  (dpv:ConsentGiven); "-" is dpv:ConsentRefused, listed as TS 27560 asks. */
  grants: grantRows,
  /** dpv:hasRule: the customer's own conditions; a breach suspends the grant */
  conditions: z.strictObject({
    /** basis points; 0 = no floor */
    accuracyFloorBps: z.int().min(0).max(10_000),
    /** ε in thousandths; 2^20-1 = no cap */
    privacyCapMilli: z
      .int()
      .min(0)
      .max(2 ** CONSENT.privacyCapBits - 1),
  }),
  /** passkey: signed by the customer's own device; attested: on paper, entered by the dealer */
  evidence: z.enum(['attested', 'passkey']),
  /** validity_duration, dpv:hasDuration (dpv:UntilTimeDuration). The policy ends at the start of `until`'s quarter. */
  validity: z.strictObject({ from: isoTime, until: isoTime }),
  /** storage_locations + retention_period, dpv:hasStorageCondition */
  storage: z.strictObject({ location: z.literal('edge-node'), retentionDays: z.int().min(1).max(36_500) }),
  /** jurisdiction, dpv:hasJurisdiction (loc:NL, loc:EU, loc:US-CA …) */
  jurisdiction: z.string().regex(/^[A-Z]{2}(-[A-Z0-9]{1,3})?$/),
  /** withdrawal_method, dpv:hasConsentControl dpv:WithdrawConsent: where the same switches are */
  withdrawal: z.strictObject({ url: text(300) }),
  /** event_time + collection_method, dpv:isIndicatedAtTime, dpv:hasIndicationMethod */
  event: z.strictObject({ time: isoTime, method: z.enum(['qr-self', 'staff-assisted', 'paper']) }),
});

export type ConsentRecord = z.output<typeof recordSchema>;

/** Canonical JSON (RFC 8785). @throws ConcordatError MESSAGE_MALFORMED */
export const encodeRecord = (record: ConsentRecord): Uint8Array => encodeCanonicalJson(record);

/** sha256 of the record's bytes, as received. */
export const recordHash = (recordBytes: Uint8Array): Hex => toHex(sha256(recordBytes));

/** @throws ConcordatError MESSAGE_TOO_LARGE, MESSAGE_MALFORMED */
export function decodeRecord(bytes: Uint8Array): ConsentRecord {
  const parsed = recordSchema.safeParse(parseCanonicalJson(bytes, MAX_RECORD_BYTES));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConcordatError(
      'MESSAGE_MALFORMED',
      `record ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`,
    );
  }
  const record = parsed.data;
  secondsOfIso(record.event.time);
  if (secondsOfIso(record.validity.from) > secondsOfIso(record.validity.until)) {
    throw new ConcordatError('MESSAGE_MALFORMED', 'record validity: ends before it begins');
  }
  if ((record.event.method === 'paper') !== (record.evidence === 'attested')) {
    throw new ConcordatError('MESSAGE_MALFORMED', 'record evidence: paper is attested, and nothing else is');
  }
  return record;
}

/** What the record allows, in the form that is proven. The same on the customer's device, at the dealer, in an audit. */
export function policyOfRecord(record: ConsentRecord): Policy {
  return {
    grants: grantsOfRows(record.grants),
    conditions: {
      ...record.conditions,
      expiry: roundExpiryDown(secondsOfIso(record.validity.until)),
      evidence: EVIDENCE[record.evidence],
    },
  };
}
