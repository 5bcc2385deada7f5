// Receipts: asked for soon and often, since the local chain has one within milliseconds.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Rpc } from './rpc.ts';
import { asHex, asNumber } from './values.ts';

export interface Receipt {
  readonly txHash: Hex;
  readonly blockNumber: number;
  readonly gasUsed: number;
  /** As the endpoint wrote them; decode with events.ts. */
  readonly logs: readonly RawLog[];
}

/** One log of a receipt or of eth_getLogs. */
export interface RawLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
  readonly blockNumber: string;
  readonly logIndex: string;
  readonly transactionHash: string;
}

export interface MinedTransaction extends Receipt {
  readonly succeeded: boolean;
  readonly contractAddress: Hex | undefined;
}

/** First waits are short; a public chain is asked four times a second. */
const PAUSES_MS = [2, 4, 8, 15, 25, 50];
const LONGEST_PAUSE_MS = 250;

interface RawReceipt {
  readonly status: string;
  readonly blockNumber: string;
  readonly gasUsed: string;
  readonly logs: readonly RawLog[];
  readonly contractAddress?: string | null;
}

/**
 * @throws ConcordatError TIMED_OUT when it is not mined in time; CHAIN_UNREACHABLE when the endpoint goes away. Both name
 * the transaction, which may be mined all the same.
 */
export async function waitForReceipt(rpc: Rpc, txHash: Hex, timeoutMs: number): Promise<MinedTransaction> {
  const giveUpAt = performance.now() + timeoutMs;
  for (let asked = 0; performance.now() < giveUpAt; asked++) {
    const raw = (await rpc.call('eth_getTransactionReceipt', [txHash])) as RawReceipt | null;
    // geth shows a receipt without a block for an instant
    if (raw?.blockNumber) {
      return {
        txHash,
        blockNumber: asNumber(raw.blockNumber),
        gasUsed: asNumber(raw.gasUsed),
        logs: raw.logs,
        succeeded: BigInt(raw.status) === 1n,
        contractAddress: raw.contractAddress ? asHex(raw.contractAddress) : undefined,
      };
    }
    const pauseMs = PAUSES_MS[asked] ?? LONGEST_PAUSE_MS;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  throw new ConcordatError('TIMED_OUT', `transaction ${txHash} was not mined in ${timeoutMs} ms`, { txHash });
}
