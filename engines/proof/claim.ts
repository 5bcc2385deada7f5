// From policies to the policy claim's circuit input, refusing in words what the circuit would refuse in silence.
import type { Policy, Requirement } from '../../protocol/consent/policy.ts';
import { FIELD_ORDER, packConditions, policyDigest, splitGrants } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { CONSENT } from '../../protocol/params.ts';

/** One-sided bounds that every policy of the claim keeps; a looser bound only trips earlier. */
export interface ClaimBounds {
  /** Unix seconds, at most the earliest expiry. */
  readonly validUntil: number;
  /** Basis points, at least the strictest floor. */
  readonly accuracyFloorBps: number;
  /** ε in thousandths, at most the strictest cap. */
  readonly privacyCapMilli: number;
}

export interface SaltedPolicy {
  readonly policy: Policy;
  /** Secret, under the field's order. */
  readonly salt: bigint;
}

export interface PolicyClaim {
  /** `claimContext` of protocol/consent/policy.ts: chain, registry, dealer. */
  readonly context: bigint;
  readonly requirement: Requirement;
  readonly bounds: ClaimBounds;
  /** At most CONSENT.policiesPerProof. */
  readonly policies: readonly SaltedPolicy[];
}

/** The inputs of circuits/main/policy-claim.circom, by signal name. Holds secrets: grants, conditions, salts. */
export type PolicyClaimSignals = Readonly<Record<string, readonly bigint[]>>;

export interface PolicyClaimInput {
  readonly signals: PolicyClaimSignals;
  /** In the order of docs/spec/01-encodings.md, "Policy claim". */
  readonly publicSignals: readonly bigint[];
}

/**
 * @param slots the circuit's size; other than the default only in tests of smaller builds
 * @throws ConcordatError PROOF_UNSATISFIABLE naming the policy's index and the condition that fails; VALUE_OUT_OF_RANGE
 */
export function policyClaimInput(claim: PolicyClaim, slots: number = CONSENT.policiesPerProof): PolicyClaimInput {
  const { context, requirement, bounds, policies } = claim;
  if (policies.length > slots) {
    throw new ConcordatError('PROOF_UNSATISFIABLE', `${policies.length} policies, at most ${slots} in one proof`);
  }
  for (const [index, { policy }] of policies.entries()) checkPolicy(index, policy, requirement, bounds);
  checkRange('context', context, FIELD_ORDER);
  for (const [index, { salt }] of policies.entries()) checkRange(`salt of policy ${index}`, salt, FIELD_ORDER);
  // Bounds of a claim fit the same widths as conditions; packing them checks that.
  packConditions({ expiry: bounds.validUntil, evidence: requirement.minEvidence, ...bounds });

  const column = (value: (salted: SaltedPolicy) => bigint): bigint[] =>
    Array.from({ length: slots }, (_, i) => {
      const salted = policies[i];
      return salted === undefined ? 0n : value(salted);
    });
  const [required0, required1] = splitGrants(requirement.required);
  const shared = {
    ctx: [context],
    required0: [required0],
    required1: [required1],
    minEvidence: [BigInt(requirement.minEvidence)],
    validUntil: [BigInt(bounds.validUntil)],
    accuracyFloor: [BigInt(bounds.accuracyFloorBps)],
    privacyCap: [BigInt(bounds.privacyCapMilli)],
    digest: column(({ policy, salt }) => policyDigest(policy, salt)),
  };
  return {
    publicSignals: Object.values(shared).flat(),
    signals: {
      ...shared,
      used: column(() => 1n),
      g0: column(({ policy }) => splitGrants(policy.grants)[0]),
      g1: column(({ policy }) => splitGrants(policy.grants)[1]),
      cond: column(({ policy }) => packConditions(policy.conditions)),
      salt: column(({ salt }) => salt),
    },
  };
}

function checkPolicy(
  index: number,
  { grants, conditions }: Policy,
  requirement: Requirement,
  bounds: ClaimBounds,
): void {
  const refuse = (condition: string, detail: string): never => {
    throw new ConcordatError('PROOF_UNSATISFIABLE', `policy ${index}: ${detail}`, { index, condition });
  };
  const missing = requirement.required & ~grants;
  if (missing !== 0n) refuse('grants', `required bits 0x${missing.toString(16)} are not granted`);
  if (conditions.evidence < requirement.minEvidence) {
    refuse('evidence', `evidence ${conditions.evidence} is under ${requirement.minEvidence}`);
  }
  if (conditions.expiry < bounds.validUntil) {
    refuse('expiry', `expires at ${conditions.expiry}, before ${bounds.validUntil}`);
  }
  if (conditions.accuracyFloorBps > bounds.accuracyFloorBps) {
    refuse('accuracyFloor', `floor ${conditions.accuracyFloorBps} bps is over ${bounds.accuracyFloorBps}`);
  }
  if (conditions.privacyCapMilli < bounds.privacyCapMilli) {
    refuse('privacyCap', `cap ${conditions.privacyCapMilli} is under ${bounds.privacyCapMilli}`);
  }
}

function checkRange(name: string, value: bigint, limit: bigint): void {
  if (value < 0n || value >= limit)
    throw new ConcordatError('VALUE_OUT_OF_RANGE', `${name} is not below the field's order`);
}
