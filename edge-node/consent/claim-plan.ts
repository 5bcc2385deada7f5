// Which policies go into which proof. Bounds are shared by a proof's policies, so alike ones go together.
import type { Policy } from '../../protocol/consent/policy.ts';
import { CONSENT } from '../../protocol/params.ts';

export interface ClaimablePolicy {
  readonly digest: bigint;
  readonly salt: bigint;
  readonly policy: Policy;
}

export interface PlannedClaim {
  readonly policies: readonly ClaimablePolicy[];
  readonly bounds: {
    /** Unix seconds: the earliest expiry among the policies. */
    readonly validUntil: number;
    /** Basis points: the highest floor. */
    readonly accuracyFloorBps: number;
    /** Thousandths of ε: the lowest cap. */
    readonly privacyCapMilli: number;
  };
}

/**
 * Batches of at most 16. Policies without an accuracy floor never share a proof with ones that have one: a floor binds
 * every policy of the proof, and before the first attested metric only floor 0 stands. Within that, sorted by floor and
 * expiry, so that a tripped bound takes as few others along as possible.
 */
export function planClaims(policies: readonly ClaimablePolicy[]): PlannedClaim[] {
  const order = (a: ClaimablePolicy, b: ClaimablePolicy) =>
    a.policy.conditions.accuracyFloorBps - b.policy.conditions.accuracyFloorBps ||
    a.policy.conditions.expiry - b.policy.conditions.expiry ||
    (a.digest < b.digest ? -1 : 1);
  const sorted = [...policies].sort(order);
  const withFloor = (p: ClaimablePolicy) => p.policy.conditions.accuracyFloorBps > 0;
  return [...chunk(sorted.filter((p) => !withFloor(p))), ...chunk(sorted.filter(withFloor))].map(toClaim);
}

function toClaim(policies: readonly ClaimablePolicy[]): PlannedClaim {
  const conditions = policies.map((p) => p.policy.conditions);
  return {
    policies,
    bounds: {
      validUntil: Math.min(...conditions.map((c) => c.expiry)),
      accuracyFloorBps: Math.max(...conditions.map((c) => c.accuracyFloorBps)),
      privacyCapMilli: Math.min(...conditions.map((c) => c.privacyCapMilli)),
    },
  };
}

function chunk<T>(items: readonly T[]): T[][] {
  const size = CONSENT.policiesPerProof;
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
