// Whether one customer's record was covered when the dealer committed: by the customer's own receipt, against the chain.
import type { Hex } from '../../protocol/bytes.ts';
import { anchoredRoot } from '../../protocol/consent/anchor.ts';
import type { RelyingParty } from '../../protocol/consent/assertion.ts';
import { entryOf, type Receipt } from '../../protocol/consent/receipt.ts';
import { auditReceipt } from '../receipt.ts';
import type { ReplayChain } from './on-chain.ts';

export interface ConsentThen {
  readonly subject: Hex;
  /** The package has one. */
  readonly receipt: boolean;
  readonly covered: boolean;
  readonly finding: string;
}

export function consentThen(
  subject: Hex,
  receipts: readonly Receipt[],
  chain: ReplayChain,
  relyingParty: RelyingParty | undefined,
): ConsentThen {
  const receipt = receipts.find((one) => subjectOf(one) === subject);
  if (receipt === undefined) return { subject, receipt: false, covered: false, finding: 'no receipt' };
  const fault = faultOf(receipt, chain, relyingParty);
  return {
    subject,
    receipt: true,
    covered: fault === undefined,
    finding: fault ?? `signed with the customer’s passkey, in a selected policy under ${chain.commit.anchoredRoot}`,
  };
}

function subjectOf(receipt: Receipt): Hex | undefined {
  try {
    return entryOf(receipt).operation.subject;
  } catch {
    return undefined;
  }
}

function faultOf(receipt: Receipt, chain: ReplayChain, relyingParty: RelyingParty | undefined): string | undefined {
  const { anchored } = receipt;
  if (anchored === undefined || anchoredRoot(anchored.anchor) !== chain.commit.anchoredRoot) {
    return 'its receipt is not of the root that the dealer committed under';
  }
  // where the entry stands in the log is not what covers a record, and old entries are too far from the anchor to carry it
  const broken = auditReceipt(receipt, chain.receipts, relyingParty).checks.find(
    ({ id, holds }) => !holds && !(id === 'log' && anchored.log === undefined),
  );
  if (broken !== undefined) return `${broken.id}: ${broken.finding}`;
  const { newDigest } = entryOf(receipt).operation;
  return chain.selected.has(newDigest) ? undefined : 'its policy was not in the dealer’s selection';
}
