// What a chain says of one dealer, for the audit of a receipt: its anchors, its commits, and who could sign.
import { connectFederation } from '../engines/chain/connect.ts';
import { readEvents, topicOf } from '../engines/chain/events.ts';
import { type Hex, toHex } from '../protocol/bytes.ts';
import { abiWord } from '../protocol/consent/hex-schema.ts';

export interface AnchoredAt {
  readonly root: Hex;
  /** Of its block. */
  readonly atSeconds: number;
}

export interface ReceiptChain {
  readonly chainId: number;
  readonly federation: Hex;
  readonly registry: Hex;
  readonly witnessQuorum: number;
  /** Everyone who ever was one. */
  readonly dealers: ReadonlySet<Hex>;
  readonly witnesses: ReadonlySet<Hex>;
  /** Epoch -> anchor of this dealer. */
  readonly anchors: ReadonlyMap<number, AnchoredAt>;
  /** Round -> what this dealer committed to last. */
  readonly recordsRoots: ReadonlyMap<number, Hex>;
  /** Round -> the epoch whose root that commit was made under. */
  readonly commitEpochs: ReadonlyMap<number, number>;
}

/** @throws ConcordatError CHAIN_UNREACHABLE, CHAIN_WRONG when there is no such federation */
export async function readReceiptChain(
  rpcUrl: string,
  at: { readonly federation: Hex; readonly dealer: Hex; readonly epochs: readonly number[] },
): Promise<ReceiptChain> {
  const { client, federation, registry, ledger } = await connectFederation(rpcUrl, at.federation);
  const dealer = toHex(abiWord(at.dealer));
  const read = (address: Hex, topics: readonly (Hex | null)[]) => readEvents(client, { address, fromBlock: 0, topics });

  const anchored = (await read(registry.address, [topicOf('Anchored'), dealer])).flatMap((event) =>
    event.name === 'Anchored' ? [event] : [],
  );
  const anchors = new Map<number, AnchoredAt>();
  for (const event of anchored) {
    const { epoch } = event;
    if (!at.epochs.includes(epoch)) continue;
    const block = (await client.rpc.call('eth_getBlockByNumber', [`0x${event.blockNumber.toString(16)}`, false])) as {
      readonly timestamp: string;
    };
    anchors.set(epoch, { root: event.root, atSeconds: Number(block.timestamp) });
  }
  const commits = (await read(ledger.address, [topicOf('Committed'), null, dealer])).flatMap((event) =>
    event.name === 'Committed' ? [event] : [],
  );
  const epochOfRoot = new Map(anchored.map(({ root, epoch }) => [root, epoch]));
  const dealers = (await read(at.federation, [topicOf('DealerRegistered')])).flatMap((event) =>
    event.name === 'DealerRegistered' ? [event.dealer] : [],
  );
  const witnesses = (await read(at.federation, [topicOf('WitnessRegistered')])).flatMap((event) =>
    event.name === 'WitnessRegistered' ? [event.witness] : [],
  );
  return {
    chainId: client.chainId,
    federation: at.federation,
    registry: registry.address,
    witnessQuorum: (await federation.parameters()).witnessQuorum,
    dealers: new Set(dealers),
    witnesses: new Set(witnesses),
    anchors,
    recordsRoots: new Map(commits.map(({ round, recordsRoot }) => [round, recordsRoot])),
    commitEpochs: new Map(commits.map(({ round, anchoredRoot }) => [round, epochOfRoot.get(anchoredRoot) ?? 0])),
  };
}
