// The shared numbers under the names that circuits and contracts know them by.
import { FIELD_ORDER, POLICY_DIGEST_TAG } from '../../protocol/consent/policy.ts';
import { CONSENT, LIMITS, PROTOCOL_VERSION, SECAGG } from '../../protocol/params.ts';

export type Constant = readonly [name: string, value: number | bigint | string];

/** What a circuit and a contract both need. */
export const POLICY_CONSTANTS: readonly Constant[] = [
  ['POLICIES_PER_PROOF', CONSENT.policiesPerProof],
  ['GRANT_BITS_PER_WORD', CONSENT.grantBitsPerWord],
  ['EXPIRY_BITS', CONSENT.expiryBits],
  ['EVIDENCE_BITS', CONSENT.evidenceBits],
  ['ACCURACY_FLOOR_BITS', CONSENT.accuracyFloorBits],
  ['PRIVACY_CAP_BITS', CONSENT.privacyCapBits],
  ['POLICY_TAG', POLICY_DIGEST_TAG],
];

/** What only a contract needs. */
export const CHAIN_CONSTANTS: readonly Constant[] = [
  ['PROTOCOL_VERSION', PROTOCOL_VERSION],
  ['SCALAR_FIELD', FIELD_ORDER],
  ['SHAMIR_PRIME', SECAGG.shamirPrime],
  ['MIN_COHORT', SECAGG.minCohort],
  ['MIN_THRESHOLD', SECAGG.minThreshold],
  ['MAX_KEY_HOLDERS', LIMITS.maxKeyHolders],
  ['MAX_ROUND_SECONDS', LIMITS.maxRoundSeconds],
];
