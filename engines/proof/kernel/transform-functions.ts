// Emits the stages of number-theoretic transforms over the scalar field, and products of whole vectors.
import { type FieldEmitter, first, second } from './field-functions.ts';
import { ELEMENT_BYTES } from './limbs.ts';
import { type Code, call, get, i32, loopWhile, set, TYPE, type WasmFunction } from './wasm-encoder.ts';

/** Positions in the module. */
export interface TransformContext {
  readonly multiply: number;
  /** (a, b, out): out = a + b, below 2p. */
  readonly add: number;
  /** (a, b, out): out = a - b, below 2p. */
  readonly subtract: number;
  /** (a, b, out): out = a - b, unreduced. */
  readonly subtractLazily: number;
  /** Address of an element of scratch space. */
  readonly scratch: number;
}

const step = (local: number, by: Code): Code => set(local, i32.add(get(local), by));
const element = i32.const(ELEMENT_BYTES);
const i32s = (count: number): (typeof TYPE.i32)[] => new Array<typeof TYPE.i32>(count).fill(TYPE.i32);

/** The three sums of TransformContext, in its order. */
export const transformSums = (field: FieldEmitter): WasmFunction[] => [
  field.sums('fr_add', 1, () => ({ terms: [first(), second()], multiple: 0n, reduced: true })),
  field.sums('fr_subtract', 1, () => ({ terms: [first(), second(0, -1)], multiple: 2n, reduced: true })),
  field.sums('fr_subtractLazily', 1, () => ({ terms: [first(), second(0, -1)], multiple: 2n, reduced: false })),
];

/**
 * (values, end, half, twiddles, stride), all in bytes: one stage over blocks of 2·half. `inwards`: decimation in frequency,
 * (u, v) -> (u + v, (u - v)·w); otherwise decimation in time, (u, v) -> (u + v·w, u - v·w). w walks the table by `stride`.
 */
export function emitStage(name: string, inwards: boolean, context: TransformContext): WasmFunction {
  const [VALUES, END, HALF, TWIDDLES, STRIDE, BLOCK_END, TWIDDLE, HIGH] = [0, 1, 2, 3, 4, 5, 6, 7];
  const scratch = i32.const(context.scratch);
  const butterfly = inwards
    ? [
        ...call(context.subtractLazily, get(VALUES), get(HIGH), scratch),
        ...call(context.add, get(VALUES), get(HIGH), get(VALUES)),
        ...call(context.multiply, scratch, get(TWIDDLE), get(HIGH)),
      ]
    : [
        ...call(context.multiply, get(HIGH), get(TWIDDLE), scratch),
        ...call(context.subtract, get(VALUES), scratch, get(HIGH)),
        ...call(context.add, get(VALUES), scratch, get(VALUES)),
      ];
  const body = loopWhile(i32.sub(get(END), get(VALUES)), [
    ...set(BLOCK_END, i32.add(get(VALUES), get(HALF))),
    ...set(TWIDDLE, get(TWIDDLES)),
    ...loopWhile(i32.sub(get(BLOCK_END), get(VALUES)), [
      ...set(HIGH, i32.add(get(VALUES), get(HALF))),
      ...butterfly,
      ...step(VALUES, element),
      ...step(TWIDDLE, get(STRIDE)),
    ]),
    ...step(VALUES, get(HALF)),
  ]);
  return { name, params: i32s(5), locals: i32s(3), body };
}

/** (a, b, out, count): calls a function of three elements for each position of three vectors; strides in bytes. */
export function emitEach(name: string, target: number, strides: readonly [number, number, number]): WasmFunction {
  const [A, B, OUT, COUNT] = [0, 1, 2, 3];
  const body = loopWhile(get(COUNT), [
    ...call(target, get(A), get(B), get(OUT)),
    ...step(A, i32.const(strides[0])),
    ...step(B, i32.const(strides[1])),
    ...step(OUT, i32.const(strides[2])),
    ...step(COUNT, i32.const(-1)),
  ]);
  return { name, params: i32s(4), locals: [], body };
}
