// One customer withdraws model-training in the middle; everything it must lead to is seen to happen.
import type { EdgeStatus } from '../../edge-node/api/status.ts';
import type { RoundUsage } from '../../edge-node/participation.ts';
import { connectFederation } from '../../engines/chain/connect.ts';
import { readEvents } from '../../engines/chain/events.ts';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import { requestJson } from '../../kit/http.ts';
import { fromHex, type Hex } from '../../protocol/bytes.ts';
import { withoutScene } from '../../protocol/consent/grants.ts';
import { verifyAbsence, verifyPresence } from '../../protocol/consent/linked-tree.ts';
import { decodeOperation } from '../../protocol/consent/operation.ts';
import { verifyReceipt } from '../../protocol/consent/receipt.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type DealersCustomers, submit } from './customers.ts';
import type { Node, RunningFederation } from './federation.ts';
import type { WithdrawalReport } from './report.ts';
import { edgeStatus } from './rounds.ts';

export interface Withdrawal {
  readonly subject: Hex;
  readonly customerId: string;
  readonly oldRoot: Hex;
  readonly newRoot: Hex;
  readonly effectiveMs: number;
}

/** Signs, submits, waits for the anchor, checks the receipt against the chain, and arms the stale-commit drill. */
export async function withdraw(
  running: RunningFederation,
  customers: DealersCustomers,
  customerId: string,
): Promise<Withdrawal> {
  const { dealer, population, simulated } = customers;
  const chain = await connectFederation(running.chain.rpcUrl, running.federation);
  const before = await chain.registry.currentAnchor(dealer.address);
  const rule = population.get(customerId);
  if (before === undefined || rule === undefined) throw new ConcordatError('NOT_FOUND', `no consent of ${customerId}`);
  const { grants, conditions } = rule.policy;
  await customers.ask({ grants: withoutScene(grants, 'model-training'), conditions });

  const startedMs = performance.now();
  const signed = simulated.withdraw(customerId, 'model-training', Math.floor(Date.now() / 1000));
  const [receipt] = await submit(dealer, [signed], true);
  const effectiveMs = performance.now() - startedMs;

  const after = await chain.registry.currentAnchor(dealer.address);
  if (receipt === undefined || after === undefined) throw new ConcordatError('NOT_FOUND', 'no receipt');
  const relyingParty = { rpId: 'localhost', origins: ['https://localhost'] };
  const checked = verifyReceipt(receipt, after.root, relyingParty, verifyPasskeySignature);
  if (checked.verdict !== 'anchored') {
    throw new ConcordatError('ANCHOR_MISMATCH', `the customer's receipt is ${checked.verdict}`);
  }
  await requestJson(`${dealer.url}/v1/drills/stale-commit`, {
    method: 'POST',
    headers: { authorization: `Bearer ${dealer.token}` },
  });
  const { subject } = decodeOperation(fromHex(receipt.operation));
  return { subject, customerId, oldRoot: before.root, newRoot: after.root, effectiveMs };
}

/** After the last round: what the chain and the dealer's commitments prove about the customer. */
export async function proveWithdrawal(
  running: RunningFederation,
  customers: DealersCustomers,
  withdrawal: Withdrawal,
  afterRound: number,
): Promise<WithdrawalReport> {
  const { dealer } = customers;
  const status: EdgeStatus = await edgeStatus(dealer);
  const drill = status.drills.at(-1);
  if (drill === undefined) throw new ConcordatError('NOT_FOUND', 'the stale commit was not tried');
  const usage = await requestJson<RoundUsage[]>(`${dealer.url}/v1/subjects/${withdrawal.subject}/rounds`, {
    headers: { authorization: `Bearer ${dealer.token}` },
  });
  await requireInHistory(dealer, withdrawal.subject);
  const roots = await committedRoots(running, dealer.address);
  for (const { round, used, recordsRoot, proof } of usage) {
    const verify = used ? verifyPresence : verifyAbsence;
    if (roots.get(round) !== recordsRoot || !verify(recordsRoot, withdrawal.subject, proof)) {
      throw new ConcordatError('PROOF_INVALID', `the dealer's receipt for round ${round} does not verify`, { round });
    }
  }
  const usedInRounds = usage.filter((u) => u.used).map((u) => u.round);
  const absentFromRounds = usage.filter((u) => !u.used).map((u) => u.round);
  const { subject, oldRoot, newRoot, effectiveMs } = withdrawal;
  return {
    round: Math.min(...absentFromRounds.filter((round) => round > afterRound)),
    afterRound,
    subject,
    dealer: dealer.address,
    refusedStaleCommit: drill.reason === 'StaleRoot' && drill.staleRoot === oldRoot,
    refusal: { txHash: drill.txHash, blockNumber: drill.blockNumber, reason: drill.reason },
    oldRoot,
    newRoot,
    effectiveMs,
    usedInRounds,
    absentFromRounds,
  };
}

/** The customer’s own history says so too. */
async function requireInHistory(dealer: Node, subject: Hex): Promise<void> {
  const { events } = await requestJson<{ events: { kind: string; scene: string }[] }>(
    `${dealer.url}/v1/subjects/${subject}/history`,
    { headers: { authorization: `Bearer ${dealer.token}` } },
  );
  const withdrawn = events.some(({ kind, scene }) => kind === 'withdrawn' && scene === 'model-training');
  if (!withdrawn) throw new ConcordatError('NOT_FOUND', `the history of ${subject} holds no withdrawal`);
}

/** Round -> the records root of the dealer's last commit, from chain events. */
async function committedRoots(running: RunningFederation, dealer: Hex): Promise<Map<number, Hex>> {
  const { client, ledger } = await connectFederation(running.chain.rpcUrl, running.federation);
  const events = await readEvents(client, { address: ledger.address, fromBlock: 0 });
  return new Map(
    events.flatMap((e) => (e.name === 'Committed' && e.dealer === dealer ? [[e.round, e.recordsRoot] as const] : [])),
  );
}
