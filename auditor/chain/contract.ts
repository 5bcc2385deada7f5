// Asking a contract, and what three of them say of themselves.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DeployedCode, Deployment, Parameters } from '../history.ts';
import { ABIS, fieldsOf } from './decode.ts';
import { type ChainReader, EndpointRefused } from './rpc.ts';

export type ContractName = keyof typeof ABIS;

/**
 * A view without arguments: its one output, decoded.
 * @throws ConcordatError CHAIN_WRONG when there is no such contract, CHAIN_REVERTED, CHAIN_UNREACHABLE
 */
export async function view(reader: ChainReader, name: ContractName, address: Hex, method: string): Promise<unknown> {
  const abi = ABIS[name];
  const fragment = abi.getFunction(method);
  if (fragment === null) throw new ConcordatError('CHAIN_WRONG', `${name} has no ${method}`);
  let output: string;
  try {
    output = String(await reader.ask('eth_call', [{ to: address, data: fragment.selector }, 'latest']));
  } catch (cause) {
    if (!(cause instanceof EndpointRefused)) throw cause;
    throw new ConcordatError('CHAIN_REVERTED', `${name}.${method}: ${cause.message}`, {}, { cause });
  }
  const wrong = `no ${name} at ${address}`;
  if (output === '0x') throw new ConcordatError('CHAIN_WRONG', wrong, { address });
  try {
    const [value] = Object.values(fieldsOf(fragment.outputs, abi.decodeFunctionResult(fragment, output)));
    return value;
  } catch (cause) {
    throw new ConcordatError('CHAIN_WRONG', wrong, { address }, { cause });
  }
}

export type FederationView = Omit<Deployment, 'code'>;

/** @throws ConcordatError CHAIN_UNREACHABLE; CHAIN_WRONG, CHAIN_REVERTED when there is no federation at the address */
export async function viewFederation(reader: ChainReader, federation: Hex): Promise<FederationView> {
  const chainId = Number(await reader.ask('eth_chainId', []));
  const parameters = (await view(reader, 'Federation', federation, 'parameters')) as Parameters;
  const registry = (await view(reader, 'Federation', federation, 'registry')) as Hex;
  const ledger = (await view(reader, 'Federation', federation, 'ledger')) as Hex;
  const [registryFederation, ledgerFederation, ledgerRegistry] = (await Promise.all([
    view(reader, 'ConsentRegistry', registry, 'federation'),
    view(reader, 'RoundLedger', ledger, 'federation'),
    view(reader, 'RoundLedger', ledger, 'registry'),
  ])) as [Hex, Hex, Hex];
  return {
    ...{ chainId, federation, registry, ledger, parameters },
    ...{ registryFederation, ledgerFederation, ledgerRegistry },
  };
}

/** @throws ConcordatError as `viewFederation`; CHAIN_WRONG when the three contracts do not point at each other */
export async function viewWired(reader: ChainReader, address: Hex): Promise<FederationView> {
  const found = await viewFederation(reader, address);
  const { registry, registryFederation, ledgerFederation, ledgerRegistry } = found;
  if (registryFederation === address && ledgerFederation === address && ledgerRegistry === registry) return found;
  throw new ConcordatError('CHAIN_WRONG', `the contracts of ${address} are not wired to each other`, { address });
}

/** As of now: none of it can change. @throws ConcordatError as `viewFederation` */
export async function readCode(reader: ChainReader, at: FederationView): Promise<DeployedCode> {
  const { federation, registry, ledger } = at;
  const verifierAddress = (await view(reader, 'ConsentRegistry', registry, 'verifier')) as Hex;
  const asked = [federation, registry, ledger, verifierAddress];
  const questions = asked.map((address) => ({ method: 'eth_getCode', params: [address, 'latest'] }));
  const codes = (await reader.askAll(questions)).map((code) => String(code).toLowerCase() as Hex);
  const [ofFederation = '0x', ofRegistry = '0x', ofLedger = '0x', ofVerifier = '0x'] = codes;
  return {
    ...{ federation: ofFederation, registry: ofRegistry, ledger: ofLedger, verifier: ofVerifier },
    verifierAddress,
  };
}
