// Terms our linked data may use, by the vocabulary and file they were read in. A term that is not here is a mistake or new.

/** w3c/dpv: file under 2.3/ (the guide: in the repository's root, of 2024, for DPV 2) -> terms. */
const DPV: Readonly<Record<string, string>> = {
  'dpv/modules/consent_status.ttl':
    'ConsentGiven RenewedConsentGiven ConsentRefused ConsentWithdrawn ConsentExpired ConsentStatusInvalidForProcessing',
  'dpv/modules/consent.ttl': 'hasConsentStatus hasConsentControl',
  'dpv/modules/consent_controls.ttl': 'WithdrawConsent',
  'dpv/modules/consent_types.csv': 'ExplicitlyExpressedConsent',
  'dpv/modules/process.csv': 'Process hasProcess',
  'dpv/modules/rules.ttl': 'hasRule Permission',
  'dpv/modules/context.csv': 'hasDuration UntilTimeDuration hasIdentifier hasContext',
  'dpv/modules/processing_context.ttl': 'AutomatedScoringOfIndividuals',
  'dpv/modules/processing.csv': 'Anonymise Share hasProcessing',
  'dpv/modules/notice.csv': 'hasNotice ConsentNotice',
  'dpv/modules/purposes.ttl':
    'ImproveInternalCRMProcesses CustomerRelationshipManagement CommunicationForCustomerCare RequestedServiceProvision ServiceOptimisation DirectMarketing PersonalisedBenefits ServicePersonalisation CustomerCare ServiceUsageAnalytics',
  'guides/consent-27560.html':
    'ConsentRecord hasDataSubject DataSubject hasDataController DataController hasName hasContact hasPurpose hasPersonalData hasRecipient ThirdParty hasStorageCondition StorageLocation StorageDuration hasLocation hasJurisdiction hasLegalBasis isExercisedAt isIndicatedAtTime isIndicatedBy hasIndicationMethod',
};

/** 2.3/pd/pd.ttl */
const PD =
  'Identifying Contact Demographic Location Financial Insurance Purchase Vehicle VehicleUsage ServiceConsumptionBehaviour Communication GPSCoordinate Health Religion TradeUnionMembership Biometric';

/** DCMI Metadata Terms, 2020-01-20 */
const DCT = 'conformsTo identifier isVersionOf hasVersion replaces language valid title Period';

/** ODRL Vocabulary & Expression 2.2, W3C Recommendation */
const ODRL = 'Constraint constraint leftOperand operator rightOperand unit dateTime lt lteq gteq';

const XSD = 'dateTime duration anyURI';

/** Ours: no vocabulary has them. */
const CSA =
  'recordHash publicKey nonce sha256 evidence edge-node attestedAccuracy epsilonAfterRound basisPoint thousandth ConsentSuspended suspendedBecause';

const all = (namespace: string, names: string) => names.split(' ').map((name) => namespace + name);

export const KNOWN_IRIS: ReadonlySet<string> = new Set([
  ...Object.values(DPV).flatMap((names) => all('https://w3id.org/dpv#', names)),
  ...all('https://w3id.org/dpv/pd#', PD),
  ...all('http://purl.org/dc/terms/', DCT),
  ...all('http://www.w3.org/ns/odrl/2/', ODRL),
  ...all('http://www.w3.org/2001/XMLSchema#', XSD),
  ...all('urn:concordat:1:csa#', CSA),
  'http://www.w3.org/1999/02/22-rdf-syntax-ns#value',
  'https://w3id.org/dpv/schema/dpv-27560#record',
  // 2.3/loc/loc.ttl has every ISO 3166 country
  'https://w3id.org/dpv/loc#NL',
]);
