// What was sent to registry and ledger: proofs, selected buckets and witness signatures stand in calldata, not in events.
import type { Hex } from '../../protocol/bytes.ts';
import type { AnchorCall, ClaimCall, OpenCall, SelectionCall } from '../history.ts';
import { ABIS, type Fields, fieldsOf } from './decode.ts';

export interface SentTransaction {
  readonly from: Hex;
  /** null: a deployment. */
  readonly to: Hex | null;
  readonly input: string;
}

/** undefined when the transaction reaches the contract some other way, or calls something else. */
function argumentsOf(name: keyof typeof ABIS, contract: Hex, { to, input }: SentTransaction, method: string) {
  const abi = ABIS[name];
  const fragment = abi.getFunction(method);
  if (to !== contract || fragment === null) return undefined;
  try {
    // refuses data of another function
    return fieldsOf(fragment.inputs, abi.decodeFunctionData(fragment, input));
  } catch {
    // the contract took it, and an encoding that only a contract reads is not one to judge by
    return undefined;
  }
}

export function anchorCall(registry: Hex, sent: SentTransaction): AnchorCall | undefined {
  const fields = argumentsOf('ConsentRegistry', registry, sent, 'anchor');
  return fields && { witnessSignatures: fields.witnessSignatures as readonly Hex[] };
}

export function claimCall(registry: Hex, sent: SentTransaction): ClaimCall | undefined {
  const fields = argumentsOf('ConsentRegistry', registry, sent, 'admitPolicies');
  return fields && ({ ...fields } as Fields & ClaimCall);
}

export function selectionCall(registry: Hex, sent: SentTransaction): SelectionCall | undefined {
  const fields = argumentsOf('ConsentRegistry', registry, sent, 'admitSelection');
  return fields && ({ ...fields } as Fields & SelectionCall);
}

export function openCall(ledger: Hex, sent: SentTransaction, parentHash: Hex): OpenCall | undefined {
  const fields = argumentsOf('RoundLedger', ledger, sent, 'openRound');
  if (fields === undefined) return undefined;
  const { required0, required1, minEvidence } = fields as Fields & OpenCall;
  return { required0, required1, minEvidence, parentHash };
}
