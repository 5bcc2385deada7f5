// zod schemas of fixed-length hex strings and byte strings, as consent messages use them.
import { z } from 'zod';
import { fromHex, type Hex, toHex, uintToBytes } from '../bytes.ts';

/** 0x-prefixed lower-case hex of exactly `length` bytes. */
export const hexOf = (length: number) =>
  z.custom<Hex>(
    (value) => typeof value === 'string' && value.length === 2 + 2 * length && /^0x[0-9a-f]+$/.test(value),
    `must be ${length} bytes of lower-case 0x-hex`,
  );

/** A CBOR byte string of exactly `length` bytes, handed on as hex. */
export const bytesAsHex = (length: number) =>
  z
    .instanceof(Uint8Array)
    .refine((bytes) => bytes.length === length, `must be ${length} bytes`)
    .transform((bytes): Hex => toHex(bytes));

export const ZERO_WORD: Hex = `0x${'00'.repeat(32)}`;
export const MAX_WORD: Hex = `0x${'ff'.repeat(32)}`;

/** A non-negative integer as 32 big-endian bytes in hex. */
export const hexWord = (value: bigint): Hex => `0x${value.toString(16).padStart(64, '0')}`;

/** One 32-byte word of an ABI encoding: left-padded hex (bytes32, uint256, address) or a uint64. */
export function abiWord(value: Hex | bigint | number): Uint8Array {
  if (typeof value === 'string' && value.length === 66) return fromHex(value);
  if (typeof value === 'number') {
    const word = new Uint8Array(32);
    new DataView(word.buffer).setBigUint64(24, BigInt(value));
    return word;
  }
  return uintToBytes(BigInt(value), 32);
}

const VALUE_OF = new Int8Array(128).fill(-1);
for (const digits of ['0123456789abcdef', '0123456789ABCDEF']) {
  for (const [value, digit] of [...digits].entries()) VALUE_OF[digit.charCodeAt(0)] = value;
}

/** Several words, one after the other: `abiWord` of each, without a copy for each. */
export function abiWords(...values: readonly (Hex | bigint | number)[]): Uint8Array {
  const out = new Uint8Array(32 * values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (typeof value === 'string' && value.length === 66) writeHex(value, out, 32 * i);
    else out.set(abiWord(value), 32 * i);
  }
  return out;
}

/** The bytes of a hex string, from `at` on. @returns where they end. @throws RangeError for another letter */
export function writeHex(hex: Hex, out: Uint8Array, at: number): number {
  let end = at;
  for (let i = 2; i < hex.length; i += 2) {
    const high = VALUE_OF[hex.charCodeAt(i)] ?? -1;
    const low = VALUE_OF[hex.charCodeAt(i + 1)] ?? -1;
    if (high < 0 || low < 0) throw new RangeError(`${hex} is not hex`);
    out[end++] = (high << 4) | low;
  }
  return end;
}
