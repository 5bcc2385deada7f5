// What the auditor reads out of ABI-encoded bytes: each value as history.ts has it, by the type that the ABI gives.
import type { ParamType, Result } from 'ethers';
import { Interface } from 'ethers';
import { consentRegistryAbi } from '../../protocol/abi/consent-registry.ts';
import { federationAbi } from '../../protocol/abi/federation.ts';
import { roundLedgerAbi } from '../../protocol/abi/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';

export const ABIS = {
  Federation: new Interface(federationAbi),
  ConsentRegistry: new Interface(consentRegistryAbi),
  RoundLedger: new Interface(roundLedgerAbi),
} as const;

export type Fields = Readonly<Record<string, unknown>>;

/** Named values; a tuple is an object, a list an array, whole numbers up to 64 bits are numbers, wider ones bigints. */
export function fieldsOf(inputs: readonly ParamType[], values: Result): Fields {
  return Object.fromEntries(inputs.map((input, i) => [input.name, decoded(input, values[i])]));
}

function decoded(type: ParamType, value: unknown): unknown {
  if (type.arrayChildren !== null) {
    const { arrayChildren } = type;
    return Array.from(value as Iterable<unknown>, (item) => decoded(arrayChildren, item));
  }
  if (type.components !== null) return fieldsOf(type.components, value as Result);
  const bits = /^uint(\d+)$/.exec(type.baseType)?.[1];
  if (bits !== undefined) return Number(bits) > 64 ? BigInt(String(value)) : safeNumber(value);
  if (type.baseType === 'bool' || type.baseType === 'string') return value;
  return String(value).toLowerCase();
}

function safeNumber(value: unknown): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new ConcordatError('STATE_CORRUPT', `${String(value)} is too large`);
  return number;
}

const ZERO = /^0x0*$/;
/** Contracts say "nothing" with zero. */
export const unlessZero = (value: Hex): Hex | undefined => (ZERO.test(value) ? undefined : value);
