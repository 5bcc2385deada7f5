// What a round's commit costs on chain, whatever stands behind the selection: gas of real receipts.

import type { Submission } from '../../edge-node/consent/admission.ts';
import type { LiveSelection } from '../../edge-node/consent/selection.ts';
import type { SimulatedCustomers } from '../../examples/simulation/customers.ts';
import { keccak256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { decodeAssertion } from '../../protocol/consent/assertion.ts';
import { NO_PRIVACY_CAP, type Requirement } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { BenchDealer } from './dealer.ts';
import type { World } from './world.ts';

const hash = (label: string) => toHex(keccak256(utf8ToBytes(label)));
const ROUND_SECONDS = 600;

/** Opens a round and has every dealer commit to it. @returns gas, in the order of the dealers */
export async function commitAll(
  world: World,
  requirement: Requirement,
  dealers: readonly { readonly dealer: BenchDealer; readonly selection: LiveSelection }[],
): Promise<number[]> {
  const { ledger, client } = world.coordinator.chain;
  const { round } = await ledger.openRound({
    taskHash: hash('task'),
    requirement,
    baseModelHash: hash('model 0'),
    epsilonAfterMilli: NO_PRIVACY_CAP,
    deadline: (await client.blockTimestamp()) + ROUND_SECONDS,
  });
  const gas: number[] = [];
  for (const { dealer, selection } of dealers) {
    const receipt = await dealer.party.chain.ledger.commit({
      round,
      attempt: 1,
      anchoredRoot: selection.root,
      payloadHash: hash('payload'),
      sharesRoot: hash('shares'),
      recordsRoot: hash('records'),
      weight: selection.memberCount,
    });
    gas.push(receipt.gasUsed);
  }
  return gas;
}

/**
 * A customer's own way out when the dealer does not listen: the signed operation goes to the contract, from anybody's account.
 * Leaves the dealer blocked until it acknowledges.
 */
export async function forceWithdrawGas(
  world: World,
  dealer: BenchDealer,
  customers: SimulatedCustomers,
  customerId: string,
  nowSeconds: number,
): Promise<number> {
  const subject = dealer.book.subjectOf(customerId);
  const { state } = await dealer.anchoring.flush();
  const membership = subject === undefined ? undefined : state.membershipProof(subject);
  if (membership === undefined) throw new ConcordatError('NOT_FOUND', `${customerId} is in no bucket`);
  // one switch after the other, until nothing is granted: that operation leaves every bucket
  customers.withdraw(customerId, 'model-training', nowSeconds);
  const { operation, assertion } = decodeSubmission(customers.withdraw(customerId, 'lead-scoring', nowSeconds));
  const receipt = await world.coordinator.chain.registry.forceWithdraw({ operation, assertion, membership });
  return receipt.gasUsed;
}

const decodeSubmission = ({ operation, assertion }: Submission) => ({
  operation,
  assertion: decodeAssertion(assertion),
});
