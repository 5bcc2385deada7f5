// Emits the kernel's arithmetic in Fp and Fp²: Montgomery multiplication with lazily carried 29-bit limbs.
import { BASE_FIELD_ORDER } from '../base-field.ts';
import { ELEMENT_BYTES, LIMB_BITS, LIMB_MASK, LIMBS, limbOf } from './limbs.ts';
import { type Code, call, get, i32, i64, set, TYPE, type WasmFunction } from './wasm-encoder.ts';

/*
 * Ranges. A product row adds at most 18 products of 58 bits, which fits 64 bits without carrying in between: that is what
 * 29-bit limbs buy over 32-bit ones (measured here: 47 ns against 75 ns a multiplication).
 * mul(a, b) is below a·b/R + p, and R/p > 160: for a·b < 160·p² the result is below 2p.
 * Stored coordinates are below 2p; differences that only go into a multiplication stay unreduced, below 12p.
 */

/** -1/p mod 2^29 */
const NEGATIVE_INVERSE = (() => {
  let inverse = 1n;
  for (let bits = 1; bits < LIMB_BITS; bits *= 2) inverse = (inverse * (2n - BASE_FIELD_ORDER * inverse)) & LIMB_MASK;
  return (LIMB_MASK + 1n - inverse) & LIMB_MASK;
})();

const pLimb = (index: number): Code => i64.const(limbOf(BASE_FIELD_ORDER, index));
const mask: Code = i64.const(LIMB_MASK);
const ELEMENT_PARAMS = [TYPE.i32, TYPE.i32, TYPE.i32] as const;
const i64Locals = (count: number): (typeof TYPE.i64)[] => new Array<typeof TYPE.i64>(count).fill(TYPE.i64);

/** A local for each limb, then the working ones. */
const B = (j: number): number => 3 + j;
const T = (j: number): number => 3 + LIMBS + j;
const [A, M] = [3 + 2 * LIMBS, 4 + 2 * LIMBS];

/** (a, b, out): out = a·b/R. `squaring` takes b = a and halves the products. Interleaved (CIOS) form of Montgomery's method. */
export function emitMultiply(name: string, squaring: boolean): WasmFunction {
  const body: number[] = [];
  for (let j = 0; j < LIMBS; j++) body.push(...set(B(j), i64.load32u(get(squaring ? 0 : 1), 4 * j)));
  for (let i = 0; i < LIMBS; i++) {
    body.push(...(squaring ? set(A, get(B(i))) : set(A, i64.load32u(get(0), 4 * i))));
    const before = (j: number): Code => (i === 0 || j === LIMBS - 1 ? i64.const(0n) : get(T(j)));
    const row = (j: number): Code => {
      if (squaring && j < i) return before(j);
      const product = i64.mul(get(A), get(B(j)));
      return i64.add(before(j), squaring && j > i ? i64.shl(product, 1) : product);
    };
    body.push(...set(T(0), row(0)));
    body.push(...set(M, i64.and(i64.mul(get(T(0)), i64.const(NEGATIVE_INVERSE)), mask)));
    const carry = i64.shru(i64.add(get(T(0)), i64.mul(get(M), pLimb(0))), LIMB_BITS);
    body.push(...set(T(0), carry));
    for (let j = 1; j < LIMBS; j++) {
      const sum = i64.add(row(j), i64.mul(get(M), pLimb(j)));
      body.push(...set(T(j - 1), j === 1 ? i64.add(sum, get(T(0))) : sum));
    }
  }
  body.push(...set(T(LIMBS - 1), i64.const(0n)), ...emitCarryAndStore(get(2), 0));
  return { name, params: ELEMENT_PARAMS, locals: i64Locals(2 * LIMBS + 2), body };
}

