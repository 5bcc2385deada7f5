// The ConsentRegistry contract in the domain's terms: anchors, policy claims, selections, forced withdrawals.
import { type Hex, toHex } from '../../protocol/bytes.ts';
import type { Assertion } from '../../protocol/consent/assertion.ts';
import type { Bucket } from '../../protocol/consent/bucket.ts';
import type { Departure } from '../../protocol/consent/forced.ts';
import { type Requirement, splitGrants } from '../../protocol/consent/policy.ts';
import type { MembershipProof } from '../../protocol/consent/state.ts';
import type { ChainClient } from './client.ts';
import { consentRegistryAt } from './contracts.ts';
import { lineOf } from './lineage.ts';
import type { Receipt } from './receipts.ts';
import { asBigInt, asHex, asNumber, unlessZero } from './values.ts';

/** A dealer's consent state, as witnesses sign it and the chain anchors it. */
export interface AnchorState {
  readonly epoch: number;
  readonly bucketsRoot: Hex;
  readonly subjectsRoot: Hex;
  readonly logHead: Hex;
  readonly operationCount: number;
}

export interface AnchorRecord extends AnchorState {
  readonly root: Hex;
  /** Unix seconds. */
  readonly anchoredAt: number;
}

/** What the Solidity verifier takes; points as snarkjs' exportSolidityCallData orders them. */
export interface PolicyProof {
  readonly a: readonly [bigint, bigint];
  readonly b: readonly [readonly [bigint, bigint], readonly [bigint, bigint]];
  readonly c: readonly [bigint, bigint];
  /** 23: ctx, required0, required1, minEvidence, validUntil, accuracyFloor, privacyCap, digest[16]. */
  readonly publicSignals: readonly bigint[];
}

export interface SelectionRequest {
  readonly requirement: Requirement;
  /** In ascending order of leaf hash, the order of MerkleTree.multiProofOf. */
  readonly buckets: readonly Bucket[];
  readonly proof: readonly Hex[];
  readonly proofFlags: readonly boolean[];
}

export interface Bounds {
  /** Unix seconds; from then on nothing is covered. */
  readonly validUntil: number;
  readonly accuracyFloorBps: number;
  readonly privacyCapMilli: number;
}

export interface Selection extends Bounds {
  readonly root: Hex;
  readonly memberCount: number;
}

export interface ForcedRequest {
  /** Canonical CBOR, as the customer signed it. */
  readonly operation: Uint8Array;
  readonly assertion: Assertion;
  readonly membership: MembershipProof;
}

/** A forced withdrawal that the dealer has not acknowledged. */
export interface PendingWithdrawal {
  readonly subject: Hex;
  /** Of the withdrawal. */
  readonly seq: number;
  /** Where its event stands. */
  readonly blockNumber: number;
  /** The contract it was forced at: this one, or one before it. */
  readonly registry: Hex;
}

export interface ConsentRegistry {
  readonly address: Hex;
  anchor(state: AnchorState, witnessSignatures: readonly Hex[]): Promise<Receipt>;
  admitPolicies(proof: PolicyProof): Promise<Receipt>;
  admitSelection(request: SelectionRequest): Promise<Receipt>;
  forceWithdraw(request: ForcedRequest): Promise<Receipt>;
  acknowledge(dealer: Hex, departures: readonly Departure[]): Promise<Receipt>;
  acknowledgeReturn(dealer: Hex, subject: Hex, membership: MembershipProof): Promise<Receipt>;
  pendingWithdrawals(dealer: Hex): Promise<PendingWithdrawal[]>;
  federation(): Promise<Hex>;
  verifier(): Promise<Hex>;
  /** This registry, then its predecessor, and so on to the first: a dealer's anchors are in one after the other. */
  line(): Promise<readonly Hex[]>;
  /** The last one, here or before; undefined: never anchored. */
  currentAnchor(dealer: Hex): Promise<AnchorRecord | undefined>;
  /** Whether in this registry; a dealer that has not, though it has an anchor, is yet to carry it over. */
  hasAnchored(dealer: Hex): Promise<boolean>;
  selectionOf(dealer: Hex, requirementKey: Hex): Promise<Selection | undefined>;
  claimOf(dealer: Hex, requirementKey: Hex, digest: bigint): Promise<Bounds | undefined>;
  claimContext(dealer: Hex): Promise<bigint>;
  /** The EIP-712 digest a witness signs, as the contract computes it. */
  anchorDigest(dealer: Hex, state: AnchorState): Promise<Hex>;
}

