// Reads a federation's whole history from a chain endpoint: events in order, block times, senders, and calldata.
import { type RegistryCall, readRegistryCall } from '../engines/chain/calldata.ts';
import { type ChainClient, createChainClient } from '../engines/chain/client.ts';
import { createConsentRegistry } from '../engines/chain/consent-registry.ts';
import { ROUND_LEDGER_ABI } from '../engines/chain/contracts.ts';
import { type ChainEvent as LoggedEvent, readEvents } from '../engines/chain/events.ts';
import { createFederation } from '../engines/chain/federation.ts';
import { createRoundLedger } from '../engines/chain/round-ledger.ts';
import type { Hex } from '../protocol/bytes.ts';
import { splitGrants } from '../protocol/consent/policy.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { ChainEvent, Deployment, History, OpenCall, Place } from './history.ts';

interface RawBlock {
  readonly timestamp: string;
  readonly parentHash: Hex;
}

interface RawTransaction {
  readonly from: string;
  readonly to: string | null;
  readonly input: string;
}

/** @throws ConcordatError CHAIN_UNREACHABLE; CHAIN_WRONG when there is no federation at the address */
export async function readHistory(rpcUrl: string, federation: Hex, fromBlock = 0): Promise<History> {
  const client = await createChainClient({ rpcUrl });
  const deployment = await readDeployment(client, federation);
  const headBlock = await client.blockNumber();
  const address = [federation, deployment.registry, deployment.ledger];
  const logged = await readEvents(client, { address, fromBlock, toBlock: headBlock });
  const fetch = createFetcher(client);
  const events: ChainEvent[] = [];
  for (const event of logged) events.push(await toAuditEvent(client, deployment, event, fetch));
  return { deployment, events, headBlock };
}

async function readDeployment(client: ChainClient, address: Hex): Promise<Deployment> {
  const federation = createFederation(client, address);
  const [parameters, registryAddress, ledgerAddress] = [
    await federation.parameters(),
    await federation.registry(),
    await federation.ledger(),
  ];
  const registry = createConsentRegistry(client, registryAddress);
  const ledger = createRoundLedger(client, ledgerAddress);
  return {
    chainId: client.chainId,
    federation: address,
    registry: registryAddress,
    ledger: ledgerAddress,
    parameters,
    registryFederation: await registry.federation(),
    ledgerFederation: await ledger.federation(),
    ledgerRegistry: await ledger.registry(),
  };
}

interface Fetcher {
  block(number: number): Promise<RawBlock>;
  transaction(hash: Hex): Promise<RawTransaction>;
}

/** Each block and transaction once: many events share them. */
function createFetcher({ rpc }: ChainClient): Fetcher {
  const known = new Map<string, Promise<unknown>>();
  function once<T>(key: string, method: string, params: readonly unknown[]): Promise<T> {
    const found = known.get(key) ?? rpc.call(method, params);
    known.set(key, found);
    return found.then((value) => {
      if (value === null) throw new ConcordatError('CHAIN_WRONG', `the endpoint has lost ${key}`);
      return value as T;
    });
  }
  return {
    block: (number) => once(`block ${number}`, 'eth_getBlockByNumber', [`0x${number.toString(16)}`, false]),
    transaction: (hash) => once(`transaction ${hash}`, 'eth_getTransactionByHash', [hash]),
  };
}

async function toAuditEvent(
  client: ChainClient,
  deployment: Deployment,
  event: LoggedEvent,
  fetch: Fetcher,
): Promise<ChainEvent> {
  const { address, blockNumber, logIndex, txHash, ...fields } = event;
  const block = await fetch.block(blockNumber);
  const transaction = await fetch.transaction(txHash);
  const at: Place = {
    block: blockNumber,
    logIndex,
    timestamp: Number(block.timestamp),
    transaction: txHash,
    sender: transaction.from.toLowerCase() as Hex,
    contract: address,
  };
  switch (fields.name) {
    case 'Anchored': {
      const call = await registryCall(client, deployment, txHash, 'anchor');
      return { ...fields, at, call: call && { witnessSignatures: call.witnessSignatures } };
    }
    case 'PoliciesAdmitted':
      return { ...fields, at, call: (await registryCall(client, deployment, txHash, 'admitPolicies'))?.proof };
    case 'SelectionAdmitted': {
      const call = await registryCall(client, deployment, txHash, 'admitSelection');
      if (call === undefined) return { ...fields, at, call };
      const { requirement, buckets, proof, proofFlags } = call.request;
      const [required0, required1] = splitGrants(requirement.required);
      const { minEvidence } = requirement;
      return { ...fields, at, call: { required0, required1, minEvidence, buckets, proof, proofFlags } };
    }
    case 'RoundOpened':
      return { ...fields, at, call: openCall(deployment, transaction, block) };
    default:
      return { ...fields, at } as ChainEvent;
  }
}

/** undefined when the transaction reaches the registry some other way: what it carried cannot be read then. */
async function registryCall<M extends RegistryCall['method']>(
  client: ChainClient,
  { registry }: Deployment,
  txHash: Hex,
  method: M,
): Promise<Extract<RegistryCall, { method: M }> | undefined> {
  try {
    const call = await readRegistryCall(client, registry, txHash);
    return call.method === method ? (call as Extract<RegistryCall, { method: M }>) : undefined;
  } catch (cause) {
    if (cause instanceof ConcordatError && cause.code === 'CHAIN_WRONG') return undefined;
    throw cause;
  }
}

function openCall({ ledger }: Deployment, transaction: RawTransaction, block: RawBlock): OpenCall | undefined {
  if (transaction.to?.toLowerCase() !== ledger) return undefined;
  const call = ROUND_LEDGER_ABI.parseTransaction({ data: transaction.input });
  if (call?.name !== 'openRound') return undefined;
  const [, required0, required1, minEvidence] = call.args as unknown as readonly bigint[];
  if (required0 === undefined || required1 === undefined) return undefined;
  return { required0, required1, minEvidence: Number(minEvidence), parentHash: block.parentHash };
}
