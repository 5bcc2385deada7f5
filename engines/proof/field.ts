// Arithmetic in the BN254 scalar field on plain bigints, and its little-endian bytes: for the setup, where speed is no matter.
import { FIELD_ORDER } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';

export const SCALAR_BYTES = 32;

export function reduce(value: bigint): bigint {
  const rest = value % FIELD_ORDER;
  return rest < 0n ? rest + FIELD_ORDER : rest;
}

export function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = reduce(base);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % FIELD_ORDER;
    square = (square * square) % FIELD_ORDER;
  }
  return result;
}

/** By Fermat. @throws ConcordatError VALUE_OUT_OF_RANGE for 0 */
export function inverse(value: bigint): bigint {
  if (reduce(value) === 0n) throw new ConcordatError('VALUE_OUT_OF_RANGE', '0 has no inverse in the scalar field');
  return power(value, FIELD_ORDER - 2n);
}

/** All inverses for the price of one (Montgomery's trick). */
export function inverses(values: readonly bigint[]): bigint[] {
  const products: bigint[] = [];
  let product = 1n;
  for (const value of values) {
    products.push(product);
    product = (product * value) % FIELD_ORDER;
  }
  let rest = inverse(product);
  const out = new Array<bigint>(values.length);
  for (let i = values.length - 1; i >= 0; i--) {
    out[i] = ((products[i] ?? 1n) * rest) % FIELD_ORDER;
    rest = (rest * (values[i] ?? 1n)) % FIELD_ORDER;
  }
  return out;
}

/** A primitive 2^bits-th root of unity: the one that snarkjs and ffjavascript use (5 is their smallest non-residue). */
export function rootOfUnity(bits: number): bigint {
  return power(5n, (FIELD_ORDER - 1n) >> BigInt(bits));
}

export function readScalar(bytes: DataView, offset: number): bigint {
  let value = 0n;
  for (let word = 3; word >= 0; word--) value = (value << 64n) | bytes.getBigUint64(offset + 8 * word, true);
  return value;
}

export function writeScalar(bytes: DataView, offset: number, value: bigint): void {
  for (let word = 0; word < 4; word++)
    bytes.setBigUint64(offset + 8 * word, BigInt.asUintN(64, value >> BigInt(64 * word)), true);
}
