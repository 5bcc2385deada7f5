// A chain endpoint and, with a key, an account on it: calls, transactions that wait for their receipt, typed refusals.
import { Interface, type InterfaceAbi, keccak256, type Result, Wallet } from 'ethers';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { createNonceQueue } from './nonce-queue.ts';
import { type MinedTransaction, type Receipt, waitForReceipt } from './receipts.ts';
import { type CallSite, decodeRevert, explainRpcError, type Refusal, revertDataOf, revertedError } from './reverts.ts';
import { createRpc, type Rpc, RpcError } from './rpc.ts';
import { asHex, asNumber } from './values.ts';

/** A deployed contract as the client sees it. */
export interface ContractRef {
  readonly name: string;
  readonly address: Hex;
  readonly abi: Interface;
}

export interface SendOptions {
  readonly gasLimit?: number;
}

/** A transaction that was mined and refused, on purpose. */
export interface RefusedTransaction extends Receipt, Refusal {}

export interface ChainClient {
  readonly rpc: Rpc;
  readonly chainId: number;
  /** The account of `privateKey`; undefined for a client that only reads. */
  readonly address: Hex | undefined;
  blockNumber(): Promise<number>;
  /** Unix seconds of the latest block: the contracts' "now". */
  blockTimestamp(): Promise<number>;
  /** Decoded outputs. @throws ConcordatError CHAIN_REVERTED, CHAIN_UNREACHABLE, CHAIN_WRONG (no such contract) */
  call(contract: ContractRef, method: string, args: readonly unknown[]): Promise<Result>;
  /**
   * Sends and waits until it is mined. Concurrent sends keep their order; a failed one does not hold up the next.
   * @throws ConcordatError CHAIN_REVERTED with `reason` and the error's arguments as fields, CHAIN_UNREACHABLE, TIMED_OUT
   */
  send(contract: ContractRef, method: string, args: readonly unknown[], options?: SendOptions): Promise<Receipt>;
  /** Sends what the contract must refuse, so that the refusal is on chain. @throws ConcordatError CHAIN_ACCEPTED */
  sendExpectingRevert(
    contract: ContractRef,
    method: string,
    args: readonly unknown[],
    options?: SendOptions,
  ): Promise<RefusedTransaction>;
  deploy(
    artifact: DeployableArtifact,
    args: readonly unknown[],
    name: string,
  ): Promise<Receipt & { readonly address: Hex }>;
}

export interface DeployableArtifact {
  readonly abi: InterfaceAbi;
  readonly bytecode: Hex;
}

interface ClientOptions {
  readonly rpcUrl: string;
  readonly privateKey?: Hex;
  /** How long one request may take. */
  readonly requestTimeoutMs?: number;
  /** How long a transaction may take to be mined. */
  readonly receiptTimeoutMs?: number;
}

/** Gas for a transaction that is meant to revert: enough for any of our methods, a proof included. */
const REFUSAL_GAS = 2_000_000;

interface TransactionIntent {
  readonly to: Hex | null;
  readonly data: Hex;
  /** Estimated when undefined. */
  readonly gasLimit: number | undefined;
}

