// Why a contract refused: the custom errors of our three contracts, decoded into CHAIN_REVERTED.
import { Interface, type ParamType } from 'ethers';
import { consentRegistryAbi } from '../../protocol/abi/consent-registry.ts';
import { federationAbi } from '../../protocol/abi/federation.ts';
import { roundLedgerAbi } from '../../protocol/abi/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { RpcError } from './rpc.ts';

/** A refusal by name, e.g. `StaleRoot` with `{given, current}`. */
export interface Refusal {
  readonly reason: string;
  readonly args: Readonly<Record<string, string>>;
}

const ERROR_ENTRIES = [...federationAbi, ...consentRegistryAbi, ...roundLedgerAbi].filter(
  ({ type }) => type === 'error',
);
// the same error may be declared by several contracts
const ERRORS_BY_SIGNATURE = new Map(ERROR_ENTRIES.map((entry) => [JSON.stringify(entry), entry]));
const KNOWN_ERRORS = new Interface([
  ...ERRORS_BY_SIGNATURE.values(),
  'error Error(string message)',
  'error Panic(uint256 code)',
]);

/** Names the error in revert data; an unknown one keeps its selector. */
export function decodeRevert(data: string): Refusal {
  if (data === '0x' || data === '') return { reason: 'NoReason', args: {} };
  const parsed = KNOWN_ERRORS.parseError(data);
  if (parsed === null) return { reason: 'UnknownError', args: { selector: data.slice(0, 10) } };
  const names = parsed.fragment.inputs.map((input: ParamType, i) => input.name || `arg${i}`);
  return { reason: parsed.name, args: Object.fromEntries(names.map((name, i) => [name, textOf(parsed.args[i])])) };
}

const textOf = (value: unknown): string => {
  const text = String(value);
  return text.startsWith('0x') ? text.toLowerCase() : text;
};

/** Revert data inside an endpoint's error answer; nodes put it in different places. `undefined`: not a revert. */
export function revertDataOf(error: RpcError): string | undefined {
  const { data } = error;
  if (typeof data === 'string' && data.startsWith('0x')) return data;
  if (typeof data === 'object' && data !== null && 'data' in data && typeof data.data === 'string') return data.data;
  return error.rpcCode === 3 || /revert/i.test(error.message) ? '0x' : undefined;
}

export interface CallSite {
  readonly contract: string;
  readonly method: string;
  readonly txHash?: Hex;
}

export function revertedError(refusal: Refusal, site: CallSite, cause?: unknown): ConcordatError {
  const args = Object.entries(refusal.args).map(([name, value]) => `${name} ${value}`);
  const detail = `${site.contract}.${site.method}: ${[refusal.reason, ...args].join(', ')}`;
  return new ConcordatError('CHAIN_REVERTED', detail, { ...refusal.args, ...site, reason: refusal.reason }, { cause });
}

/** A revert becomes CHAIN_REVERTED, another answer of the endpoint CHAIN_WRONG; the rest passes. */
export function explainRpcError(error: unknown, site: CallSite): unknown {
  if (!(error instanceof RpcError)) return error;
  const data = revertDataOf(error);
  if (data !== undefined) return revertedError(decodeRevert(data), site, error);
  return new ConcordatError(
    'CHAIN_WRONG',
    `${site.contract}.${site.method}: ${error.message}`,
    { ...site },
    { cause: error },
  );
}
