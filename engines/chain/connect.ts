// From an endpoint and one address to the whole federation on chain.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Domain } from '../../protocol/messages/typed-data.ts';
import { type ChainClient, createChainClient } from './client.ts';
import { type ConsentRegistry, createConsentRegistry } from './consent-registry.ts';
import { createFederation, type Federation } from './federation.ts';
import { createRoundLedger, type RoundLedger } from './round-ledger.ts';

export interface ChainConnection {
  readonly client: ChainClient;
  readonly federation: Federation;
  readonly registry: ConsentRegistry;
  readonly ledger: RoundLedger;
  /** EIP-712 domain of everything the parties sign. */
  readonly domain: Domain;
}

/** @throws ConcordatError CHAIN_UNREACHABLE, CHAIN_WRONG when the three contracts do not point at each other */
export async function connectFederation(rpcUrl: string, address: Hex, privateKey?: Hex): Promise<ChainConnection> {
  const client = await createChainClient({ rpcUrl, ...(privateKey !== undefined && { privateKey }) });
  const federation = createFederation(client, address);
  const registry = createConsentRegistry(client, await federation.registry());
  const ledger = createRoundLedger(client, await federation.ledger());
  const claimed = await Promise.all([registry.federation(), ledger.federation(), ledger.registry()]);
  if (claimed[0] !== address || claimed[1] !== address || claimed[2] !== registry.address) {
    throw new ConcordatError('CHAIN_WRONG', `the contracts of ${address} are not wired to each other`, { address });
  }
  return { client, federation, registry, ledger, domain: { chainId: client.chainId, federation: address } };
}
