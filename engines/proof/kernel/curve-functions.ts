// Emits the kernel's loops over many affine points: the two passes of a batch of additions, and gathering points.
import { ELEMENT_BYTES } from './limbs.ts';
import { type Code, call, get, i32, i64, ifThenElse, loopWhile, set, TYPE, type WasmFunction } from './wasm-encoder.ts';

/** Positions of the field's functions in the module, and three elements of scratch space. */
export interface FieldContext {
  /** 1 for G1 over Fp, 2 for G2 over Fp². */
  readonly elements: 1 | 2;
  readonly multiply: number;
  readonly square: number;
  readonly subtract: number;
  readonly subtractReduced: number;
  readonly subtractBoth: number;
  readonly negate: number;
  readonly scratch: number;
}

const PAIR_BYTES = 8;
const plus = (address: Code, bytes: number): Code => (bytes === 0 ? address : i32.add(address, i32.const(bytes)));
const step = (local: number, by: number): Code => set(local, plus(get(local), by));
const i32s = (count: number): (typeof TYPE.i32)[] => new Array<typeof TYPE.i32>(count).fill(TYPE.i32);

function copy(from: Code, to: Code, bytes: number): Code {
  const body: number[] = [];
  for (let at = 0; at < bytes; at += 8) body.push(...i64.store(to, at, i64.load(from, at)));
  return body;
}

/**
 * (pairs, count, points, products, product): for each pair (byte offset of the left point, ·), whose right point lies just
 * behind the left: products[i] = product so far; product = product · (x right - x left).
 */
export function emitChain(name: string, field: FieldContext): WasmFunction {
  const [PAIRS, COUNT, POINTS, PRODUCTS, PRODUCT, LEFT] = [0, 1, 2, 3, 4, 5];
  const element = field.elements * ELEMENT_BYTES;
  const difference = i32.const(field.scratch);
  const body = loopWhile(get(COUNT), [
    ...set(LEFT, i32.add(get(POINTS), i32.load(get(PAIRS)))),
    ...copy(get(PRODUCT), get(PRODUCTS), element),
    ...call(field.subtract, plus(get(LEFT), 2 * element), get(LEFT), difference),
    ...call(field.multiply, get(PRODUCT), difference, get(PRODUCT)),
    ...[...step(PAIRS, PAIR_BYTES), ...step(PRODUCTS, element), ...step(COUNT, -1)],
  ]);
  return { name, params: i32s(5), locals: i32s(1), body };
}

/**
 * (pairs, count, points, products, inverse, out): with the inverse of `chain`'s last product, from the last pair to the first,
 * out[offset out] = left + right by the affine formulas: slope = Δy/Δx, x = slope² - x left - x right, y = slope·(x left - x) - y left.
 */
export function emitJoin(name: string, field: FieldContext): WasmFunction {
  const [PAIRS, COUNT, POINTS, PRODUCTS, INVERSE, OUT, LEFT, TO, ENTRY, PRODUCT] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const element = field.elements * ELEMENT_BYTES;
  const difference = i32.const(field.scratch);
  const slope = i32.const(field.scratch + element);
  const leftY = plus(get(LEFT), element);
  const rightX = plus(get(LEFT), 2 * element);
  const rightY = plus(get(LEFT), 3 * element);
  const body = loopWhile(get(COUNT), [
    ...step(COUNT, -1),
    ...set(ENTRY, i32.add(get(PAIRS), i32.mul(get(COUNT), i32.const(PAIR_BYTES)))),
    ...set(LEFT, i32.add(get(POINTS), i32.load(get(ENTRY)))),
    ...set(TO, i32.add(get(OUT), i32.load(get(ENTRY), 4))),
    ...set(PRODUCT, i32.add(get(PRODUCTS), i32.mul(get(COUNT), i32.const(element)))),
    ...call(field.subtract, rightX, get(LEFT), difference),
    ...call(field.multiply, get(INVERSE), get(PRODUCT), get(PRODUCT)),
    ...call(field.multiply, get(INVERSE), difference, get(INVERSE)),
    ...call(field.subtract, rightY, leftY, slope),
    ...call(field.multiply, slope, get(PRODUCT), slope),
    ...call(field.square, slope, slope, get(TO)),
    ...call(field.subtractBoth, get(LEFT), rightX, get(TO)),
    ...call(field.subtract, get(LEFT), get(TO), difference),
    ...call(field.multiply, slope, difference, difference),
    ...call(field.subtractReduced, difference, leftY, plus(get(TO), element)),
  ]);
  return { name, params: i32s(6), locals: i32s(4), body };
}

/** (entries, count, points, out): out[i] = ± points[entry >> 1], minus when the entry's lowest bit is set. */
export function emitGather(name: string, field: FieldContext): WasmFunction {
  const [ENTRIES, COUNT, POINTS, OUT, FROM] = [0, 1, 2, 3, 4];
  const element = field.elements * ELEMENT_BYTES;
  const fromY = plus(get(FROM), element);
  const toY = plus(get(OUT), element);
  const index = i32.shru(i32.load(get(ENTRIES)), i32.const(1));
  const body = loopWhile(get(COUNT), [
    ...set(FROM, i32.add(get(POINTS), i32.mul(index, i32.const(2 * element)))),
    ...copy(get(FROM), get(OUT), element),
    ...ifThenElse(
      i32.and(i32.load(get(ENTRIES)), i32.const(1)),
      call(field.negate, fromY, fromY, toY),
      copy(fromY, toY, element),
    ),
    ...[...step(ENTRIES, 4), ...step(OUT, 2 * element), ...step(COUNT, -1)],
  ]);
  return { name, params: i32s(4), locals: i32s(1), body };
}

/** (moves, count, points, out): out[offset out] = points[offset in]. */
export function emitMove(name: string, elements: 1 | 2): WasmFunction {
  const [MOVES, COUNT, POINTS, OUT, FROM, TO] = [0, 1, 2, 3, 4, 5];
  const body = loopWhile(get(COUNT), [
    ...set(FROM, i32.add(get(POINTS), i32.load(get(MOVES)))),
    ...set(TO, i32.add(get(OUT), i32.load(get(MOVES), 4))),
    ...copy(get(FROM), get(TO), 2 * elements * ELEMENT_BYTES),
    ...[...step(MOVES, PAIR_BYTES), ...step(COUNT, -1)],
  ]);
  return { name, params: i32s(4), locals: i32s(2), body };
}
