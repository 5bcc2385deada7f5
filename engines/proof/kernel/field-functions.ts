// Emits the kernel's arithmetic in a 254-bit prime field: Montgomery multiplication with lazily carried 29-bit limbs.
import { ELEMENT_BYTES, LIMB_BITS, LIMB_MASK, LIMBS, limbOf } from './limbs.ts';
import { type Code, get, i64, set, TYPE, type WasmFunction } from './wasm-encoder.ts';

/*
 * Ranges, with p the field's order. A product row adds at most 18 products of 58 bits, which fits 64 bits without carrying in
 * between: that is what 29-bit limbs buy over 32-bit ones (measured here: 47 ns against 75 ns a multiplication).
 * multiply(a, b) is below a·b/R + p, and R/p > 160: for a·b < 160·p² the result is below 2p.
 * Stored values are below 2p; differences that only go into a multiplication stay unreduced, below 12p.
 */

/** An element at an address, with its sign in a sum. */
export interface Term {
  readonly at: Code;
  readonly offset: number;
  readonly sign: 1 | -1;
}

/** A sum modulo p. `multiple`·p is added: it must keep the sum positive. */
interface Sum {
  readonly terms: readonly Term[];
  readonly multiple: bigint;
  /** Brought below 2p, from at most 16p. */
  readonly reduced: boolean;
}

const mask: Code = i64.const(LIMB_MASK);

/** Every function takes three addresses: (a, b, out). A local for each limb, then the working ones. */
const PARAMS = [TYPE.i32, TYPE.i32, TYPE.i32] as const;
const LOCALS = new Array<typeof TYPE.i64>(2 * LIMBS + 2).fill(TYPE.i64);
const B = (j: number): number => PARAMS.length + j;
const T = (j: number): number => PARAMS.length + LIMBS + j;
const [A, M] = [PARAMS.length + 2 * LIMBS, PARAMS.length + 2 * LIMBS + 1];

export const first = (offset = 0, sign: 1 | -1 = 1): Term => ({ at: get(0), offset, sign });
export const second = (offset = 0, sign: 1 | -1 = 1): Term => ({ at: get(1), offset, sign });
export const third = (offset = 0, sign: 1 | -1 = 1): Term => ({ at: get(2), offset, sign });

/** A function of three addresses with the locals that the emitters use. */
export const elementFunction = (name: string, body: Code): WasmFunction => ({
  name,
  params: PARAMS,
  locals: LOCALS,
  body,
});

/** Carries the T locals (signed) into limbs and stores them. */
function carryAndStore(out: Code, offset: number): number[] {
  const body: number[] = [];
  for (let j = 0; j < LIMBS - 1; j++) {
    body.push(...i64.store32(out, offset + 4 * j, i64.and(get(T(j)), mask)));
    body.push(...set(T(j + 1), i64.add(get(T(j + 1)), i64.shrs(get(T(j)), LIMB_BITS))));
  }
  body.push(...i64.store32(out, offset + 4 * (LIMBS - 1), get(T(LIMBS - 1))));
  return body;
}

/** (source, ·, out): splits 32 little-endian bytes into limbs. */
export function emitUnpack(name: string): WasmFunction {
  const body: number[] = [];
  for (let j = 0; j < LIMBS; j++) {
    const bit = j * LIMB_BITS;
    // Eight bytes from the limb's first whole 32-bit word hold it; the last words must not read beyond the number.
    const word = Math.min(bit >> 5, 6);
    body.push(...set(T(j), i64.and(i64.shru(i64.load(get(0), 4 * word), bit - 32 * word), mask)));
  }
  return elementFunction(name, [...body, ...carryAndStore(get(2), 0)]);
}

/** (source, ·, out): the inverse of unpack, for values below 2^256. */
export function emitPack(name: string): WasmFunction {
  const body: number[] = [];
  for (let word = 0; word < 4; word++) {
    let packed: Code = i64.const(0n);
    for (let j = 0; j < LIMBS; j++) {
      const shift = j * LIMB_BITS - 64 * word;
      if (shift <= -LIMB_BITS || shift >= 64) continue;
      const limb = i64.load32u(get(0), 4 * j);
      packed = i64.or(packed, shift < 0 ? i64.shru(limb, -shift) : i64.shl(limb, shift));
    }
    body.push(...i64.store(get(2), 8 * word, packed));
  }
  return elementFunction(name, body);
}

