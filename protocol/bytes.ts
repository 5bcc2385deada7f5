// Bytes and hex, the same in Node and in a browser.

import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';

/** 0x-prefixed lower-case hex. Addresses are kept lower-case everywhere inside the system. */
export type Hex = `0x${string}`;

export { concatBytes, utf8ToBytes };

const DIGITS = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
const SHORT_BYTES = 512;

/** Short ones in one piece: pasted together digit by digit they would be chains of strings, dear to keep and to compare. */
export function toHex(bytes: Uint8Array): Hex {
  if (bytes.length > SHORT_BYTES) return `0x${bytesToHex(bytes)}`;
  const codes = [0x30, 0x78];
  for (const byte of bytes) codes.push(DIGITS[byte >> 4] ?? 0, DIGITS[byte & 15] ?? 0);
  return String.fromCharCode(...codes) as Hex;
}

export const fromHex = (hex: Hex): Uint8Array => hexToBytes(hex.slice(2));
export const keccak256 = (bytes: Uint8Array): Uint8Array => keccak_256(bytes);
export const sha256 = (bytes: Uint8Array): Uint8Array => nobleSha256(bytes);

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  // a plain loop: this runs over whole uploads
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lexicographic order, as Solidity compares bytes32. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Unsigned big-endian, `length` bytes. Throws RangeError when the value does not fit. */
export function uintToBytes(value: bigint | number, length: number): Uint8Array {
  let rest = BigInt(value);
  if (rest < 0n) throw new RangeError(`${value} is negative`);
  const out = new Uint8Array(length);
  for (let i = length - 1; i >= 0; i--) {
    out[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  if (rest !== 0n) throw new RangeError(`${value} does not fit ${length} bytes`);
  return out;
}

export function bytesToUint(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(toHex(bytes));
}