/** @throws ConcordatError CHAIN_UNREACHABLE when nobody answers at `rpcUrl` */
export async function createChainClient(options: ClientOptions): Promise<ChainClient> {
  const rpc = createRpc(options.rpcUrl, options.requestTimeoutMs);
  const receiptTimeoutMs = options.receiptTimeoutMs ?? 60_000;
  const chainId = asNumber(await rpc.call('eth_chainId', []));
  const wallet = options.privateKey === undefined ? undefined : new Wallet(options.privateKey);
  const address = wallet === undefined ? undefined : asHex(wallet.address);
  const nonces = createNonceQueue(async () =>
    asNumber(await rpc.call('eth_getTransactionCount', [address, 'pending'])),
  );

  function signer(): Wallet {
    if (wallet === undefined) throw new ConcordatError('CONFLICT', 'this client has no key: it only reads');
    return wallet;
  }

  async function estimate({ to, data }: TransactionIntent): Promise<bigint> {
    const request = { from: address, data, ...(to !== null && { to }) };
    // a fifth more: the state may change until it is mined
    return (BigInt(String(await rpc.call('eth_estimateGas', [request]))) * 6n) / 5n;
  }

  /**
   * An answer that was lost on the way makes the second try say "already known" or "nonce too low" of our own transaction:
   * it counts as taken when the chain knows its hash, and is never sent again under another nonce.
   */
  async function handOver(raw: string): Promise<Hex> {
    const txHash = asHex(keccak256(raw));
    try {
      await rpc.call('eth_sendRawTransaction', [raw]);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if ((await rpc.call('eth_getTransactionByHash', [txHash])) === null) throw error;
    }
    return txHash;
  }

  async function submit(intent: TransactionIntent, site: CallSite): Promise<Hex> {
    const maxPriorityFeePerGas = 1_000_000_000n;
    const account = signer();
    try {
      return await nonces.run(async (nonce) => {
        // in its turn, so that sends keep their order and an estimate sees those before it
        const gasLimit = intent.gasLimit ?? (await estimate(intent));
        const gasPrice = BigInt(String(await rpc.call('eth_gasPrice', [])));
        const raw = await account.signTransaction({
          to: intent.to,
          data: intent.data,
          gasLimit,
          chainId,
          nonce,
          type: 2,
          // twice the going price: the base fee rises at most an eighth per block
          maxFeePerGas: gasPrice * 2n + maxPriorityFeePerGas,
          maxPriorityFeePerGas,
        });
        return handOver(raw);
      });
    } catch (error) {
      throw explainRpcError(error, site);
    }
  }

  async function mine(intent: TransactionIntent, site: CallSite): Promise<MinedTransaction> {
    return waitForReceipt(rpc, await submit(intent, site), receiptTimeoutMs);
  }

  /** The endpoint's trace where it has one, else the same call replayed before that block. */
  async function refusalOf(intent: TransactionIntent, mined: MinedTransaction): Promise<Refusal> {
    try {
      const trace = await rpc.call('debug_traceTransaction', [mined.txHash, { tracer: 'callTracer' }]);
      if (typeof trace === 'object' && trace !== null && 'output' in trace) return decodeRevert(String(trace.output));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
    }
    try {
      const request = { from: address, to: intent.to, data: intent.data };
      await rpc.call('eth_call', [request, `0x${(mined.blockNumber - 1).toString(16)}`]);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return decodeRevert(revertDataOf(error) ?? '0x');
    }
    return { reason: 'OutOfGas', args: {} };
  }

  return {
    rpc,
    chainId,
    address,
    blockNumber: async () => asNumber(await rpc.call('eth_blockNumber', [])),
    async blockTimestamp() {
      const block = (await rpc.call('eth_getBlockByNumber', ['latest', false])) as { timestamp: string };
      return asNumber(block.timestamp);
    },

    async call(contract, method, args) {
      const site = { contract: contract.name, method };
      const request = {
        to: contract.address,
        data: contract.abi.encodeFunctionData(method, args),
        ...(address !== undefined && { from: address }),
      };
      let output: string;
      try {
        output = String(await rpc.call('eth_call', [request, 'latest']));
      } catch (error) {
        throw explainRpcError(error, site);
      }
      if (output === '0x') {
        throw new ConcordatError('CHAIN_WRONG', `no ${contract.name} at ${contract.address}`, { ...site, chainId });
      }
      return contract.abi.decodeFunctionResult(method, output);
    },

    async send(contract, method, args, sendOptions = {}) {
      const site = { contract: contract.name, method };
      const data = asHex(contract.abi.encodeFunctionData(method, args));
      const intent = { to: contract.address, data, gasLimit: sendOptions.gasLimit };
      const mined = await mine(intent, site);
      if (!mined.succeeded) throw revertedError(await refusalOf(intent, mined), { ...site, txHash: mined.txHash });
      return toReceipt(mined);
    },

    async sendExpectingRevert(contract, method, args, sendOptions = {}) {
      const site = { contract: contract.name, method };
      const data = asHex(contract.abi.encodeFunctionData(method, args));
      const intent = { to: contract.address, data, gasLimit: sendOptions.gasLimit ?? REFUSAL_GAS };
      const mined = await mine(intent, site);
      if (mined.succeeded) {
        throw new ConcordatError('CHAIN_ACCEPTED', `${contract.name}.${method}`, { ...site, txHash: mined.txHash });
      }
      return { ...toReceipt(mined), ...(await refusalOf(intent, mined)) };
    },

    async deploy(artifact, args, name) {
      const site = { contract: name, method: 'constructor' };
      const data = asHex(artifact.bytecode + new Interface(artifact.abi).encodeDeploy(args).slice(2));
      const intent = { to: null, data, gasLimit: undefined };
      const mined = await mine(intent, site);
      if (!mined.succeeded || mined.contractAddress === undefined) {
        throw revertedError(await refusalOf(intent, mined), { ...site, txHash: mined.txHash });
      }
      return { ...toReceipt(mined), address: mined.contractAddress };
    },
  };
}

const toReceipt = ({ txHash, blockNumber, gasUsed, logs }: MinedTransaction): Receipt => ({
  txHash,
  blockNumber,
  gasUsed,
  logs,
});
