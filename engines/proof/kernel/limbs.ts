// How the kernel writes a field element: 9 limbs of 29 bits in Montgomery form with R = 2^261, each limb in 4 bytes.
import { BASE_FIELD_ORDER } from '../base-field.ts';

export const LIMBS = 9;
export const LIMB_BITS = 29;
/** 36 bytes of limbs, padded so that elements stay 8-byte aligned. */
export const ELEMENT_BYTES = 40;
export const LIMB_MASK = (1n << BigInt(LIMB_BITS)) - 1n;

/** p = 2^253.6, so R/p = 2^7.4: room for the unreduced sums of field-functions.ts. */
export const MONTGOMERY_BITS = LIMBS * LIMB_BITS;

export const limbOf = (value: bigint, index: number): bigint => (value >> BigInt(index * LIMB_BITS)) & LIMB_MASK;

export function modPower(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base % BASE_FIELD_ORDER;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % BASE_FIELD_ORDER;
    square = (square * square) % BASE_FIELD_ORDER;
  }
  return result;
}

/** Extended Euclid, several times faster on bigints than Fermat's power. 0 gives 0. */
export function modInverse(value: bigint): bigint {
  let [r0, r1] = [BASE_FIELD_ORDER, value % BASE_FIELD_ORDER];
  let [t0, t1] = [0n, 1n];
  while (r1 !== 0n) {
    const quotient = r0 / r1;
    [r0, r1] = [r1, r0 - quotient * r1];
    [t0, t1] = [t1, t0 - quotient * t1];
  }
  if (r0 !== 1n) return 0n;
  return t0 < 0n ? t0 + BASE_FIELD_ORDER : t0;
}

/** Any representative, not only the smallest. */
export function readElement(view: DataView, at: number): bigint {
  let value = 0n;
  for (let i = LIMBS - 1; i >= 0; i--) value = (value << BigInt(LIMB_BITS)) + BigInt(view.getUint32(at + 4 * i, true));
  return value % BASE_FIELD_ORDER;
}

export function writeElement(view: DataView, at: number, value: bigint): void {
  for (let i = 0; i < LIMBS; i++) view.setUint32(at + 4 * i, Number(limbOf(value, i)), true);
}
