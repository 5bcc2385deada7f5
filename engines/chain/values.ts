// From what ethers decodes to the domain's own values: lower-case hex, numbers where they fit.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';

export const asHex = (value: unknown): Hex => String(value).toLowerCase() as Hex;
export const asBigInt = (value: unknown): bigint => BigInt(String(value));

/** @throws ConcordatError STATE_CORRUPT when a 64-bit field of a contract does not fit a double */
export function asNumber(value: unknown): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw new ConcordatError('STATE_CORRUPT', `${String(value)} is not a safe integer`);
  return number;
}

export const asHexList = (value: unknown): Hex[] => Array.from(value as Iterable<unknown>, asHex);
export const asBigIntList = (value: unknown): bigint[] => Array.from(value as Iterable<unknown>, asBigInt);

const ZERO_HASH: Hex = `0x${'00'.repeat(32)}`;
const ZERO_ADDRESS: Hex = `0x${'00'.repeat(20)}`;

/** Contracts say "nothing yet" with zero; TypeScript says undefined. */
export const unlessZero = (hash: Hex): Hex | undefined => (hash === ZERO_HASH ? undefined : hash);
export const unlessZeroAddress = (address: Hex): Hex | undefined => (address === ZERO_ADDRESS ? undefined : address);
