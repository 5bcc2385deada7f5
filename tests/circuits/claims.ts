// Claims to try the circuit with: two policies well inside the bounds, and ways to bend the signals.
import { poseidon5 } from 'poseidon-lite/poseidon5';
import { type PolicyClaim, type PolicyClaimSignals, policyClaimInput } from '../../engines/proof/claim.ts';
import {
  EVIDENCE,
  POLICY_DIGEST_TAG,
  type Policy,
  packConditions,
  splitGrants,
} from '../../protocol/consent/policy.ts';
import { SMALL } from './small-circuit.ts';

export const ALL_GRANTS = (1n << 192n) - 1n;
/** Three bits in the first word, two in the second. */
const REQUIRED = (0b101n << 16n) | 1n | (0b11n << 130n);

export const BOUNDS = { validUntil: 1_800_000_000, accuracyFloorBps: 9_300, privacyCapMilli: 2_000 };

export const policy = (conditions: Partial<Policy['conditions']> = {}, grants = ALL_GRANTS): Policy => ({
  grants,
  conditions: {
    expiry: 1_900_000_000,
    accuracyFloorBps: 9_200,
    privacyCapMilli: 3_000,
    evidence: EVIDENCE.passkey,
    ...conditions,
  },
});

const claim = (policies: readonly Policy[], rest: Partial<PolicyClaim> = {}): PolicyClaim => ({
  context: 987_654_321n,
  requirement: { required: REQUIRED, minEvidence: EVIDENCE.passkey },
  bounds: BOUNDS,
  policies: policies.map((one, i) => ({ policy: one, salt: 1_000_003n ** BigInt(10 + i) })),
  ...rest,
});

export const smallInput = (policies: readonly Policy[], rest: Partial<PolicyClaim> = {}, slots = SMALL) =>
  policyClaimInput(claim(policies, rest), slots);

/** One used slot, the rest unused. */
export const honestSignals = (slots = SMALL): PolicyClaimSignals => smallInput([policy()], {}, slots).signals;

/** The signals with single entries replaced, by name: [slot, value]. */
export function bend(
  signals: PolicyClaimSignals,
  changes: Readonly<Record<string, readonly [slot: number, value: bigint]>>,
): PolicyClaimSignals {
  const bent: Record<string, readonly bigint[]> = { ...signals };
  for (const [name, [slot, value]] of Object.entries(changes)) {
    const column = bent[name];
    if (column?.[slot] === undefined) throw new Error(`no signal ${name}[${slot}]`);
    bent[name] = column.with(slot, value);
  }
  return bent;
}

/** A used slot 0 with raw words, as a forger may choose them: the digest is right for them. */
export function forgedSlot(
  words: { readonly g0?: bigint; readonly g1?: bigint; readonly cond?: bigint },
  slots = SMALL,
): PolicyClaimSignals {
  const [g0, g1] = splitGrants(ALL_GRANTS);
  const { g0: word0 = g0, g1: word1 = g1, cond = packConditions(policy().conditions) } = words;
  const salt = 77n;
  const digest = poseidon5([POLICY_DIGEST_TAG, word0, word1, cond, salt]);
  return bend(honestSignals(slots), {
    ...{ g0: [0, word0], g1: [0, word1], cond: [0, cond] },
    ...{ salt: [0, salt], digest: [0, digest] },
  });
}
