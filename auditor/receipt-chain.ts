// What a chain says of one dealer, for the audit of a receipt: its anchors, its commits, and who could sign.
import type { Hex } from '../protocol/bytes.ts';
import { toHex } from '../protocol/bytes.ts';
import { abiWord } from '../protocol/consent/hex-schema.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { readLogs, topicOf } from './chain/logs.ts';
import { createReader } from './chain/rpc.ts';
import { type ReceiptDeployment, readReceiptLine, timeOfBlock } from './receipt-line.ts';

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
}

/** @throws ConcordatError CHAIN_UNREACHABLE, CHAIN_WRONG when there is no such federation */
export async function readReceiptChain(
  rpcUrl: string,
  at: { readonly federation: Hex; readonly dealer: Hex; readonly epochs: readonly number[] },
): Promise<ReceiptChain> {
  const reader = createReader(rpcUrl);
  const { chainId, deployments: line, notNamedBy } = await readReceiptLine(reader, at.federation);
  const dealer = toHex(abiWord(at.dealer));
  const toBlock = Number(await reader.ask('eth_blockNumber', []));
  const read = (address: readonly Hex[], topics: readonly (Hex | null)[]) =>
    readLogs(reader, { address, fromBlock: 0, toBlock, topics });

  const anchored = await read(
    line.map(({ registry }) => registry),
    [topicOf('Anchored'), dealer],
  );
  const anchors = new Map<number, AnchoredAt>();
  const epochOfRoot = new Map<Hex, number>();
  for (const { fields, address, block } of anchored) {
    const [epoch, root] = [fields.epoch as number, fields.root as Hex];
    epochOfRoot.set(root, epoch);
    const deployment = line.find(({ registry }) => registry === address);
    if (deployment === undefined) throw new ConcordatError('CHAIN_WRONG', `an event of ${address} was not asked for`);
    if (!at.epochs.includes(epoch)) continue;
    anchors.set(epoch, { root, deployment, atSeconds: await timeOfBlock(reader, block) });
  }
  const committed = await read(
    line.map(({ ledger }) => ledger),
    [topicOf('Committed'), null, dealer],
  );
  const commits = committed.map(({ fields }) => ({
    round: fields.round as number,
    recordsRoot: fields.recordsRoot as Hex,
    epoch: epochOfRoot.get(fields.anchoredRoot as Hex) ?? 0,
  }));
  return {
    ...{ chainId, federation: at.federation, line, notNamedBy, anchors },
    recordsRoots: new Map(commits.map(({ round, recordsRoot }) => [round, recordsRoot])),
    commitEpochs: new Map(commits.map(({ round, epoch }) => [round, epoch])),
  };
}