export function createConsentRegistry(client: ChainClient, address: Hex): ConsentRegistry {
  const contract = consentRegistryAt(address);
  const read = async (method: string, ...args: readonly unknown[]): Promise<unknown> =>
    (await client.call(contract, method, args))[0];

  return {
    address,
    anchor: (state, witnessSignatures) => client.send(contract, 'anchor', [...anchorArgs(state), witnessSignatures]),
    admitPolicies: ({ a, b, c, publicSignals }) => client.send(contract, 'admitPolicies', [a, b, c, publicSignals]),
    admitSelection: ({ requirement, buckets, proof, proofFlags }) =>
      client.send(contract, 'admitSelection', [
        ...splitGrants(requirement.required),
        requirement.minEvidence,
        buckets.map(bucketArg),
        proof,
        proofFlags,
      ]),
    forceWithdraw: ({ operation, assertion, membership }) =>
      client.send(contract, 'forceWithdraw', [toHex(operation), assertionArg(assertion), membershipArg(membership)]),
    acknowledge: (dealer, departures) =>
      client.send(contract, 'acknowledge', [
        dealer,
        departures.map(({ subject, nextSubject, proof }) => [subject, nextSubject, proof]),
      ]),
    acknowledgeReturn: (dealer, subject, membership) =>
      client.send(contract, 'acknowledgeReturn', [dealer, subject, membershipArg(membership)]),
    async pendingWithdrawals(dealer) {
      const pending = (await read('pendingWithdrawals', dealer)) as Iterable<
        Readonly<Record<keyof PendingWithdrawal, unknown>>
      >;
      return Array.from(pending, ({ subject, seq, blockNumber, registry }) => ({
        subject: asHex(subject),
        seq: asNumber(seq),
        blockNumber: asNumber(blockNumber),
        registry: asHex(registry),
      }));
    },
    federation: async () => asHex(await read('federation')),
    verifier: async () => asHex(await read('verifier')),
    line: lineOf(client, contract),
    hasAnchored: async (dealer) => (await read('hasAnchored', dealer)) === true,
    async currentAnchor(dealer) {
      const record = (await read('currentAnchor', dealer)) as Readonly<Record<keyof AnchorRecord, unknown>>;
      const root = unlessZero(asHex(record.root));
      return root && { root, ...toAnchorState(record), anchoredAt: asNumber(record.anchoredAt) };
    },
    async selectionOf(dealer, requirementKey) {
      const selection = (await read('selectionOf', dealer, requirementKey)) as Readonly<
        Record<keyof Selection, unknown>
      >;
      const root = unlessZero(asHex(selection.root));
      return root && { root, memberCount: asNumber(selection.memberCount), ...toBounds(selection) };
    },
    async claimOf(dealer, requirementKey, digest) {
      const claim = (await read('claimOf', dealer, requirementKey, digest)) as Readonly<
        Record<keyof Bounds | 'proven', unknown>
      >;
      return claim.proven === true ? toBounds(claim) : undefined;
    },
    claimContext: async (dealer) => asBigInt(await read('claimContext', dealer)),
    anchorDigest: async (dealer, state) => asHex(await read('anchorDigest', dealer, ...anchorArgs(state))),
  };
}

const anchorArgs = (state: AnchorState) => [
  state.epoch,
  state.bucketsRoot,
  state.subjectsRoot,
  state.logHead,
  state.operationCount,
];

const bucketArg = ({ digest, membersRoot, memberCount }: Bucket) => [digest, membersRoot, memberCount];

const membershipArg = ({ member, memberProof, bucket, bucketProof }: MembershipProof) => [
  member.recordHash,
  member.seq,
  memberProof,
  bucketArg(bucket),
  bucketProof,
];

const assertionArg = ({ authenticatorData, clientDataJSON, signature }: Assertion) => [
  toHex(authenticatorData),
  toHex(clientDataJSON),
  toHex(signature.subarray(0, 32)),
  toHex(signature.subarray(32)),
];

export function toAnchorState(record: Readonly<Record<keyof AnchorState, unknown>>): AnchorState {
  return {
    epoch: asNumber(record.epoch),
    bucketsRoot: asHex(record.bucketsRoot),
    subjectsRoot: asHex(record.subjectsRoot),
    logHead: asHex(record.logHead),
    operationCount: asNumber(record.operationCount),
  };
}

function toBounds(bounds: Readonly<Record<keyof Bounds, unknown>>): Bounds {
  return {
    validUntil: asNumber(bounds.validUntil),
    accuracyFloorBps: asNumber(bounds.accuracyFloorBps),
    privacyCapMilli: asNumber(bounds.privacyCapMilli),
  };
}
