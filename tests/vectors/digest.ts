// How the vectors keep a long array: its ends, and a hash over all of it.
import { createHash } from 'node:crypto';
import { type Hex, toHex } from '../../protocol/bytes.ts';

const [FIRST, LAST] = [8, 4];

export interface Digest {
  readonly length: number;
  readonly first: readonly (number | string)[];
  readonly last: readonly (number | string)[];
  readonly sha256: Hex;
}

const hashOf = (bytes: Uint8Array): Hex => toHex(createHash('sha256').update(bytes).digest());

/** sha256 over all numbers as little-endian bytes of the array's width. */
export function digest(numbers: Uint32Array | Int32Array | Uint16Array): Digest {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  const { length } = numbers;
  return { length, first: [...numbers.subarray(0, FIRST)], last: [...numbers.subarray(-LAST)], sha256: hashOf(bytes) };
}

/** Integers below 2^80 as hex; sha256 over ten little-endian bytes each. */
export function digestWide(numbers: readonly bigint[]): Digest {
  const bytes = new Uint8Array(10 * numbers.length);
  const text = (some: readonly bigint[]): string[] => some.map((x) => `0x${x.toString(16)}`);
  numbers.forEach((x, i) => {
    for (let k = 0; k < 10; k++) bytes[10 * i + k] = Number((x >> BigInt(8 * k)) & 255n);
  });
  const { length } = numbers;
  return { length, first: text(numbers.slice(0, FIRST)), last: text(numbers.slice(-LAST)), sha256: hashOf(bytes) };
}
