// The point-addition kernel: assembled, loaded beside ffjavascript's in the same memory, and typed.
import { BASE_FIELD_ORDER } from '../base-field.ts';
import type { Bn254 } from '../bn254.ts';
import { webAssembly } from '../webassembly.ts';
import { emitChain, emitGather, emitJoin, emitMove, type FieldContext } from './curve-functions.ts';
import {
  emitImport,
  emitMultiply,
  emitMultiply2,
  emitNegate,
  emitSquare2,
  emitSubtract,
  emitSubtractBoth,
  emitSubtractReduced,
} from './field-functions.ts';
import { ELEMENT_BYTES, MONTGOMERY_BITS, writeElement } from './limbs.ts';
import { encodeModule, type WasmFunction } from './wasm-encoder.ts';

/** One of the two groups. All arguments are addresses or counts. */
export interface GroupKernel {
  /** 1: coordinates in Fp; 2: in Fp². */
  readonly elements: 1 | 2;
  readonly pointBytes: number;
  readonly chain: (pairs: number, count: number, points: number, products: number, product: number) => void;
  readonly join: (pairs: number, count: number, points: number, products: number, inverse: number, out: number) => void;
  readonly gather: (entries: number, count: number, points: number, out: number) => void;
  readonly move: (moves: number, count: number, points: number, out: number) => void;
}

export interface PointKernel {
  readonly g1: GroupKernel;
  readonly g2: GroupKernel;
  /** Copies `count` affine points as zkey files hold them (32-byte Montgomery coordinates) to kernel form at `out`. */
  importPoints(group: GroupKernel, points: number, count: number, out: number): void;
}

type Exports = Readonly<Record<string, (...addresses: number[]) => void>>;

const SCRATCH_ELEMENTS = 16;

export async function loadPointKernel(bn254: Bn254): Promise<PointKernel> {
  const scratch = bn254.alloc(SCRATCH_ELEMENTS * ELEMENT_BYTES);
  const factor = bn254.alloc(ELEMENT_BYTES);
  // Files hold x·2^256; the kernel's multiplication divides by 2^261 and its form is x·2^261.
  const toKernelForm = (1n << BigInt(2 * MONTGOMERY_BITS - 256)) % BASE_FIELD_ORDER;
  writeElement(new DataView(bn254.memory.buffer), factor, toKernelForm);

  const { instance } = await webAssembly.instantiate(encodeModule(pointFunctions(scratch)), {
    env: { memory: bn254.memory },
  });
  const exports = instance.exports as Exports;
  const find = (name: string): ((...addresses: number[]) => void) => {
    const found = exports[name];
    if (found === undefined) throw new RangeError(`the kernel has no ${name}`);
    return found;
  };
  const group = (prefix: 'g1' | 'g2', elements: 1 | 2): GroupKernel => ({
    elements,
    pointBytes: 2 * elements * ELEMENT_BYTES,
    chain: find(`${prefix}_chain`),
    join: find(`${prefix}_join`),
    gather: find(`${prefix}_gather`),
    move: find(`${prefix}_move`),
  });
  const importElement = find('fp_import');
  return {
    g1: group('g1', 1),
    g2: group('g2', 2),
    importPoints({ elements }, points, count, out) {
      for (let i = 0; i < 2 * elements * count; i++) importElement(points + 32 * i, factor, out + ELEMENT_BYTES * i);
    },
  };
}

/** Calls go by position: the order of this list is the numbering. */
function pointFunctions(scratch: number): WasmFunction[] {
  const fp2 = { multiply: 0, scratch };
  const free = scratch + 4 * ELEMENT_BYTES;
  const g1: FieldContext = {
    ...{ elements: 1, multiply: 0, square: 1, subtract: 2, subtractReduced: 3, subtractBoth: 4, negate: 5 },
    scratch: free,
  };
  const g2: FieldContext = {
    ...{ elements: 2, multiply: 6, square: 7, subtract: 8, subtractReduced: 9, subtractBoth: 10, negate: 11 },
    scratch: free,
  };
  return [
    emitMultiply('fp_multiply', false),
    emitMultiply('fp_square', true),
    emitSubtract('fp_subtract', 1),
    emitSubtractReduced('fp_subtractReduced', 1),
    emitSubtractBoth('fp_subtractBoth', 1),
    emitNegate('fp_negate', 1),
    emitMultiply2('fp2_multiply', fp2),
    emitSquare2('fp2_square', fp2),
    emitSubtract('fp2_subtract', 2),
    emitSubtractReduced('fp2_subtractReduced', 2),
    emitSubtractBoth('fp2_subtractBoth', 2),
    emitNegate('fp2_negate', 2),
    emitImport('fp_import', 0),
    emitChain('g1_chain', g1),
    emitJoin('g1_join', g1),
    emitGather('g1_gather', g1),
    emitMove('g1_move', 1),
    emitChain('g2_chain', g2),
    emitJoin('g2_join', g2),
    emitGather('g2_gather', g2),
    emitMove('g2_move', 2),
  ];
}
