// The line of deployments that a federation stands in, forwards too: a receipt names the one of its day.
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { type FederationView, view, viewWired } from './chain/contract.ts';
import { unlessZero } from './chain/decode.ts';
import { readLogs, topicOf } from './chain/logs.ts';
import { type ChainReader, quantity } from './chain/rpc.ts';
import { LONGEST_LINE } from './lineage.ts';

export interface ReceiptDeployment {
  readonly federation: Hex;
  readonly registry: Hex;
  readonly ledger: Hex;
  readonly witnessQuorum: number;
  /** Everyone who ever was one. */
  readonly dealers: ReadonlySet<Hex>;
  readonly witnesses: ReadonlySet<Hex>;
  /** When the next one of the line took over, Unix seconds; undefined for the one in force. */
  readonly endedAtSeconds: number | undefined;
}

export interface ReceiptLine {
  readonly chainId: number;
  /** Oldest first; each names the one before it and was named by it. */
  readonly deployments: readonly ReceiptDeployment[];
  /** What the first of them says that it carries on, and which has not named it: then none of them is in force. */
  readonly notNamedBy: Hex | undefined;
}

/** @throws ConcordatError CHAIN_UNREACHABLE, CHAIN_WRONG when there is no such federation */
export async function readReceiptLine(reader: ChainReader, federation: Hex): Promise<ReceiptLine> {
  const { line, notNamedBy } = await wholeLine(reader, federation);
  const views = await Promise.all(line.map((address) => viewWired(reader, address)));
  const toBlock = Number(await reader.ask('eth_blockNumber', []));
  const deployments = await Promise.all(views.map((found) => readDeployment(reader, found, toBlock)));
  return { chainId: views[0]?.chainId ?? 0, deployments, notNamedBy };
}

async function wholeLine(reader: ChainReader, federation: Hex): Promise<{ line: Hex[]; notNamedBy: Hex | undefined }> {
  const ask = async (which: 'predecessor' | 'successor', address: Hex) =>
    unlessZero((await view(reader, 'Federation', address, which)) as Hex);
  const line = [federation];
  let [oldest, newest] = [federation, federation];
  let before = await ask('predecessor', oldest);
  while (before !== undefined && (await ask('successor', before)) === oldest) {
    oldest = before;
    line.unshift(oldest);
    requireEnd(line);
    before = await ask('predecessor', oldest);
  }
  for (let next = await ask('successor', newest); next !== undefined; next = await ask('successor', newest)) {
    newest = next;
    line.push(newest);
    requireEnd(line);
  }
  return { line, notNamedBy: before };
}

function requireEnd(line: readonly Hex[]): void {
  if (line.length > LONGEST_LINE) throw new ConcordatError('CHAIN_WRONG', `the line of ${line[0]} does not end`);
}

async function readDeployment(reader: ChainReader, found: FederationView, toBlock: number): Promise<ReceiptDeployment> {
  const { federation, registry, ledger, parameters } = found;
  const topics = ['DealerRegistered', 'WitnessRegistered', 'SuccessorNamed'] as const;
  const [dealers, witnesses, ends] = await Promise.all(
    topics.map((name) => readLogs(reader, { address: [federation], fromBlock: 0, toBlock, topics: [topicOf(name)] })),
  );
  const end = ends?.[0];
  return {
    ...{ federation, registry, ledger },
    witnessQuorum: parameters.witnessQuorum,
    dealers: new Set(dealers?.map(({ fields }) => fields.dealer as Hex)),
    witnesses: new Set(witnesses?.map(({ fields }) => fields.witness as Hex)),
    endedAtSeconds: end && (await timeOfBlock(reader, end.block)),
  };
}

/** Unix seconds. */
export async function timeOfBlock(reader: ChainReader, block: number): Promise<number> {
  const found = (await reader.ask('eth_getBlockByNumber', [quantity(block), false])) as { readonly timestamp: string };
  return Number(found.timestamp);
}
