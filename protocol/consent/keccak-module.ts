// Writes the WebAssembly of keccak.ts, byte by byte: Keccak-f[1600], and the tree above sorted leaves (FIPS 202 §3.2, §3.3).

type Code = readonly number[];

/** Addresses in the module's memory. The state is one 136-byte block, then the capacity. */
export const MEMORY = { state: 0, blockBytes: 136, stateBytes: 200, roundConstants: 256, nodes: 512 } as const;

/** Unsigned LEB128. */
function unsigned(value: number): Code {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

/** Signed LEB128. */
function signed(value: bigint): Code {
  const low = Number(value & 127n);
  const rest = value >> 7n;
  const done = (rest === 0n && low < 64) || (rest === -1n && low >= 64);
  return done ? [low] : [low | 128, ...signed(rest)];
}

const get = (local: number): Code => [0x20, ...unsigned(local)];
const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
const operator =
  (opcode: number) =>
  (...operands: readonly Code[]): Code => [...operands.flat(), opcode];
const i32 = {
  const: (value: number): Code => [0x41, ...signed(BigInt(value))],
  add: operator(0x6a),
  sub: operator(0x6b),
  geS: operator(0x4e),
  ltU: operator(0x49),
  shl: operator(0x74),
};
const i64 = {
  const: (value: bigint): Code => [0x42, ...signed(value)],
  eqz: operator(0x50),
  gtU: operator(0x56),
  ctz: operator(0x7a),
  and: operator(0x83),
  or: operator(0x84),
  xor: operator(0x85),
  shrU: operator(0x88),
  rotl: operator(0x89),
  load: (address: Code, offset = 0): Code => [...address, 0x29, 3, ...unsigned(offset)],
  store: (address: Code, offset: number, value: Code): Code => [...address, ...value, 0x37, 3, ...unsigned(offset)],
};
const NO_RESULT = 0x40;
const block = (...body: readonly Code[]): Code => [0x02, NO_RESULT, ...body.flat(), 0x0b];
const loop = (...body: readonly Code[]): Code => [0x03, NO_RESULT, ...body.flat(), 0x0b];
const when = (condition: Code, ...then: readonly Code[]): Code => [...condition, 0x04, NO_RESULT, ...then.flat(), 0x0b];
const branch = (depth: number): Code => [0x0c, depth];
const branchIf = (depth: number, condition: Code): Code => [...condition, 0x0d, depth];

const range = (count: number): number[] => [...Array(count).keys()];
const LANES = range(25);
const ROUNDS = 24;

/** Rotations of ρ, by lane x + 5y, walked as in FIPS 202 §3.2.2. */
function rotations(): number[] {
  const offsets = LANES.map(() => 0);
  let [x, y] = [1, 0];
  for (const t of range(24)) {
    offsets[x + 5 * y] = (((t + 1) * (t + 2)) / 2) % 64;
    [x, y] = [y, (2 * x + 3 * y) % 5];
  }
  return offsets;
}

/** Constants of ι, from the shift register of FIPS 202 §3.2.5. */
export function roundConstants(): bigint[] {
  let register = 1;
  return range(ROUNDS).map(() => {
    let constant = 0n;
    for (const j of range(7)) {
      if (register & 1) constant |= 1n << BigInt(2 ** j - 1);
      register = (register << 1) ^ ((register >> 7) * 0x171);
    }
    return constant;
  });
}

/** Locals: 25 lanes, 25 of the next state, 5 column sums, one word, and the address of the round's constant. */
function permutation(): { readonly locals: Code; readonly body: Code } {
  const [a, b, c] = [(i: number) => i % 25, (i: number) => 25 + i, (x: number) => 50 + (x % 5)];
  const [word, constant] = [55, 56];
  const state = i32.const(MEMORY.state);
  const offsets = rotations();
  const rotate = (value: Code, by: number): Code => (by === 0 ? value : i64.rotl(value, i64.const(BigInt(by))));
  const theta = [
    ...range(5).map((x) =>
      set(
        c(x),
        range(4).reduce((sum, y) => i64.xor(sum, get(a(x + 5 * y + 5))), get(a(x))),
      ),
    ),
    ...range(5).flatMap((x) => [
      set(word, i64.xor(get(c(x + 4)), rotate(get(c(x + 1)), 1))),
      ...range(5).map((y) => set(a(x + 5 * y), i64.xor(get(a(x + 5 * y)), get(word)))),
    ]),
  ];
  const rhoAndPi = LANES.map((i) => {
    const [x, y] = [i % 5, Math.floor(i / 5)];
    return set(b(y + 5 * ((2 * x + 3 * y) % 5)), rotate(get(a(i)), offsets[i] ?? 0));
  });
  const chi = LANES.map((i) => {
    const row = i - (i % 5);
    const [first, second, third] = range(3).map((k) => get(b(row + ((i + k) % 5))));
    // ~p & q, written without a "not"
    return set(a(i), i64.xor(first ?? [], i64.xor(i64.or(second ?? [], third ?? []), second ?? [])));
  });
  const iota = set(a(0), i64.xor(get(a(0)), i64.load(get(constant))));
  const next = set(constant, i32.add(get(constant), i32.const(8)));
  const more = i32.ltU(get(constant), i32.const(MEMORY.roundConstants + 8 * ROUNDS));
  const body = [
    ...LANES.map((i) => set(a(i), i64.load(state, 8 * i))),
    set(constant, i32.const(MEMORY.roundConstants)),
    loop(...theta, ...rhoAndPi, ...chi, iota, next, branchIf(0, more)),
    ...LANES.map((i) => i64.store(state, 8 * i, get(a(i)))),
  ];
  return { locals: [2, 56, 0x7e, 1, 0x7f], body: body.flat() };
}

/**
 * tree(i): node i and every one before it, down to the root, from the nodes after it; node j lies 32·j into `nodes`, its
 * children at 2j+1 and 2j+2. The smaller child is hashed first, in the order of their bytes.
 */
function tree(permute: number): { readonly locals: Code; readonly body: Code } {
  const [index, parent, smaller, larger, k] = [0, 1, 2, 3, 4];
  const [x, y, shift] = [5, 6, 7];
  const state = i32.const(MEMORY.state);
  const swap = [...get(smaller), ...set(smaller, get(larger)), 0x21, larger];
  // words are little-endian: the first byte that differs is the lowest one
  const firstDifference = set(shift, i64.and(i64.ctz(i64.xor(get(x), get(y))), i64.const(0x38n)));
  const byteOf = (value: number) => i64.and(i64.shrU(get(value), get(shift)), i64.const(0xffn));
  const order = block(
    set(k, i32.const(0)),
    loop(
      set(x, i64.load(i32.add(get(smaller), get(k)))),
      set(y, i64.load(i32.add(get(larger), get(k)))),
      when(
        i64.eqz(i64.xor(get(x), get(y))),
        set(k, i32.add(get(k), i32.const(8))),
        branchIf(1, i32.ltU(get(k), i32.const(32))),
        branch(2),
      ),
      firstDifference,
      when(i64.gtU(byteOf(x), byteOf(y)), swap),
    ),
  );
  const absorb = range(25).map((lane) => {
    const from = lane < 4 ? smaller : larger;
    const value = lane < 8 ? i64.load(get(from), 8 * (lane % 4)) : i64.const(PADDING_OF_64[lane] ?? 0n);
    return i64.store(state, 8 * lane, value);
  });
  const squeeze = range(4).map((lane) => i64.store(get(parent), 8 * lane, i64.load(state, 8 * lane)));
  const body = loop(
    when(
      i32.geS(get(index), i32.const(0)),
      set(parent, i32.add(i32.shl(get(index), i32.const(5)), i32.const(MEMORY.nodes))),
      set(smaller, i32.add(i32.shl(get(index), i32.const(6)), i32.const(MEMORY.nodes + 32))),
      set(larger, i32.add(get(smaller), i32.const(32))),
      order,
      ...absorb,
      [0x10, permute],
      ...squeeze,
      set(index, i32.sub(get(index), i32.const(1))),
      branch(1),
    ),
  );
  return { locals: [2, 4, 0x7f, 3, 0x7e], body };
}

/** Keccak's pad10*1 after 64 bytes of a 136-byte block, by lane. */
const PADDING_OF_64: Readonly<Record<number, bigint>> = { 8: 1n, 16: -(1n << 63n) };

const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
const text = (value: string): Code => vector([...value].map((letter) => [letter.charCodeAt(0)]));

/** Exports `memory` (one page, can grow), `permute()` and `tree(index)`. */
export function keccakModule(): Uint8Array {
  const functions = [permutation(), tree(0)];
  const bodies = functions.map(({ locals, body }) => {
    const code = [...locals, ...body, 0x0b];
    return [...unsigned(code.length), ...code];
  });
  const names: Code[] = [
    [...text('memory'), 0x02, 0],
    [...text('permute'), 0x00, 0],
    [...text('tree'), 0x00, 1],
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector([[0x60, 0, 0], [0x60, 1, 0x7f, 0]])), // biome-ignore format: two types
    ...section(3, vector([[0], [1]])),
    ...section(5, vector([[0x00, 1]])),
    ...section(7, vector(names)),
    ...section(10, vector(bodies)),
  ]);
}
