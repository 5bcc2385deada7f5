// Builds protocol/vectors/consent.json: may this use go ahead? Every decision is written by hand; nothing of ours decides.
// Rebuild: npx tsx tests/vectors/consent-build.ts > protocol/vectors/consent.json (only with a new protocol version).
import { pathToFileURL } from 'node:url';

/** Positions written out once more, by hand, from docs/spec/01-encodings.md and the order of the scenes. */
const TRAINING = 0;
const LEADS = 1;
const CHURN = 2;
const SHARING = 11;
const DEMOGRAPHICS = 2;
const AREA = 3;
const INSURANCE = 5;
const HEALTH = 12;
const BIOMETRICS = 15;
const bit = (scene: number, fieldClass: number): bigint => 1n << BigInt(16 * scene + fieldClass);
const cells = (scenes: readonly number[], classes: readonly number[]): bigint =>
  scenes.flatMap((scene) => classes.map((c) => bit(scene, c))).reduce((a, b) => a | b, 0n);

const NOW = 1_900_000_000;
const NO_CAP = 1_048_575;
const MAX_AGE = 3_600;
const [ATTESTED, PASSKEY] = [1, 2] as const;
const CLASSES = [DEMOGRAPHICS, AREA, INSURANCE];
const NEED = cells([TRAINING, LEADS], CLASSES);
const EVERYTHING = 2n ** 192n - 1n;

interface Case {
  readonly name: string;
  readonly grants?: bigint;
  /** Seconds from now to the end. */
  readonly left?: number;
  readonly floor?: number;
  readonly cap?: number;
  readonly evidence?: 1 | 2;
  readonly required?: bigint;
  readonly minEvidence?: 1 | 2;
  /** null: never measured. */
  readonly metric?: readonly [accuracyBps: number, ageSeconds: number] | null;
  readonly epsilon?: number;
  readonly decision:
    | 'allow'
    | 'not-granted'
    | 'evidence-too-weak'
    | 'expired'
    | 'accuracy-under-floor'
    | 'metric-stale'
    | 'privacy-cap';
}

