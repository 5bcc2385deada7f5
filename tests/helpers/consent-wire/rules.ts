// Rules, buckets and bounds that liars make claims about: plain ones, and strict ones with a floor and a cap.
import type { ClaimBounds, SaltedPolicy } from '../../../engines/proof/claim.ts';
import type { Bucket } from '../../../protocol/consent/bucket.ts';
import { grantsFor } from '../../../protocol/consent/grants.ts';
import { EVIDENCE, NO_PRIVACY_CAP, type Policy, policyDigest } from '../../../protocol/consent/policy.ts';
import { hash } from '../../contracts/world.ts';

export const FAR = 4_102_444_800;
/** Allows more than `REQUIREMENT` asks for: a stronger task would be met by the rules, but not by the proof. */
const OPEN: Policy = {
  grants: grantsFor(['model-training', 'lead-scoring'], ['demographics', 'area-statistics', 'insurance']),
  conditions: { expiry: FAR, accuracyFloorBps: 0, privacyCapMilli: NO_PRIVACY_CAP, evidence: EVIDENCE.passkey },
};
export const STRICT: Policy = {
  ...OPEN,
  conditions: { ...OPEN.conditions, accuracyFloorBps: 9_200, privacyCapMilli: 1_500 },
};
const salted = (policy: Policy, salt: bigint): SaltedPolicy => ({ policy, salt });
export const [FIRST, SECOND, FLOORED] = [salted(OPEN, 11n), salted(OPEN, 12n), salted(STRICT, 13n)] as const;
const bucketOf = ({ policy, salt }: SaltedPolicy, memberCount: number): Bucket => {
  const digest = policyDigest(policy, salt);
  return { digest, membersRoot: hash(`members of ${digest}`), memberCount };
};
/** As many customers as `commitOf` weighs. */
export const BUCKETS = [bucketOf(FIRST, 7), bucketOf(SECOND, 3)] as const;
export const STRICT_BUCKETS = [bucketOf(FLOORED, 10), bucketOf(FIRST, 1)] as const;
export const NO_BOUNDS: ClaimBounds = { validUntil: FAR, accuracyFloorBps: 0, privacyCapMilli: NO_PRIVACY_CAP };
