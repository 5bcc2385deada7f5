// A policy: what a set of customers with the same rules allows. Its Poseidon digest is all that a proof speaks of.
import { poseidon5 } from 'poseidon-lite/poseidon5';
import { bytesToUint, concatBytes, type Hex, keccak256, toHex, uintToBytes, utf8ToBytes } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { CONSENT, PROTOCOL_VERSION } from '../params.ts';
import { type FieldClassId, grantBit, type SceneId } from './scenes.ts';

/** Order of the BN254 scalar field. */
export const FIELD_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

export const EVIDENCE = { attested: 1, passkey: 2 } as const;
export type EvidenceLevel = (typeof EVIDENCE)[keyof typeof EVIDENCE];

/** "No cap": the only cap that a task without differential privacy meets. */
export const NO_PRIVACY_CAP = 2 ** CONSENT.privacyCapBits - 1;

export interface Conditions {
  /** Unix seconds; from this instant on the policy covers nothing. */
  readonly expiry: number;
  /** "Freeze me when the model's accuracy is under this", basis points; 0 = no floor. */
  readonly accuracyFloorBps: number;
  /** "Not beyond this ε", thousandths; NO_PRIVACY_CAP = no cap. */
  readonly privacyCapMilli: number;
  readonly evidence: EvidenceLevel;
}

export interface Policy {
  /** 192-bit matrix, bit 16·scene + class. */
  readonly grants: bigint;
  readonly conditions: Conditions;
}

/** What a task needs: every bit of `required` granted, with at least this evidence. */
export interface Requirement {
  readonly required: bigint;
  readonly minEvidence: EvidenceLevel;
}

const POLICY_TAG = bytesToUint(keccak256(utf8ToBytes(`${PROTOCOL_VERSION}/policy`))) % FIELD_ORDER;
const WORD_BITS = BigInt(CONSENT.grantBitsPerWord);
const WORD_MASK = (1n << WORD_BITS) - 1n;

function field(value: number | bigint, bits: number, name: string): bigint {
  const wide = BigInt(value);
  if (wide < 0n || wide >> BigInt(bits) !== 0n) {
    throw new ConcordatError('VALUE_OUT_OF_RANGE', `${name} = ${value} does not fit ${bits} bits`, { name });
  }
  return wide;
}

/** The two 96-bit words of the grant matrix. */
export function splitGrants(grants: bigint): [bigint, bigint] {
  field(grants, 2 * CONSENT.grantBitsPerWord, 'grants');
  return [grants & WORD_MASK, grants >> WORD_BITS];
}

/** expiry·2^36 + evidence·2^34 + accuracyFloorBps·2^20 + privacyCapMilli */
export function packConditions(conditions: Conditions): bigint {
  return (
    (field(conditions.expiry, CONSENT.expiryBits, 'expiry') << 36n) +
    (field(conditions.evidence, CONSENT.evidenceBits, 'evidence') << 34n) +
    (field(conditions.accuracyFloorBps, CONSENT.accuracyFloorBits, 'accuracyFloorBps') << 20n) +
    field(conditions.privacyCapMilli, CONSENT.privacyCapBits, 'privacyCapMilli')
  );
}

/** Poseidon(TAG, g0, g1, cond, salt) with circomlib's constants. `salt` hides the low-entropy rest. */
export function policyDigest(policy: Policy, salt: bigint): bigint {
  const [g0, g1] = splitGrants(policy.grants);
  return poseidon5([POLICY_TAG, g0, g1, packConditions(policy.conditions), salt]);
}

export const POLICY_DIGEST_TAG = POLICY_TAG;

/** A task needs its own scene *and* model-training, over the field classes it touches. */
export function requirementOf(
  scene: SceneId,
  fieldClasses: readonly FieldClassId[],
  minEvidence: EvidenceLevel,
): Requirement {
  const rows: readonly SceneId[] = ['model-training', scene];
  const required = rows.flatMap((row) => fieldClasses.map((c) => grantBit(row, c))).reduce((a, b) => a | b, 0n);
  return { required, minEvidence };
}

/** keccak256(abi.encode(required0, required1, minEvidence)) */
export function requirementKey(requirement: Requirement): Hex {
  const [required0, required1] = splitGrants(requirement.required);
  return toHex(
    keccak256(
      concatBytes(uintToBytes(required0, 32), uintToBytes(required1, 32), uintToBytes(requirement.minEvidence, 32)),
    ),
  );
}

/** The public input that ties a policy claim to one chain, registry and dealer. */
export function claimContext(chainId: number, registry: Hex, dealer: Hex): bigint {
  const tag = keccak256(utf8ToBytes(`${PROTOCOL_VERSION}/policy-claim`));
  const address = (hex: Hex) => uintToBytes(BigInt(hex), 32);
  const encoded = concatBytes(tag, uintToBytes(chainId, 32), address(registry), address(dealer));
  return bytesToUint(keccak256(encoded)) % FIELD_ORDER;
}
