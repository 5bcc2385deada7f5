// How the kernel writes a field element: 9 limbs of 29 bits in Montgomery form with R = 2^261, each limb in 4 bytes.
import { BASE_FIELD_ORDER } from '../base-field.ts';
import { modInverse } from '../modular.ts';
import { SCALAR_BYTES, writeScalar } from '../scalar-bytes.ts';

export const LIMBS = 9;
export const LIMB_BITS = 29;
/** 36 bytes of limbs, padded so that elements stay 8-byte aligned. */
export const ELEMENT_BYTES = 40;
export const LIMB_MASK = (1n << BigInt(LIMB_BITS)) - 1n;

/** p = 2^253.6, so R/p = 2^7.4: room for the unreduced sums of field-functions.ts. */
export const MONTGOMERY_BITS = LIMBS * LIMB_BITS;

/** Files hold x·2^256; the kernel's multiplication divides by R and its form is x·R: times 2^(2·261 - 256) it is right. */
export const FROM_FILE_BITS = BigInt(2 * MONTGOMERY_BITS - 256);

export const limbOf = (value: bigint, index: number): bigint => (value >> BigInt(index * LIMB_BITS)) & LIMB_MASK;

/** Any representative, not only the smallest. */
export function readElement(view: DataView, at: number): bigint {
  let value = 0n;
  for (let i = LIMBS - 1; i >= 0; i--) value = (value << BigInt(LIMB_BITS)) + BigInt(view.getUint32(at + 4 * i, true));
  return value % BASE_FIELD_ORDER;
}

export function writeElement(view: DataView, at: number, value: bigint): void {
  for (let i = 0; i < LIMBS; i++) view.setUint32(at + 4 * i, Number(limbOf(value, i)), true);
}

/** Of ffjavascript's form: 32 plain bytes of x·2^256. */
const TO_FILE_FORM = (() => {
  const inverse = modInverse(1n << BigInt(MONTGOMERY_BITS), BASE_FIELD_ORDER) ?? 0n;
  return ((1n << 256n) * inverse) % BASE_FIELD_ORDER;
})();

/** One affine point from kernel form at `from` to ffjavascript's at `to`. */
export function exportPoint(view: DataView, from: number, elements: 1 | 2, to: number): void {
  for (let i = 0; i < 2 * elements; i++) {
    const value = (readElement(view, from + i * ELEMENT_BYTES) * TO_FILE_FORM) % BASE_FIELD_ORDER;
    writeScalar(view, to + i * SCALAR_BYTES, value);
  }
}
