// The BN254 kernel: ffjavascript's WebAssembly field and curve functions in an instance and a memory of our own.
import { type WasmMemory, webAssembly } from './webassembly.ts';

export const G1_BYTES = { affine: 64, jacobian: 96 } as const;
export const G2_BYTES = { affine: 128, jacobian: 192 } as const;

/** What we use of it. Every argument is a pointer or a count; points and field elements are in Montgomery form unless said otherwise. */
interface Group<Name extends 'g1m' | 'g2m'> {
  fns: { [F in keyof GroupFunctions as `${Name}_${F}`]: GroupFunctions[F] };
}
interface GroupFunctions {
  zero(out: number): void;
  add(a: number, b: number, out: number): void;
  addMixed(a: number, affine: number, out: number): void;
  /** Of two affine points; a Jacobian one comes out. */
  subAffine(a: number, b: number, out: number): void;
  /** 1 or 0; infinity is on it. */
  inCurveAffine(affine: number): number;
  double(a: number, out: number): void;
  toAffine(a: number, out: number): void;
  toMontgomeryAffine(affine: number, out: number): void;
  fromMontgomeryAffine(affine: number, out: number): void;
  batchToAffine(jacobian: number, count: number, out: number): void;
  /** Plain big-endian coordinates, parts of Fp² in the order imaginary, real: what snarkjs hashes. */
  batchLEMtoU(affine: number, count: number, out: number): void;
  /** All points at once, of any kind: slower than multi-exponentiation.ts, but complete. */
  multiexpAffine(points: number, scalars: number, scalarBytes: number, count: number, out: number): void;
  /** `scalar` is a plain little-endian number of `scalarBytes` bytes. */
  timesScalarAffine(affine: number, scalar: number, scalarBytes: number, out: number): void;
  timesScalar(jacobian: number, scalar: number, scalarBytes: number, out: number): void;
}
interface FieldFunctions {
  frm_batchToMontgomery(values: number, count: number, out: number): void;
  /** Rows of A·w, B·w and their product from sparse coefficients (zkey section 4). */
  qap_buildABC(
    coefficients: number,
    coefficientCount: number,
    witness: number,
    a: number,
    b: number,
    c: number,
    firstRow: number,
    rows: number,
    firstWitness: number,
    witnessCount: number,
  ): void;
}
type Bn254Functions = FieldFunctions & Group<'g1m'>['fns'] & Group<'g2m'>['fns'];

/** A memory with a stack allocator: `alloc` moves a mark up, `release(mark)` gives back all that came after it. */
export interface Bn254 {
  readonly memory: WasmMemory;
  readonly fn: Bn254Functions;
  alloc(bytes: number): number;
  mark(): number;
  release(mark: number): void;
  write(pointer: number, bytes: Uint8Array): void;
  /** A copy. */
  read(pointer: number, bytes: number): Uint8Array;
  /** A view; invalid after the next `alloc`. */
  view(pointer: number, bytes: number): Uint8Array;
}

const PAGE_BYTES = 65536;
const INITIAL_PAGES = 25;

/** `code`: of assemble-bn254.ts. */
export async function loadBn254(code: Uint8Array): Promise<Bn254> {
  const memory = new webAssembly.Memory({ initial: INITIAL_PAGES });
  const { instance } = await webAssembly.instantiate(code, { env: { memory } });
  // The module keeps its first free address in word 0 and takes scratch space from there itself.
  const free = (): Uint32Array => new Uint32Array(memory.buffer, 0, 1);
  const mark = (): number => free()[0] ?? 0;
  const release = (pointer: number): void => {
    free()[0] = pointer;
  };
  return {
    memory,
    fn: instance.exports as Bn254Functions,
    mark,
    release,
    alloc(bytes) {
      const pointer = (mark() + 7) & ~7;
      const missing = pointer + bytes + SCRATCH_BYTES - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
      release(pointer + bytes);
      return pointer;
    },
    write: (pointer, bytes) => new Uint8Array(memory.buffer).set(bytes, pointer),
    read: (pointer, bytes) => new Uint8Array(memory.buffer).slice(pointer, pointer + bytes),
    view: (pointer, bytes) => new Uint8Array(memory.buffer, pointer, bytes),
  };
}

/** What the module's own functions may take beyond our last allocation (batchToAffine, multi-exponentiation tables). */
const SCRATCH_BYTES = 8 * 1024 * 1024;
