// What the chain says of one dealer's part in one round: the round, the commit, the selection it was made under, and the beacon.
import { readRegistryCall } from '../../engines/chain/calldata.ts';
import { connectFederation } from '../../engines/chain/connect.ts';
import { type DealerCommit, dealerCommit, type RoundBeacon, roundBeacon } from '../../engines/chain/dealer-commit.ts';
import { readEvents } from '../../engines/chain/events.ts';
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { abiWord } from '../../protocol/consent/hex-schema.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type ReceiptChain, readReceiptChain } from '../receipt-chain.ts';

export interface ReplayChain {
  readonly chainId: number;
  readonly federation: Hex;
  readonly ledger: Hex;
  readonly round: RoundRecord;
  readonly commit: DealerCommit;
  /** Undefined while no block came after the end of the round. */
  readonly beacon: RoundBeacon | undefined;
  /** Digests of the buckets that the dealer had selected when it committed; empty when there is no such selection. */
  readonly selected: ReadonlySet<bigint>;
  /** For the receipts, which are all of the anchor that the commit was made under. */
  readonly receipts: ReceiptChain;
}

/** @throws ConcordatError CHAIN_*, NOT_FOUND when the dealer committed to nothing in the round */
export async function readReplayChain(
  rpcUrl: string,
  at: { readonly federation: Hex; readonly dealer: Hex; readonly round: number },
): Promise<ReplayChain> {
  const chain = await connectFederation(rpcUrl, at.federation);
  const commit = await dealerCommit(chain, at.round, at.dealer);
  const round = await chain.ledger.roundOf(at.round);
  if (round === undefined) throw new ConcordatError('NOT_FOUND', `round ${at.round} was never opened`);
  const { client, registry } = chain;
  const events = await readEvents(client, {
    address: registry.address,
    fromBlock: 0,
    toBlock: commit.blockNumber,
    topics: [null, toHex(abiWord(at.dealer))],
  });
  const epochs = events.flatMap((event) =>
    event.name === 'Anchored' && event.root === commit.anchoredRoot ? [event.epoch] : [],
  );
  const selection = events.findLast(
    (event) => event.name === 'SelectionAdmitted' && event.requirementKey === round.requirementKey,
  );
  return {
    chainId: client.chainId,
    federation: at.federation,
    ledger: chain.ledger.address,
    ...{ round, commit },
    beacon: await roundBeacon(chain, at.round),
    selected: new Set(selection === undefined ? [] : await selectedBy(client, registry.address, selection.txHash)),
    receipts: await readReceiptChain(rpcUrl, { ...at, epochs: epochs.flatMap((epoch) => [epoch, epoch + 1]) }),
  };
}

async function selectedBy(...call: Parameters<typeof readRegistryCall>): Promise<bigint[]> {
  const found = await readRegistryCall(...call);
  return found.method === 'admitSelection' ? found.request.buckets.map(({ digest }) => digest) : [];
}
