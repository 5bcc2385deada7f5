// What a chain says of one dealer, for the audit of a receipt: its anchors, its commits, and who could sign.
import type { Hex } from '../protocol/bytes.ts';
import { type Endpoints, openEndpoints } from './chain/endpoints.ts';
import { eventsOf } from './history.ts';
import { lineOf } from './lineage.ts';
import { doubtOf, readingNote } from './reading.ts';
import { type AboutDealer, type ReceiptDeployment, type ReceiptLine, readReceiptLine } from './receipt-line.ts';

export interface AnchoredAt {
  readonly root: Hex;
  /** Of its block. */
  readonly atSeconds: number;
  /** Whose witnesses signed it. */
  readonly deployment: ReceiptDeployment;
}

export interface ReceiptChain {
  readonly chainId: number;
  /** The one that was asked for. */
  readonly federation: Hex;
  /** Oldest first. The last one is in force, unless the predecessor that its first names has not named it. */
  readonly line: readonly ReceiptDeployment[];
  readonly notNamedBy: Hex | undefined;
  /** Epoch -> anchor of this dealer, under whichever deployment. */
  readonly anchors: ReadonlyMap<number, AnchoredAt>;
  /** Round -> what this dealer committed to last. */
  readonly recordsRoots: ReadonlyMap<number, Hex>;
  /** Round -> the epoch whose root that commit was made under. */
  readonly commitEpochs: ReadonlyMap<number, number>;
  /** What speaks against believing any of it. */
  readonly doubt: string | undefined;
  /** How far it is shown. */
  readonly shown: string;
}

/** @throws ConcordatError CHAIN_UNREACHABLE, CHAIN_WRONG when there is no such federation */
export async function readReceiptChain(rpc: Endpoints, about: AboutDealer): Promise<ReceiptChain> {
  return receiptChainOf(await readReceiptLine(openEndpoints(rpc), about), about);
}

export function receiptChainOf(
  { history, deployments: line, notNamedBy }: ReceiptLine,
  { federation, dealer }: AboutDealer,
): ReceiptChain {
  const anchors = new Map<number, AnchoredAt>();
  const epochOfRoot = new Map<Hex, number>();
  const commits = new Map<number, { readonly recordsRoot: Hex; readonly anchoredRoot: Hex }>();
  for (const { deployment, events } of lineOf(history)) {
    const own = line.find((one) => one.federation === deployment.federation);
    if (own === undefined) continue;
    for (const { dealer: by, epoch, root, at } of eventsOf(events, 'Anchored')) {
      if (by !== dealer || at.contract !== own.registry) continue;
      epochOfRoot.set(root, epoch);
      anchors.set(epoch, { root, deployment: own, atSeconds: at.timestamp });
    }
    for (const { dealer: by, round, recordsRoot, anchoredRoot, at } of eventsOf(events, 'Committed')) {
      if (by === dealer && at.contract === own.ledger) commits.set(round, { recordsRoot, anchoredRoot });
    }
  }
  const committed = [...commits];
  return {
    ...{ chainId: history.deployment.chainId, federation, line, notNamedBy, anchors },
    recordsRoots: new Map(committed.map(([round, { recordsRoot }]) => [round, recordsRoot])),
    commitEpochs: new Map(committed.map(([round, { anchoredRoot }]) => [round, epochOfRoot.get(anchoredRoot) ?? 0])),
    doubt: doubtOf(history),
    shown: readingNote(history),
  };
}
