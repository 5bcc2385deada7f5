// Emits the kernel's arithmetic in Fp² = Fp[u]/(u² + 1), two neighbouring elements: real, imaginary.
import { elementFunction, type FieldEmitter, first, second, type Term } from './field-functions.ts';
import { ELEMENT_BYTES } from './limbs.ts';
import { type Code, call, get, i32, type WasmFunction } from './wasm-encoder.ts';

export interface ExtensionContext {
  readonly field: FieldEmitter;
  /** Position of Fp's multiplication in the module. */
  readonly multiply: number;
  /** Address of four elements of scratch space. */
  readonly scratch: number;
}

const imaginary = (param: number): Code => i32.add(get(param), i32.const(ELEMENT_BYTES));

/** (a, b, out), Karatsuba. Parts up to 12p in sum on either side; parts of the result are below 4p and 6p. */
export function emitMultiply2(name: string, { field, multiply, scratch }: ExtensionContext): WasmFunction {
  const slot = (i: number): Code => i32.const(scratch + i * ELEMENT_BYTES);
  const term = (i: number, sign: 1 | -1): Term => ({ at: slot(i), offset: 0, sign });
  const plain = (...terms: Term[]) => ({ terms, multiple: 0n, reduced: false });
  return elementFunction(name, [
    ...call(multiply, get(0), get(1), slot(0)),
    ...call(multiply, imaginary(0), imaginary(1), slot(1)),
    ...field.sum(plain(first(), first(ELEMENT_BYTES)), slot(2)),
    ...field.sum(plain(second(), second(ELEMENT_BYTES)), slot(3)),
    ...call(multiply, slot(2), slot(3), slot(2)),
    ...field.sum({ terms: [term(0, 1), term(1, -1)], multiple: 2n, reduced: false }, get(2)),
    ...field.sum(
      { terms: [term(2, 1), term(0, -1), term(1, -1)], multiple: 4n, reduced: false },
      get(2),
      ELEMENT_BYTES,
    ),
  ]);
}

/** (a, ·, out): (a0 + a1)(a0 - a1) and 2·a0·a1. Parts below 6p; parts of the result are below 2p and 4p. */
export function emitSquare2(name: string, { field, multiply, scratch }: ExtensionContext): WasmFunction {
  const slot = (i: number): Code => i32.const(scratch + i * ELEMENT_BYTES);
  const product: Term = { at: slot(0), offset: 0, sign: 1 };
  return elementFunction(name, [
    ...call(multiply, get(0), imaginary(0), slot(0)),
    ...field.sum({ terms: [first(), first(ELEMENT_BYTES)], multiple: 0n, reduced: false }, slot(1)),
    ...field.sum({ terms: [first(), first(ELEMENT_BYTES, -1)], multiple: 6n, reduced: false }, slot(2)),
    ...call(multiply, slot(1), slot(2), get(2)),
    ...field.sum({ terms: [product, product], multiple: 0n, reduced: false }, get(2), ELEMENT_BYTES),
  ]);
}