export interface FieldEmitter {
  /** (a, b, out): out = a·b/R. */
  multiply(name: string): WasmFunction;
  /** (a, ·, out): out = a²/R. */
  square(name: string): WasmFunction;
  /** out = sum, as code within a function of `elementFunction`; `out` may be among the terms. */
  sum(sum: Sum, out: Code, offset?: number): Code;
  /** A function that forms the same sum in each of 1 or 2 neighbouring elements. */
  sums(name: string, elements: 1 | 2, sumAt: (offset: number) => Sum): WasmFunction;
}

export function createFieldEmitter(order: bigint): FieldEmitter {
  const pLimb = (index: number): Code => i64.const(limbOf(order, index));
  const negativeInverse = i64.const(negativeInverseModLimb(order));
  const top = LIMBS - 1;
  /** 2^40/(top limb + 1), rounded down: never over-estimates a quotient. */
  const reciprocal = i64.const((1n << 40n) / (limbOf(order, top) + 1n));

  /** Interleaved form of Montgomery's method: a row of products, then a multiple of p that clears the lowest limb. */
  const product = (name: string, squaring: boolean): WasmFunction => {
    const body: number[] = [];
    for (let j = 0; j < LIMBS; j++) body.push(...set(B(j), i64.load32u(get(squaring ? 0 : 1), 4 * j)));
    for (let i = 0; i < LIMBS; i++) {
      body.push(...set(A, squaring ? get(B(i)) : i64.load32u(get(0), 4 * i)));
      const before = (j: number): Code => (i === 0 || j === top ? i64.const(0n) : get(T(j)));
      const row = (j: number): Code => {
        if (squaring && j < i) return before(j);
        const term = i64.mul(get(A), get(B(j)));
        return i64.add(before(j), squaring && j > i ? i64.shl(term, 1) : term);
      };
      body.push(...set(T(0), row(0)));
      body.push(...set(M, i64.and(i64.mul(get(T(0)), negativeInverse), mask)));
      body.push(...set(T(0), i64.shru(i64.add(get(T(0)), i64.mul(get(M), pLimb(0))), LIMB_BITS)));
      for (let j = 1; j < LIMBS; j++) {
        const sum = i64.add(row(j), i64.mul(get(M), pLimb(j)));
        body.push(...set(T(j - 1), j === 1 ? i64.add(sum, get(T(0))) : sum));
      }
    }
    return elementFunction(name, [...body, ...set(T(top), i64.const(0n)), ...carryAndStore(get(2), 0)]);
  };

  const sum = ({ terms, multiple, reduced }: Sum, out: Code, offset = 0): Code => {
    // Limbs of multiple·p without carries, so that every limb of the sum has the same room.
    const limb = (j: number): Code =>
      terms.reduce<Code>(
        (partial, { at, offset: from, sign }) =>
          (sign === 1 ? i64.add : i64.sub)(partial, i64.load32u(at, from + 4 * j)),
        i64.const(multiple * limbOf(order, j)),
      );
    const body: number[] = [...set(T(top), limb(top))];
    if (reduced) {
      // The lower limbs carry a few units at most, which 16 covers: the estimate is never too large, and the rest below 2p.
      // For a sum just above 0 it is -1, which adds p: still right.
      const least = i64.sub(get(T(top)), i64.const(16n));
      body.push(...set(M, i64.shrs(i64.mul(least, reciprocal), 40)));
      body.push(...set(T(top), i64.sub(get(T(top)), i64.mul(get(M), pLimb(top)))));
    }
    for (let j = 0; j < top; j++) {
      body.push(...set(T(j), reduced ? i64.sub(limb(j), i64.mul(get(M), pLimb(j))) : limb(j)));
    }
    return [...body, ...carryAndStore(out, offset)];
  };

  return {
    multiply: (name) => product(name, false),
    square: (name) => product(name, true),
    sum,
    sums(name, elements, sumAt) {
      const offsets = elements === 1 ? [0] : [0, ELEMENT_BYTES];
      return elementFunction(
        name,
        offsets.flatMap((offset) => [...sum(sumAt(offset), get(2), offset)]),
      );
    },
  };
}

/** -1/order mod 2^29, by Newton's iteration. */
function negativeInverseModLimb(order: bigint): bigint {
  let inverse = 1n;
  for (let bits = 1; bits < LIMB_BITS; bits *= 2) inverse = (inverse * (2n - order * inverse)) & LIMB_MASK;
  return (LIMB_MASK + 1n - inverse) & LIMB_MASK;
}
