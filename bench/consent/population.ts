// Customers and policies of the benchmark, SIMULATED: P different rules that all allow the task, dealt out in turn.
import type { Population } from '../../examples/simulation/population.ts';
import type { Access } from '../../protocol/consent/evaluate.ts';
import { grantsFor } from '../../protocol/consent/grants.ts';
import { EVIDENCE, NO_PRIVACY_CAP, type Policy, requirementOf } from '../../protocol/consent/policy.ts';
import { quarterStart } from '../../protocol/consent/quarter.ts';
import { grantBit, SCENE_IDS } from '../../protocol/consent/scenes.ts';

const CLASSES = ['demographics', 'area-statistics', 'insurance'] as const;
const REQUIRED = grantsFor(['model-training', 'lead-scoring'], CLASSES);
/** Switches that the task does not ask about: their positions, in binary, number the policies. */
const FREE = SCENE_IDS.filter((scene) => scene !== 'model-training' && scene !== 'lead-scoring').flatMap((scene) =>
  CLASSES.map((fieldClass) => grantBit(scene, fieldClass)),
);

/** No accuracy floor: before the first attested metric, none would be met. */
const policyAt = (index: number, nowSeconds: number): Policy => ({
  grants: FREE.reduce((grants, bit, i) => ((index >> i) & 1 ? grants | bit : grants), REQUIRED),
  conditions: {
    expiry: quarterStart(nowSeconds, 4),
    accuracyFloorBps: 0,
    privacyCapMilli: NO_PRIVACY_CAP,
    evidence: EVIDENCE.passkey,
  },
});

export function populationOf(customers: number, policies: number, nowSeconds: number): Population {
  const rules = Array.from({ length: policies }, (_, i) => policyAt(i, nowSeconds));
  return new Map(
    Array.from({ length: customers }, (_, i) => [
      `customer-${i}`,
      { archetype: 'lean' as const, policy: rules[i % policies] ?? policyAt(0, nowSeconds) },
    ]),
  );
}

export const accessAt = (nowSeconds: number): Access => ({
  requirement: requirementOf('lead-scoring', CLASSES, EVIDENCE.passkey),
  nowSeconds,
  attestedAccuracyBps: undefined,
  epsilonAfterMilli: NO_PRIVACY_CAP,
});
