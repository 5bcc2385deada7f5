// Arithmetic in the BN254 scalar field on plain bigints: for the setup, where speed is no matter.
import { FIELD_ORDER } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { modInverse, modPower } from './modular.ts';

export function reduce(value: bigint): bigint {
  const rest = value % FIELD_ORDER;
  return rest < 0n ? rest + FIELD_ORDER : rest;
}

export const power = (base: bigint, exponent: bigint): bigint => modPower(base, exponent, FIELD_ORDER);

/** @throws ConcordatError VALUE_OUT_OF_RANGE for 0 */
export function inverse(value: bigint): bigint {
  const found = modInverse(value, FIELD_ORDER);
  if (found === undefined) throw new ConcordatError('VALUE_OUT_OF_RANGE', '0 has no inverse in the scalar field');
  return found;
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

/** A primitive 2^bits-th root of unity: the one snarkjs and ffjavascript use (5 is the least quadratic non-residue). */
export const rootOfUnity = (bits: number): bigint => power(5n, (FIELD_ORDER - 1n) >> BigInt(bits));
