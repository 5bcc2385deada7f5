// Scalars as signed digits to the base 2^windowBits: half as many buckets as plain digits, for a sign that costs nothing.
import { SCALAR_BYTES } from './scalar-bytes.ts';

const SCALAR_BITS = 254;

export interface Digits {
  readonly windowBits: number;
  readonly windows: number;
  /** Which scalars these are. */
  readonly indexes: Int32Array;
  /** Window after window, one digit a scalar, between -2^(windowBits-1) and 2^(windowBits-1). */
  readonly digits: Int16Array;
}

/**
 * The width with the fewest additions: every scalar into a bucket of each window, then every bucket into the sum of each bit of
 * its number.
 */
function windowBitsFor(scalars: number): number {
  let [best, fewest] = [0, Number.POSITIVE_INFINITY];
  for (let bits = 3; bits <= 14; bits++) {
    const additions = windowsFor(bits) * (scalars + bits * 2 ** (bits - 2));
    if (additions < fewest) [best, fewest] = [bits, additions];
  }
  return best;
}

/** One bit more than the scalar, for the last carry. */
const windowsFor = (windowBits: number): number => Math.ceil((SCALAR_BITS + 1) / windowBits);

export function signedDigits(scalars: Uint8Array, indexes: Int32Array): Digits {
  const windowBits = windowBitsFor(indexes.length);
  const windows = windowsFor(windowBits);
  const digits = new Int16Array(windows * indexes.length);
  const view = new DataView(scalars.buffer, scalars.byteOffset, scalars.byteLength);
  const [base, half] = [1 << windowBits, 1 << (windowBits - 1)];
  for (const [i, index] of indexes.entries()) {
    let carry = 0;
    for (let window = 0; window < windows; window++) {
      const plain = bitsAt(view, index * SCALAR_BYTES, window * windowBits, base - 1) + carry;
      carry = plain > half ? 1 : 0;
      digits[window * indexes.length + i] = plain - carry * base;
    }
  }
  return { windowBits, windows, indexes, digits };
}

function bitsAt(view: DataView, start: number, bit: number, mask: number): number {
  // The last four bytes hold every bit from 224 on; reading on would run into the next scalar.
  const byte = Math.min(bit >> 3, SCALAR_BYTES - 4);
  const shift = bit - 8 * byte;
  return shift > 31 ? 0 : (view.getUint32(start + byte, true) >>> shift) & mask;
}