const CASES: readonly Case[] = [
  // grants
  { name: 'exactly what is required', decision: 'allow' },
  { name: 'everything granted', grants: EVERYTHING, decision: 'allow' },
  { name: 'nothing granted', grants: 0n, decision: 'not-granted' },
  { name: 'the scene, but not model-training', grants: cells([LEADS], CLASSES), decision: 'not-granted' },
  { name: 'model-training, but not the scene', grants: cells([TRAINING], CLASSES), decision: 'not-granted' },
  { name: 'another scene instead', grants: cells([TRAINING, CHURN], CLASSES), decision: 'not-granted' },
  { name: 'one class short in the scene', grants: NEED & ~bit(LEADS, INSURANCE), decision: 'not-granted' },
  { name: 'one class short in model-training', grants: NEED & ~bit(TRAINING, AREA), decision: 'not-granted' },
  { name: 'everything but one required class', grants: EVERYTHING & ~bit(LEADS, AREA), decision: 'not-granted' },
  { name: 'everything but a class not required', grants: EVERYTHING & ~bit(LEADS, HEALTH), decision: 'allow' },
  { name: 'fewer classes required than granted', required: cells([TRAINING, LEADS], [AREA]), decision: 'allow' },
  { name: 'a task of model-training alone', required: cells([TRAINING], CLASSES), decision: 'allow' },
  {
    ...{ name: 'the last scene, across the words', grants: cells([TRAINING, SHARING], CLASSES) },
    ...{ required: cells([TRAINING, SHARING], CLASSES), decision: 'allow' },
  },
  {
    ...{ name: 'the last scene refused', required: cells([TRAINING, SHARING], CLASSES) },
    decision: 'not-granted',
  },
  // sensitive classes are classes like others: granted by name or not at all
  {
    ...{ name: 'health required, all ordinary classes granted', required: NEED | cells([TRAINING, LEADS], [HEALTH]) },
    ...{ grants: cells([TRAINING, LEADS], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), decision: 'not-granted' },
  },
  {
    ...{ name: 'health required and granted', required: NEED | cells([TRAINING, LEADS], [HEALTH]) },
    ...{ grants: NEED | cells([TRAINING, LEADS], [HEALTH]), decision: 'allow' },
  },
  {
    ...{ name: 'biometrics granted for the scene, not for training', required: cells([TRAINING, LEADS], [BIOMETRICS]) },
    ...{ grants: NEED | bit(LEADS, BIOMETRICS), decision: 'not-granted' },
  },
  // evidence
  { name: 'paper where paper will do', evidence: ATTESTED, minEvidence: ATTESTED, decision: 'allow' },
  { name: 'a passkey where paper will do', minEvidence: ATTESTED, decision: 'allow' },
  { name: 'paper where a passkey is asked for', evidence: ATTESTED, decision: 'evidence-too-weak' },
  // the end
  { name: 'the last second', left: 1, decision: 'allow' },
  { name: 'the second of the end', left: 0, decision: 'expired' },
  { name: 'a second after the end', left: -1, decision: 'expired' },
  // the floor
  { name: 'accuracy 9200 on a floor of 9200', floor: 9_200, metric: [9_200, 60], decision: 'allow' },
  { name: 'accuracy 9199 under a floor of 9200', floor: 9_200, metric: [9_199, 60], decision: 'accuracy-under-floor' },
  { name: 'a floor of one basis point, accuracy 0', floor: 1, metric: [0, 60], decision: 'accuracy-under-floor' },
  { name: 'a perfect model on a perfect floor', floor: 10_000, metric: [10_000, 60], decision: 'allow' },
  { name: 'no floor, the worst model', floor: 0, metric: [0, 60], decision: 'allow' },
  { name: 'no floor, never measured', floor: 0, metric: null, decision: 'allow' },
  { name: 'a floor, never measured', floor: 9_200, metric: null, decision: 'metric-stale' },
  { name: 'measured an hour ago to the second', floor: 9_200, metric: [9_300, 3_600], decision: 'allow' },
  { name: 'measured a second longer ago', floor: 9_200, metric: [9_300, 3_601], decision: 'metric-stale' },
  { name: 'too old and too low: too old', floor: 9_200, metric: [9_000, 3_601], decision: 'metric-stale' },
  { name: 'too old, but no floor', floor: 0, metric: [9_300, 3_601], decision: 'allow' },
  // the cap
  { name: 'epsilon on the cap', cap: 3_000, epsilon: 3_000, decision: 'allow' },
  { name: 'epsilon a thousandth beyond the cap', cap: 3_000, epsilon: 3_001, decision: 'privacy-cap' },
  { name: 'a cap of nothing, a task that costs nothing', cap: 0, epsilon: 0, decision: 'allow' },
  { name: 'a cap of nothing, a task that costs a thousandth', cap: 0, epsilon: 1, decision: 'privacy-cap' },
  { name: 'no cap, no differential privacy', cap: NO_CAP, epsilon: NO_CAP, decision: 'allow' },
  { name: 'the widest cap, no differential privacy', cap: NO_CAP - 1, epsilon: NO_CAP, decision: 'privacy-cap' },
  // all at once: the first reason in this order
  {
    ...{ name: 'all conditions on their edges', left: 1, floor: 9_200, metric: [9_200, 3_600] },
    ...{ cap: 3_000, epsilon: 3_000, evidence: ATTESTED, minEvidence: ATTESTED, decision: 'allow' },
  },
  {
    ...{ name: 'everything wrong', grants: 0n, left: 0, floor: 9_200, metric: null },
    ...{ cap: 0, epsilon: 1, evidence: ATTESTED, decision: 'not-granted' },
  },
  {
    ...{ name: 'everything wrong but the grants', left: 0, floor: 9_200, metric: null },
    ...{ cap: 0, epsilon: 1, evidence: ATTESTED, decision: 'evidence-too-weak' },
  },
  {
    ...{ name: 'ended, unmeasured, beyond the cap', left: 0, floor: 9_200, metric: null },
    ...{ cap: 0, epsilon: 1, decision: 'expired' },
  },
  { name: 'unmeasured, beyond the cap', floor: 9_200, metric: null, cap: 0, epsilon: 1, decision: 'metric-stale' },
  {
    ...{ name: 'under the floor, beyond the cap', floor: 9_200, metric: [9_199, 60] },
    ...{ cap: 0, epsilon: 1, decision: 'accuracy-under-floor' },
  },
];

const hex = (value: bigint): string => `0x${value.toString(16)}`;

export function buildConsentVectors(): unknown {
  return {
    about:
      'May this use of a customer’s record go ahead? One meaning for protocol/consent/evaluate.ts, the policy circuit and RoundLedger.commit.',
    metricMaxAgeSeconds: MAX_AGE,
    vectors: CASES.map((one) => ({
      name: one.name,
      policy: {
        grants: hex(one.grants ?? NEED),
        conditions: {
          expiry: NOW + (one.left ?? 1_000_000),
          accuracyFloorBps: one.floor ?? 0,
          privacyCapMilli: one.cap ?? NO_CAP,
          evidence: one.evidence ?? PASSKEY,
        },
      },
      requirement: { required: hex(one.required ?? NEED), minEvidence: one.minEvidence ?? PASSKEY },
      nowSeconds: NOW,
      metric: one.metric ? { accuracyBps: one.metric[0], ageSeconds: one.metric[1] } : null,
      epsilonAfterMilli: one.epsilon ?? 1_000,
      decision: one.decision,
    })),
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(JSON.stringify(buildConsentVectors(), undefined, 2));
}
