// Writes WebAssembly modules byte by byte: just the instructions our kernel needs (WebAssembly Core Specification 1.0, §5).

export type Code = readonly number[];
export const TYPE = { i32: 0x7f, i64: 0x7e } as const;
type ValueType = (typeof TYPE)[keyof typeof TYPE];

export interface WasmFunction {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

/** Unsigned LEB128. */
function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** Signed LEB128. */
function signed(value: bigint): Code {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

const binary =
  (opcode: number) =>
  (a: Code, b: Code): Code => [...a, ...b, opcode];

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const call = (index: number, ...args: readonly Code[]): Code => [...args.flat(), 0x10, ...unsigned(index)];

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(BigInt(value))],
  add: binary(0x6a),
  sub: binary(0x6b),
  mul: binary(0x6c),
  and: binary(0x71),
  shru: binary(0x76),
  load: (address: Code, offset = 0): Code => [...address, 0x28, 2, ...unsigned(offset)],
};

export const i64 = {
  const: (value: bigint): Code => [0x42, ...signed(value)],
  add: binary(0x7c),
  sub: binary(0x7d),
  mul: binary(0x7e),
  and: binary(0x83),
  or: binary(0x84),
  shl: (a: Code, bits: number): Code => [...a, ...i64.const(BigInt(bits)), 0x86],
  /** Arithmetic: a borrow stays negative. */
  shrs: (a: Code, bits: number): Code => [...a, ...i64.const(BigInt(bits)), 0x87],
  shru: (a: Code, bits: number): Code => [...a, ...i64.const(BigInt(bits)), 0x88],
  load: (address: Code, offset: number): Code => [...address, 0x29, 2, ...unsigned(offset)],
  load32u: (address: Code, offset: number): Code => [...address, 0x35, 2, ...unsigned(offset)],
  store: (address: Code, offset: number, value: Code): Code => [...address, ...value, 0x37, 2, ...unsigned(offset)],
  store32: (address: Code, offset: number, value: Code): Code => [...address, ...value, 0x3e, 2, ...unsigned(offset)],
};

const BLOCK_WITHOUT_RESULT = 0x40;

/** while (condition is not 0) body */
export const loopWhile = (condition: Code, body: Code): Code => [
  ...[0x02, BLOCK_WITHOUT_RESULT, 0x03, BLOCK_WITHOUT_RESULT],
  ...[...condition, 0x45, 0x0d, 1],
  ...[...body, 0x0c, 0, 0x0b, 0x0b],
];

export const ifThenElse = (condition: Code, then: Code, otherwise: Code): Code => [
  ...[...condition, 0x04, BLOCK_WITHOUT_RESULT, ...then, 0x05, ...otherwise, 0x0b],
];

const vector = (items: readonly Code[]): number[] => [...unsigned(items.length), ...items.flat()];
const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
const text = (value: string): Code => vector([...new TextEncoder().encode(value)].map((byte) => [byte]));

/** Functions call each other by their position in the list; all are exported; the memory is imported as env.memory. */
export function encodeModule(functions: readonly WasmFunction[]): Uint8Array {
  const types = functions.map(({ params }) => [0x60, ...vector(params.map((param) => [param])), 0]);
  const bodies = functions.map(({ locals, body }) => {
    const code = [...vector(locals.map((type) => [1, type])), ...body, 0x0b];
    return [...unsigned(code.length), ...code];
  });
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector(types)),
    ...section(2, vector([[...text('env'), ...text('memory'), 0x02, 0x00, 0x01]])),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...section(7, vector(functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]))),
    ...section(10, vector(bodies)),
  ]);
}
