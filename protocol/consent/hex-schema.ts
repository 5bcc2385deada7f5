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