/** Carries the T locals (signed) into limbs and stores them. */
function emitCarryAndStore(out: Code, offset: number): number[] {
  const body: number[] = [];
  for (let j = 0; j < LIMBS - 1; j++) {
    body.push(...i64.store32(out, offset + 4 * j, i64.and(get(T(j)), mask)));
    body.push(...set(T(j + 1), i64.add(get(T(j + 1)), i64.shrs(get(T(j)), LIMB_BITS))));
  }
  body.push(...i64.store32(out, offset + 4 * (LIMBS - 1), get(T(LIMBS - 1))));
  return body;
}

/** An element at an address that is a local plus a constant, with its sign in a sum. */
export interface Term {
  readonly at: Code;
  readonly offset: number;
  readonly sign: 1 | -1;
}

/**
 * out = Σ ±terms + multiple·p, limb by limb. `multiple` must keep the sum positive. `reduced`: brought below 2p by an estimate
 * of the quotient from the top limb, which is at most one too small.
 */
export function emitSum(terms: readonly Term[], multiple: bigint, reduced: boolean, out: Code, offset: number): Code {
  const body: number[] = [];
  const top = LIMBS - 1;
  const pTop = limbOf(BASE_FIELD_ORDER, top);
  for (let j = top; j >= 0; j--) {
    // Limbs of multiple·p without carries, so that every limb of the sum has the same room.
    const start = i64.const(multiple * limbOf(BASE_FIELD_ORDER, j));
    const sum = terms.reduce<Code>(
      (partial, { at, offset: from, sign }) => (sign === 1 ? i64.add : i64.sub)(partial, i64.load32u(at, from + 4 * j)),
      start,
    );
    if (j === top && reduced) {
      body.push(...set(T(j), sum));
      // Limbs below may carry up to a few units; 16 covers them. 2^40/(pTop + 1) rounds down.
      const reciprocal = (1n << 40n) / (pTop + 1n);
      const least = i64.sub(get(T(j)), i64.const(16n));
      // A negative estimate (a sum just above 0) becomes -1 and adds p: still right.
      body.push(...set(M, i64.shrs(i64.mul(least, i64.const(reciprocal)), 40)));
      body.push(...set(T(j), i64.sub(get(T(j)), i64.mul(get(M), pLimb(j)))));
    } else {
      body.push(...set(T(j), reduced ? i64.sub(sum, i64.mul(get(M), pLimb(j))) : sum));
    }
  }
  return [...body, ...emitCarryAndStore(out, offset)];
}

const first = (offset = 0, sign: 1 | -1 = 1): Term => ({ at: get(0), offset, sign });
const second = (offset = 0, sign: 1 | -1 = 1): Term => ({ at: get(1), offset, sign });

/** (a, b, out): out = a - b, unreduced: below a + 4p for b below 4p. */
export function emitSubtract(name: string, elements: 1 | 2): WasmFunction {
  const body: Code[] = [];
  for (let e = 0; e < elements; e++) {
    const at = e * ELEMENT_BYTES;
    body.push(emitSum([first(at), second(at, -1)], 4n, false, get(2), at));
  }
  return { name, params: ELEMENT_PARAMS, locals: i64Locals(2 * LIMBS + 2), body: body.flat() };
}

/** (a, b, out): out = a - b, below 2p; a below 8p, b below 4p. */
export function emitSubtractReduced(name: string, elements: 1 | 2): WasmFunction {
  const body: Code[] = [];
  for (let e = 0; e < elements; e++) {
    const at = e * ELEMENT_BYTES;
    body.push(emitSum([first(at), second(at, -1)], 4n, true, get(2), at));
  }
  return { name, params: ELEMENT_PARAMS, locals: i64Locals(2 * LIMBS + 2), body: body.flat() };
}

/** (a, b, out): out = out - a - b, below 2p. */
export function emitSubtractBoth(name: string, elements: 1 | 2): WasmFunction {
  const body: Code[] = [];
  for (let e = 0; e < elements; e++) {
    const at = e * ELEMENT_BYTES;
    const from: Term = { at: get(2), offset: at, sign: 1 };
    body.push(emitSum([from, first(at, -1), second(at, -1)], 4n, true, get(2), at));
  }
  return { name, params: ELEMENT_PARAMS, locals: i64Locals(2 * LIMBS + 2), body: body.flat() };
}

