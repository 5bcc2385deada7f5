// The 12 scenes and 16 field classes a customer can switch, each with its W3C DPV 2.3 term. Positions are bit positions
// of the grant matrix and are never reused.

const DPV = 'https://w3id.org/dpv#';
const PD = 'https://w3id.org/dpv/pd#';

/** What the data may be used for. `purpose`: the DPV purpose the scene falls under. */
export const SCENES = [
  { id: 'model-training', purpose: `${DPV}ImproveInternalCRMProcesses`, title: 'Train shared models' },
  { id: 'lead-scoring', purpose: `${DPV}ImproveInternalCRMProcesses`, title: 'Rate my interest in an offer' },
  { id: 'churn-retention', purpose: `${DPV}CustomerRelationshipManagement`, title: 'Notice when I may leave' },
  { id: 'service-reminder', purpose: `${DPV}CommunicationForCustomerCare`, title: 'Remind me of services' },
  { id: 'repair-diagnosis', purpose: `${DPV}RequestedServiceProvision`, title: 'Diagnose repairs' },
  { id: 'parts-scheduling', purpose: `${DPV}ServiceOptimisation`, title: 'Plan parts and workshop slots' },
  { id: 'marketing-messages', purpose: `${DPV}DirectMarketing`, title: 'Send me marketing messages' },
  { id: 'personal-offers', purpose: `${DPV}PersonalisedBenefits`, title: 'Make me personal offers' },
  { id: 'location-service', purpose: `${DPV}ServicePersonalisation`, title: 'Use where my car is' },
  { id: 'voice-sentiment', purpose: `${DPV}CustomerCare`, title: 'Analyse recorded calls' },
  { id: 'synthetic-fit', purpose: `${DPV}ServiceUsageAnalytics`, title: 'Fit anonymous statistics' },
  { id: 'third-party-sharing', purpose: `${DPV}CustomerRelationshipManagement`, title: 'Share with partners' },
] as const;

/** What kind of data it is. `sensitive` classes are off by default. */
export const FIELD_CLASSES = [
  { id: 'identity', term: `${PD}Identifying`, title: 'Name and identifiers', sensitive: false },
  { id: 'contact', term: `${PD}Contact`, title: 'Phone and e-mail', sensitive: false },
  { id: 'demographics', term: `${PD}Demographic`, title: 'Age, household, customer type', sensitive: false },
  { id: 'area-statistics', term: `${PD}Location`, title: 'Statistics of my postcode area', sensitive: false },
  { id: 'financial', term: `${PD}Financial`, title: 'Income and credit', sensitive: false },
  { id: 'insurance', term: `${PD}Insurance`, title: 'Insurance policies I hold', sensitive: false },
  { id: 'purchases', term: `${PD}Purchase`, title: 'What I bought', sensitive: false },
  { id: 'vehicle', term: `${PD}Vehicle`, title: 'My vehicles', sensitive: false },
  { id: 'vehicle-usage', term: `${PD}VehicleUsage`, title: 'How I use my vehicles', sensitive: false },
  { id: 'service-history', term: `${PD}ServiceConsumptionBehaviour`, title: 'Repairs and services', sensitive: false },
  { id: 'communications', term: `${PD}Communication`, title: 'Messages and calls', sensitive: false },
  { id: 'location', term: `${PD}GPSCoordinate`, title: 'Where I am', sensitive: true },
  { id: 'health', term: `${PD}Health`, title: 'Health', sensitive: true },
  { id: 'religion', term: `${PD}Religion`, title: 'Religion', sensitive: true },
  { id: 'union', term: `${PD}TradeUnionMembership`, title: 'Union membership', sensitive: true },
  { id: 'biometrics', term: `${PD}Biometric`, title: 'Voice and face', sensitive: true },
] as const;

export type SceneId = (typeof SCENES)[number]['id'];
export type FieldClassId = (typeof FIELD_CLASSES)[number]['id'];

/** Where the way of processing says more than the purpose: one DPV term and the property it goes with. */
export const SCENE_PROCESSING: Readonly<Partial<Record<SceneId, readonly [property: string, term: string]>>> = {
  'lead-scoring': ['dpv:hasContext', `${DPV}AutomatedScoringOfIndividuals`],
  'synthetic-fit': ['dpv:hasProcessing', `${DPV}Anonymise`],
  'third-party-sharing': ['dpv:hasProcessing', `${DPV}Share`],
};

export const SCENE_IDS: readonly SceneId[] = SCENES.map((scene) => scene.id);
export const FIELD_CLASS_IDS: readonly FieldClassId[] = FIELD_CLASSES.map((fieldClass) => fieldClass.id);

/** Bit of one cell of the grant matrix: 16·scene + class. */
export function grantBit(scene: SceneId, fieldClass: FieldClassId): bigint {
  return 1n << BigInt(16 * SCENE_IDS.indexOf(scene) + FIELD_CLASS_IDS.indexOf(fieldClass));
}
