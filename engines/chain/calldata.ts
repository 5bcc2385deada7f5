// What was sent to the registry: proofs, selected buckets and witness signatures stand in calldata, not in events.
import type { Hex } from '../../protocol/bytes.ts';
import type { EvidenceLevel } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { CONSENT } from '../../protocol/params.ts';
import type { ChainClient } from './client.ts';
import { type AnchorState, type PolicyProof, type SelectionRequest, toAnchorState } from './consent-registry.ts';
import { CONSENT_REGISTRY_ABI } from './contracts.ts';
import { asBigInt, asBigIntList, asHex, asHexList, asNumber } from './values.ts';

type CallBody =
  | { readonly method: 'anchor'; readonly state: AnchorState; readonly witnessSignatures: readonly Hex[] }
  | { readonly method: 'admitPolicies'; readonly proof: PolicyProof }
  | { readonly method: 'admitSelection'; readonly request: SelectionRequest };

export type RegistryCall = CallBody & { readonly txHash: Hex; readonly dealer: Hex; readonly registry: Hex };

interface RawTransaction {
  readonly from: string;
  readonly to: string | null;
  readonly input: string;
}

/**
 * The call behind an `Anchored`, `PoliciesAdmitted` or `SelectionAdmitted` event.
 * @throws ConcordatError NOT_FOUND; CHAIN_WRONG when the transaction is not a direct call of the registry
 */
export async function readRegistryCall(client: ChainClient, registry: Hex, txHash: Hex): Promise<RegistryCall> {
  const raw = (await client.rpc.call('eth_getTransactionByHash', [txHash])) as RawTransaction | null;
  if (raw === null) throw new ConcordatError('NOT_FOUND', `transaction ${txHash}`, { txHash });
  if (raw.to === null || asHex(raw.to) !== registry) {
    throw new ConcordatError('CHAIN_WRONG', `transaction ${txHash} does not call ${registry}`, { txHash, registry });
  }
  return { ...decodeCall(txHash, raw.input), txHash, dealer: asHex(raw.from), registry };
}

function decodeCall(txHash: Hex, input: string): CallBody {
  const call = CONSENT_REGISTRY_ABI.parseTransaction({ data: input });
  const args: readonly unknown[] = call?.args ?? [];
  switch (call?.name) {
    case 'anchor':
      return { method: 'anchor', state: anchorOf(args), witnessSignatures: asHexList(args[5]) };
    case 'admitPolicies':
      return { method: 'admitPolicies', proof: proofOf(args) };
    case 'admitSelection':
      return { method: 'admitSelection', request: selectionOf(args) };
    default:
      throw new ConcordatError('CHAIN_WRONG', `transaction ${txHash} is no call that admits or anchors`, { txHash });
  }
}

const anchorOf = ([epoch, bucketsRoot, subjectsRoot, logHead, operationCount]: readonly unknown[]): AnchorState =>
  toAnchorState({ epoch, bucketsRoot, subjectsRoot, logHead, operationCount });

function proofOf([a, b, c, publicSignals]: readonly unknown[]): PolicyProof {
  const [b0, b1] = b as readonly [unknown, unknown];
  return { a: pointOf(a), b: [pointOf(b0), pointOf(b1)], c: pointOf(c), publicSignals: asBigIntList(publicSignals) };
}

function pointOf(pair: unknown): readonly [bigint, bigint] {
  const [x, y] = pair as readonly [unknown, unknown];
  return [asBigInt(x), asBigInt(y)];
}

function selectionOf(args: readonly unknown[]): SelectionRequest {
  const [required0, required1, minEvidence, buckets, proof, proofFlags] = args;
  const required = asBigInt(required0) | (asBigInt(required1) << BigInt(CONSENT.grantBitsPerWord));
  return {
    requirement: { required, minEvidence: asNumber(minEvidence) as EvidenceLevel },
    buckets: Array.from(
      buckets as Iterable<{ digest: unknown; membersRoot: unknown; memberCount: unknown }>,
      (bucket) => ({
        digest: asBigInt(bucket.digest),
        membersRoot: asHex(bucket.membersRoot),
        memberCount: asNumber(bucket.memberCount),
      }),
    ),
    proof: asHexList(proof),
    proofFlags: Array.from(proofFlags as Iterable<boolean>),
  };
}
