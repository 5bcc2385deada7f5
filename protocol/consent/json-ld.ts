// The CSA record as linked data: JSON-LD in DPV 2.3 terms, after the DPV guide to ISO/IEC TS 27560. The context is inlined.
import type { CanonicalValue } from './canonical-json.ts';
import { ZERO_WORD } from './hex-schema.ts';
import type { GrantState } from './lifecycle.ts';
import { NO_PRIVACY_CAP } from './policy.ts';
import { isoOfSeconds } from './quarter.ts';
import { type ConsentRecord, encodeRecord, policyOfRecord, recordHash } from './record.ts';
import { FIELD_CLASSES, SCENE_PROCESSING, SCENES, type SceneId } from './scenes.ts';

export type JsonLd = { readonly [key: string]: CanonicalValue };

const URN = 'urn:concordat:1:';

/** Prefixes only: every other term is written out, so that no document has to be fetched to read one. */
const CONTEXT = {
  dpv: 'https://w3id.org/dpv#',
  pd: 'https://w3id.org/dpv/pd#',
  loc: 'https://w3id.org/dpv/loc#',
  dct: 'http://purl.org/dc/terms/',
  odrl: 'http://www.w3.org/ns/odrl/2/',
  rdf: 'http://www.w3.org/1999/02/22-rdf-syntax-ns#',
  xsd: 'http://www.w3.org/2001/XMLSchema#',
  csa: `${URN}csa#`,
} as const;

const ref = (iri: string) => ({ '@id': iri });
const typed = (type: string, value: string) => ({ '@type': type, '@value': value });
const instant = (iso: string) => typed('xsd:dateTime', iso);

/** DPV has no word for "frozen by the customer's own condition", so that one comes with the class it falls under. */
const STATUS: Readonly<Record<GrantState['status'], readonly string[]>> = {
  given: ['dpv:ConsentGiven'],
  modified: ['dpv:RenewedConsentGiven'],
  refused: ['dpv:ConsentRefused'],
  suspended: ['csa:ConsentSuspended', 'dpv:ConsentStatusInvalidForProcessing'],
  withdrawn: ['dpv:ConsentWithdrawn'],
  expired: ['dpv:ConsentExpired'],
};

/**
 * @param standing where each scene's grant stands by now (history.ts); a scene left out is as the record says
 */
export function recordToJsonLd(record: ConsentRecord, standing: ReadonlyMap<SceneId, GrantState> = new Map()): JsonLd {
  const { recordId, seq, prev, subject, controller, notice, storage, withdrawal } = record;
  const base = `${URN}record:${recordId}`;
  const self = `${base}:${seq}`;
  return {
    '@context': CONTEXT,
    '@id': self,
    '@type': 'dpv:ConsentRecord',
    'dct:conformsTo': [ref('https://w3id.org/dpv/schema/dpv-27560#record'), record.schema, record.vocabulary],
    'dct:identifier': recordId,
    'dct:isVersionOf': ref(base),
    'dct:hasVersion': seq,
    ...(prev === ZERO_WORD ? {} : { 'dct:replaces': ref(`${URN}record-hash:${prev}`) }),
    'csa:recordHash': recordHash(encodeRecord(record)),
    'dpv:hasDataSubject': {
      ...ref(subjectIri(record)),
      '@type': 'dpv:DataSubject',
      'dct:identifier': subject.pseudonym,
      'csa:publicKey': subject.publicKey,
      'csa:nonce': subject.nonce,
    },
    'dpv:hasDataController': {
      ...ref(dealerIri(record)),
      '@type': 'dpv:DataController',
      'dpv:hasIdentifier': controller.address,
      'dpv:hasName': controller.name,
      'dpv:hasContact': controller.contact,
    },
    'dpv:hasNotice': {
      '@type': 'dpv:ConsentNotice',
      'dct:identifier': notice.id,
      'dct:hasVersion': notice.version,
      'dct:language': notice.language,
      'csa:sha256': notice.sha256,
    },
    'dpv:hasJurisdiction': ref(`loc:${record.jurisdiction}`),
    'dct:valid': typed('dct:Period', `start=${record.validity.from}; end=${record.validity.until}; scheme=W3C-DTF;`),
    'dpv:hasConsentControl': {
      '@type': 'dpv:WithdrawConsent',
      'dpv:isExercisedAt': typed('xsd:anyURI', withdrawal.url),
    },
    'dpv:hasStorageCondition': [
      { '@type': 'dpv:StorageLocation', 'dpv:hasLocation': ref(`csa:${storage.location}`) },
      { '@type': 'dpv:StorageDuration', 'dpv:hasDuration': typed('xsd:duration', `P${storage.retentionDays}D`) },
    ],
    'dpv:hasRule': ruleOf(record, self),
    'dpv:hasProcess': SCENES.map((scene) => processOf(record, self, scene, standing.get(scene.id))),
  };
}

