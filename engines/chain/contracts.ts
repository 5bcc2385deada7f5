// The three contracts by name: address and ABI in one value, as the client takes them.
import { Interface } from 'ethers';
import { consentRegistryAbi } from '../../protocol/abi/consent-registry.ts';
import { federationAbi } from '../../protocol/abi/federation.ts';
import { roundLedgerAbi } from '../../protocol/abi/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { ContractRef } from './client.ts';

const FEDERATION_ABI = new Interface(federationAbi);
export const CONSENT_REGISTRY_ABI = new Interface(consentRegistryAbi);
const ROUND_LEDGER_ABI = new Interface(roundLedgerAbi);

export const federationAt = (address: Hex): ContractRef => ({ name: 'Federation', address, abi: FEDERATION_ABI });
export const consentRegistryAt = (address: Hex): ContractRef => ({
  name: 'ConsentRegistry',
  address,
  abi: CONSENT_REGISTRY_ABI,
});
export const roundLedgerAt = (address: Hex): ContractRef => ({ name: 'RoundLedger', address, abi: ROUND_LEDGER_ABI });
