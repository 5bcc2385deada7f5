// Asking a contract, and what three of them say of themselves.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DeployedCode, Deployment, Parameters } from '../history.ts';
import { ABIS, fieldsOf } from './decode.ts';
import { type ChainReader, EndpointRefused } from './rpc.ts';

export type ContractName = keyof typeof ABIS;

/** At which block a contract is asked: a number as JSON-RPC writes it, or the newest. */
export type BlockTag = `0x${string}` | 'latest';

export interface ViewCall {
  readonly name: ContractName;
  readonly address: Hex;
  readonly method: string;
  readonly args?: readonly unknown[];
}

/**
 * A view without arguments: its one output, decoded.
 * @throws ConcordatError CHAIN_WRONG when there is no such contract, CHAIN_REVERTED, CHAIN_UNREACHABLE
 */
export async function view(
  reader: ChainReader,
  name: ContractName,
  address: Hex,
  method: string,
  block: BlockTag = 'latest',
): Promise<unknown> {
  const [value] = await views(reader, [{ name, address, method }], block);
  return value;
}

/** Many at once, all at the same block. @throws as `view` */
export async function views(reader: ChainReader, calls: readonly ViewCall[], block: BlockTag): Promise<unknown[]> {
  const questions = calls.map(({ name, address, method, args = [] }) => {
    const data = ABIS[name].encodeFunctionData(method, args);
    return { method: 'eth_call', params: [{ to: address, data }, block] };
  });
  let outputs: unknown[];
  try {
    outputs = await reader.askAll(questions);
  } catch (cause) {
    if (!(cause instanceof EndpointRefused)) throw cause;
    const asked = [...new Set(calls.map(({ name, method }) => `${name}.${method}`))].join(', ');
    throw new ConcordatError('CHAIN_REVERTED', `${asked}: ${cause.message}`, {}, { cause });
  }
  return calls.map((call, i) => decodeView(call, String(outputs[i])));
}

function decodeView({ name, address, method }: ViewCall, output: string): unknown {
  const abi = ABIS[name];
  const fragment = abi.getFunction(method);
  const wrong = `no ${name} at ${address}`;
  if (fragment === null || output === '0x') throw new ConcordatError('CHAIN_WRONG', wrong, { address });
  try {
    const [value] = Object.values(fieldsOf(fragment.outputs, abi.decodeFunctionResult(fragment, output)));
    return value;
  } catch (cause) {
    throw new ConcordatError('CHAIN_WRONG', wrong, { address }, { cause });
  }
}

export type FederationView = Omit<Deployment, 'code'>;

/** @throws ConcordatError CHAIN_UNREACHABLE; CHAIN_WRONG, CHAIN_REVERTED when there is no federation at the address */
export async function viewFederation(
  reader: ChainReader,
  federation: Hex,
  block: BlockTag = 'latest',
): Promise<FederationView> {
  const chainId = Number(await reader.ask('eth_chainId', []));
  const parameters = (await view(reader, 'Federation', federation, 'parameters', block)) as Parameters;
  const registry = (await view(reader, 'Federation', federation, 'registry', block)) as Hex;
  const ledger = (await view(reader, 'Federation', federation, 'ledger', block)) as Hex;
  const [registryFederation, ledgerFederation, ledgerRegistry] = (await Promise.all([
    view(reader, 'ConsentRegistry', registry, 'federation', block),
    view(reader, 'RoundLedger', ledger, 'federation', block),
    view(reader, 'RoundLedger', ledger, 'registry', block),
  ])) as [Hex, Hex, Hex];
  return {
    ...{ chainId, federation, registry, ledger, parameters },
    ...{ registryFederation, ledgerFederation, ledgerRegistry },
  };
}

/** @throws ConcordatError CHAIN_WRONG when the three contracts do not point at each other */
export function requireWired(found: FederationView): void {
  const { federation, registry, registryFederation, ledgerFederation, ledgerRegistry } = found;
  if (registryFederation === federation && ledgerFederation === federation && ledgerRegistry === registry) return;
  const detail = `the contracts of ${federation} are not wired to each other`;
  throw new ConcordatError('CHAIN_WRONG', detail, { address: federation });
}

/** None of it can change. @throws ConcordatError as `viewFederation` */
export async function readCode(reader: ChainReader, at: FederationView, block: BlockTag): Promise<DeployedCode> {
  const { federation, registry, ledger } = at;
  const verifierAddress = (await view(reader, 'ConsentRegistry', registry, 'verifier', block)) as Hex;
  const asked = [federation, registry, ledger, verifierAddress];
  const questions = asked.map((address) => ({ method: 'eth_getCode', params: [address, block] }));
  const codes = (await reader.askAll(questions)).map((code) => String(code).toLowerCase() as Hex);
  const [ofFederation = '0x', ofRegistry = '0x', ofLedger = '0x', ofVerifier = '0x'] = codes;
  return {
    ...{ federation: ofFederation, registry: ofRegistry, ledger: ofLedger, verifier: ofVerifier },
    verifierAddress,
  };
}