const subjectIri = (record: ConsentRecord) => `${URN}subject:${record.subject.pseudonym}`;
const dealerIri = (record: ConsentRecord) => `${URN}dealer:${record.controller.address}`;
const ruleIri = (self: string) => `${self}#conditions`;

/** Constraints in ODRL's three words; what the customer left open is not listed. */
function ruleOf(record: ConsentRecord, self: string): JsonLd {
  const { expiry, accuracyFloorBps, privacyCapMilli } = policyOfRecord(record).conditions;
  const constraint = (left: string, operator: string, right: CanonicalValue, unit?: string): JsonLd => ({
    '@type': 'odrl:Constraint',
    'odrl:leftOperand': ref(left),
    'odrl:operator': ref(operator),
    'odrl:rightOperand': right,
    ...(unit === undefined ? {} : { 'odrl:unit': ref(unit) }),
  });
  const floor = constraint('csa:attestedAccuracy', 'odrl:gteq', accuracyFloorBps, 'csa:basisPoint');
  const cap = constraint('csa:epsilonAfterRound', 'odrl:lteq', privacyCapMilli, 'csa:thousandth');
  return {
    ...ref(ruleIri(self)),
    '@type': 'dpv:Permission',
    'odrl:constraint': [
      constraint('odrl:dateTime', 'odrl:lt', instant(isoOfSeconds(expiry))),
      ...(accuracyFloorBps === 0 ? [] : [floor]),
      ...(privacyCapMilli === NO_PRIVACY_CAP ? [] : [cap]),
    ],
  };
}

/** One scene; the classes given and the classes refused are processes within it, because a status goes with one process. */
function processOf(
  record: ConsentRecord,
  self: string,
  scene: (typeof SCENES)[number],
  state: GrantState | undefined,
): JsonLd {
  const marks = record.grants[scene.id];
  const classes = (mark: string) =>
    FIELD_CLASSES.filter((_, i) => marks[i] === mark).map(({ term }) => ref(compact(term)));
  const [given, refused] = [classes('+'), classes('-')];
  const [property, term] = SCENE_PROCESSING[scene.id] ?? [];
  const part = (name: string, data: CanonicalValue, status: JsonLd, rest: JsonLd = {}): JsonLd => ({
    ...ref(`${self}#${scene.id}/${name}`),
    '@type': 'dpv:Process',
    'dpv:hasPersonalData': data,
    'dpv:hasConsentStatus': status,
    ...rest,
  });
  const legal: JsonLd = {
    'dpv:hasLegalBasis': ref('dpv:ExplicitlyExpressedConsent'),
    'csa:evidence': record.evidence,
    'dpv:hasRule': ref(ruleIri(self)),
  };
  return {
    ...ref(`${self}#${scene.id}`),
    '@type': 'dpv:Process',
    'dct:identifier': scene.id,
    'dct:title': scene.title,
    'dpv:hasPurpose': ref(compact(scene.purpose)),
    ...(property === undefined || term === undefined ? {} : { [property]: ref(compact(term)) }),
    'dpv:hasRecipient': [
      ref(dealerIri(record)),
      ...(scene.id === 'third-party-sharing' && given.length > 0 ? [ref('dpv:ThirdParty')] : []),
    ],
    'dpv:hasProcess': [
      ...(given.length > 0 ? [part('given', given, statusOf(record, 'given', state), legal)] : []),
      // a scene that was withdrawn is refused in the record that says so
      ...(refused.length > 0
        ? [part('refused', refused, statusOf(record, 'refused', state?.status === 'withdrawn' ? state : undefined))]
        : []),
    ],
  };
}

function statusOf(record: ConsentRecord, recorded: 'given' | 'refused', state: GrantState | undefined): JsonLd {
  const status = state?.status ?? recorded;
  const { event, validity } = record;
  const since = state === undefined ? event.time : isoOfSeconds(state.sinceSeconds);
  const byRule = status === 'suspended' || status === 'expired';
  return {
    '@type': STATUS[status],
    'dpv:isIndicatedAtTime': instant(since),
    ...(byRule ? {} : { 'dpv:isIndicatedBy': ref(subjectIri(record)), 'dpv:hasIndicationMethod': event.method }),
    ...(state?.status === 'suspended' ? { 'csa:suspendedBecause': state.reason } : {}),
    ...(status === 'given' || status === 'modified'
      ? { 'dpv:hasDuration': { '@type': 'dpv:UntilTimeDuration', 'rdf:value': instant(validity.until) } }
      : {}),
  };
}

/** https://w3id.org/dpv/pd#Contact -> pd:Contact */
function compact(iri: string): string {
  const prefix = Object.entries(CONTEXT).find(([, namespace]) => iri.startsWith(namespace));
  return prefix === undefined ? iri : `${prefix[0]}:${iri.slice(prefix[1].length)}`;
}
