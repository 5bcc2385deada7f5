// May this use of a customer's record go ahead? The same law as the policy-claim circuit and `RoundLedger.commit`.
import type { Policy, Requirement } from './policy.ts';

export interface Access {
  readonly requirement: Requirement;
  /** Unix seconds. */
  readonly nowSeconds: number;
  /** Last attested accuracy of the task's model, basis points; undefined when none is attested or it is too old. */
  readonly attestedAccuracyBps: number | undefined;
  /** ε per customer after this round, thousandths; 2^20-1 for a task without differential privacy. */
  readonly epsilonAfterMilli: number;
}

export type DenialReason =
  | 'not-granted'
  | 'evidence-too-weak'
  | 'expired'
  | 'accuracy-under-floor'
  | 'metric-stale'
  | 'privacy-cap';

export type Decision = { readonly allow: true } | { readonly allow: false; readonly reason: DenialReason };

function denialOf({ grants, conditions }: Policy, access: Access): DenialReason | undefined {
  const { requirement, nowSeconds, attestedAccuracyBps, epsilonAfterMilli } = access;
  if ((grants & requirement.required) !== requirement.required) return 'not-granted';
  if (conditions.evidence < requirement.minEvidence) return 'evidence-too-weak';
  if (nowSeconds >= conditions.expiry) return 'expired';
  if (conditions.accuracyFloorBps > 0) {
    // A missing metric is a breach: else whoever is to be frozen would only have to stop measuring.
    if (attestedAccuracyBps === undefined) return 'metric-stale';
    if (attestedAccuracyBps < conditions.accuracyFloorBps) return 'accuracy-under-floor';
  }
  return epsilonAfterMilli > conditions.privacyCapMilli ? 'privacy-cap' : undefined;
}

/** The first reason found, in the order of `DenialReason`'s checks; all conditions must hold at once. */
export function evaluate(policy: Policy, access: Access): Decision {
  const reason = denialOf(policy, access);
  return reason === undefined ? { allow: true } : { allow: false, reason };
}

/** A measured accuracy, while it counts: up to and including its greatest age, as `RoundLedger` counts. */
export function freshAccuracy(
  metric: { readonly accuracyBps: number; readonly attestedAtSeconds: number } | undefined,
  nowSeconds: number,
  maxAgeSeconds: number,
): number | undefined {
  const fresh = metric !== undefined && nowSeconds - metric.attestedAtSeconds <= maxAgeSeconds;
  return fresh ? metric.accuracyBps : undefined;
}
