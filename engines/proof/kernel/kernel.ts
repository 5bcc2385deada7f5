// The point-addition kernel: G1 over Fp and G2 over Fp², loaded beside ffjavascript's in the same memory.
import { BASE_FIELD_ORDER } from '../base-field.ts';
import type { Bn254 } from '../bn254.ts';
import { SCALAR_BYTES } from '../scalar-bytes.ts';
import { emitChain, emitGather, emitJoin, emitMove, type FieldContext } from './curve-functions.ts';
import { emitMultiply2, emitSquare2 } from './extension-functions.ts';
import { createFieldEmitter, emitUnpack, first, second, third } from './field-functions.ts';
import { instantiate } from './instantiate.ts';
import { ELEMENT_BYTES, FROM_FILE_BITS, writeElement } from './limbs.ts';
import { emitEach } from './transform-functions.ts';
import type { WasmFunction } from './wasm-encoder.ts';

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

const SCRATCH_ELEMENTS = 16;

export async function loadPointKernel(bn254: Bn254): Promise<PointKernel> {
  const scratch = bn254.alloc(SCRATCH_ELEMENTS * ELEMENT_BYTES);
  const fromFile = bn254.alloc(ELEMENT_BYTES);
  writeElement(new DataView(bn254.memory.buffer), fromFile, (1n << FROM_FILE_BITS) % BASE_FIELD_ORDER);
  const find = await instantiate(bn254, pointFunctions(scratch));
  const group = (prefix: 'g1' | 'g2', elements: 1 | 2): GroupKernel => ({
    elements,
    pointBytes: 2 * elements * ELEMENT_BYTES,
    chain: find(`${prefix}_chain`),
    join: find(`${prefix}_join`),
    gather: find(`${prefix}_gather`),
    move: find(`${prefix}_move`),
  });
  const [unpackEach, scaleEach] = [find('unpackEach'), find('fp_scaleEach')];
  return {
    g1: group('g1', 1),
    g2: group('g2', 2),
    importPoints({ elements }, points, count, out) {
      const coordinates = 2 * elements * count;
      unpackEach(points, 0, out, coordinates);
      scaleEach(out, fromFile, out, coordinates);
    },
  };
}

/** Calls go by position: the order of this list is the numbering. */
function pointFunctions(scratch: number): WasmFunction[] {
  const field = createFieldEmitter(BASE_FIELD_ORDER);
  const extension = { field, multiply: 0, scratch };
  const free = scratch + 4 * ELEMENT_BYTES;
  const g1: FieldContext = {
    ...{ elements: 1, multiply: 0, square: 1, subtract: 2, subtractReduced: 3, subtractBoth: 4, negate: 5 },
    scratch: free,
  };
  const g2: FieldContext = {
    ...{ elements: 2, multiply: 6, square: 7, subtract: 8, subtractReduced: 9, subtractBoth: 10, negate: 11 },
    scratch: free,
  };
  /** What curve-functions.ts asks of its differences: see FieldContext. */
  const differences = (prefix: 'fp' | 'fp2', elements: 1 | 2): WasmFunction[] => [
    field.sums(`${prefix}_subtract`, elements, (at) => ({
      terms: [first(at), second(at, -1)],
      multiple: 2n,
      reduced: false,
    })),
    field.sums(`${prefix}_subtractReduced`, elements, (at) => ({
      terms: [first(at), second(at, -1)],
      multiple: 2n,
      reduced: true,
    })),
    field.sums(`${prefix}_subtractBoth`, elements, (at) => ({
      terms: [third(at), first(at, -1), second(at, -1)],
      multiple: 4n,
      reduced: true,
    })),
    field.sums(`${prefix}_negate`, elements, (at) => ({ terms: [first(at, -1)], multiple: 2n, reduced: false })),
  ];
  return [
    field.multiply('fp_multiply'),
    field.square('fp_square'),
    ...differences('fp', 1),
    emitMultiply2('fp2_multiply', extension),
    emitSquare2('fp2_square', extension),
    ...differences('fp2', 2),
    emitUnpack('unpack'),
    emitEach('unpackEach', 12, [SCALAR_BYTES, 0, ELEMENT_BYTES]),
    emitEach('fp_scaleEach', 0, [ELEMENT_BYTES, 0, ELEMENT_BYTES]),
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