/** (a, unused, out): out = -a, at most 2p; a below 2p. */
export function emitNegate(name: string, elements: 1 | 2): WasmFunction {
  const body: Code[] = [];
  for (let e = 0; e < elements; e++) {
    const at = e * ELEMENT_BYTES;
    body.push(emitSum([first(at, -1)], 2n, false, get(2), at));
  }
  return { name, params: ELEMENT_PARAMS, locals: i64Locals(2 * LIMBS + 2), body: body.flat() };
}

/** Four elements of scratch space for the Fp² functions, at a fixed address. */
export interface Fp2Context {
  readonly multiply: number;
  readonly scratch: number;
}

/** (a, b, out) in Fp[u]/(u² + 1), Karatsuba: parts below 4p and 6p. */
export function emitMultiply2(name: string, { multiply, scratch }: Fp2Context): WasmFunction {
  const slot = (i: number): Code => i32.const(scratch + i * ELEMENT_BYTES);
  const term = (i: number, sign: 1 | -1): Term => ({ at: slot(i), offset: 0, sign });
  const imaginary = (param: number): Code => i32.add(get(param), i32.const(ELEMENT_BYTES));
  const body = [
    ...call(multiply, get(0), get(1), slot(0)),
    ...call(multiply, imaginary(0), imaginary(1), slot(1)),
    ...emitSum([first(), first(ELEMENT_BYTES)], 0n, false, slot(2), 0),
    ...emitSum([second(), second(ELEMENT_BYTES)], 0n, false, slot(3), 0),
    ...call(multiply, slot(2), slot(3), slot(2)),
    ...emitSum([term(0, 1), term(1, -1)], 2n, false, get(2), 0),
    ...emitSum([term(2, 1), term(0, -1), term(1, -1)], 4n, false, get(2), ELEMENT_BYTES),
  ];
  return { name, params: ELEMENT_PARAMS, locals: i64Locals(2 * LIMBS + 2), body };
}

/** (a, unused, out): out = a²; parts of a below 6p, of the result below 4p. */
export function emitSquare2(name: string, { multiply, scratch }: Fp2Context): WasmFunction {
  const slot = (i: number): Code => i32.const(scratch + i * ELEMENT_BYTES);
  const imaginary = i32.add(get(0), i32.const(ELEMENT_BYTES));
  const product: Term = { at: slot(0), offset: 0, sign: 1 };
  const body = [
    ...call(multiply, get(0), imaginary, slot(0)),
    ...emitSum([first(), first(ELEMENT_BYTES)], 0n, false, slot(1), 0),
    ...emitSum([first(), first(ELEMENT_BYTES, -1)], 6n, false, slot(2), 0),
    ...call(multiply, slot(1), slot(2), get(2)),
    ...emitSum([product, product], 0n, false, get(2), ELEMENT_BYTES),
  ];
  return { name, params: ELEMENT_PARAMS, locals: i64Locals(2 * LIMBS + 2), body };
}

/** (source, factor, out): reads 32 little-endian bytes, splits them into limbs and multiplies by factor. */
export function emitImport(name: string, multiply: number): WasmFunction {
  const body: number[] = [];
  for (let j = 0; j < LIMBS; j++) {
    const bit = j * LIMB_BITS;
    // Eight bytes from the limb's first whole 32-bit word hold it; the last words must not read beyond the number.
    const word = Math.min(bit >> 5, 6);
    const limb = i64.and(i64.shru(i64.load(get(0), 4 * word), bit - 32 * word), mask);
    body.push(...set(T(j), limb));
  }
  body.push(...emitCarryAndStore(get(2), 0), ...call(multiply, get(2), get(1), get(2)));
  return { name, params: ELEMENT_PARAMS, locals: i64Locals(2 * LIMBS + 2), body };
}
