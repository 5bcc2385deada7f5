// Every header from the last block that is audited back to its first event: each is named by the next, and none of them
// hides a log.
import type { Hex } from '../../protocol/bytes.ts';
import { type Header, mayHoldLogsOf } from './header.ts';
import { type Findings, proveHeader } from './proven-block.ts';
import { type ChainReader, quantity } from './rpc.ts';

export interface Link {
  readonly hash: Hex;
  readonly parentHash: Hex;
}

interface Stretch {
  readonly firstBlock: number;
  readonly headBlock: number;
  readonly headHash: Hex;
  /** Headers that were proven already. */
  readonly known: ReadonlyMap<number, Link>;
  /** In which blocks logs of them were read is known; in all others there must be none. */
  readonly contracts: ReadonlySet<Hex>;
  readonly withLogs: ReadonlySet<number>;
}

const AT_ONCE = 1_000;

export interface Linked {
  readonly linked: boolean;
  /** Blocks that may hold logs of the contracts, and of which none was read. */
  readonly suspect: readonly number[];
}

/** @throws ConcordatError CHAIN_UNREACHABLE */
export async function linkHeaders(reader: ChainReader, stretch: Stretch, findings: Findings): Promise<Linked> {
  const { firstBlock, headBlock, known } = stretch;
  const suspect: number[] = [];
  let expected = stretch.headHash;
  for (let last = headBlock; last >= firstBlock; last -= AT_ONCE) {
    const numbers = descending(last, Math.max(firstBlock, last - AT_ONCE + 1));
    const unknown = numbers.filter((number) => !known.has(number));
    const told = await reader.askAll(
      unknown.map((number) => ({ method: 'eth_getBlockByNumber', params: [quantity(number), false] })),
    );
    const read = new Map(unknown.map((number, i) => [number, told[i]]));
    for (const number of numbers) {
      const header = known.has(number) ? undefined : proveHeader(read.get(number), number, findings);
      const link = header ?? known.get(number);
      if (link === undefined) return { linked: false, suspect };
      if (link.hash !== expected) {
        const what = `block ${number}: hash, against what the block after it, or the auditor, knows it by`;
        findings.faults.push({ what, expected, got: link.hash });
        return { linked: false, suspect };
      }
      expected = link.parentHash;
      if (header !== undefined && mayHold(header, number, stretch)) suspect.push(number);
    }
  }
  return { linked: true, suspect };
}

const mayHold = ({ logsBloom }: Header, number: number, { contracts, withLogs }: Stretch): boolean =>
  !withLogs.has(number) && [...contracts].some((address) => mayHoldLogsOf(logsBloom, address));

const descending = (from: number, to: number): number[] => Array.from({ length: from - to + 1 }, (_, i) => from - i);
