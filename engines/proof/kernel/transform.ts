// Transforms over the scalar field for the quotient: values on the domain to values on its coset, and their closing.
import type { Bn254 } from '../bn254.ts';
import { modInverse, modPower } from '../modular.ts';
import { SCALAR_BYTES } from '../scalar-bytes.ts';
import { createFieldEmitter, emitPack, emitUnpack } from './field-functions.ts';
import { instantiate, type KernelFunction } from './instantiate.ts';
import { ELEMENT_BYTES, FROM_FILE_BITS, MONTGOMERY_BITS, writeElement } from './limbs.ts';
import { emitEach, emitStage, transformSums } from './transform-functions.ts';

export interface Transform {
  /** Reads `size` values as ffjavascript holds them (32-byte Montgomery) into kernel form at `out`. */
  load(values: number, out: number): void;
  /** In place: a polynomial's values on the 2^k-th roots of unity to its values on the odd half of the doubled domain. */
  toCoset(values: number): void;
  /** a·b - c, as plain 32-byte scalars (at most the order) at `out`; `a` is overwritten. */
  close(a: number, b: number, c: number, out: number): void;
}

export const vectorBytes = (size: number): number => size * ELEMENT_BYTES;

/** `size`: a power of two. `generator`: a quadratic non-residue; its powers are the roots. */
export async function createTransform(
  bn254: Bn254,
  order: bigint,
  size: number,
  generator: bigint,
): Promise<Transform> {
  const scratch = bn254.alloc(ELEMENT_BYTES);
  const field = createFieldEmitter(order);
  const context = { multiply: 0, add: 1, subtract: 2, subtractLazily: 3, scratch };
  const vector = [ELEMENT_BYTES, ELEMENT_BYTES, ELEMENT_BYTES] as const;
  const find = await instantiate(bn254, [
    field.multiply('multiply'),
    ...transformSums(field),
    emitUnpack('unpack'),
    emitPack('pack'),
    emitEach('multiplyEach', 0, vector),
    emitEach('scaleEach', 0, [ELEMENT_BYTES, 0, ELEMENT_BYTES]),
    emitEach('subtractEach', 3, vector),
    emitEach('unpackEach', 4, [SCALAR_BYTES, 0, ELEMENT_BYTES]),
    emitEach('packEach', 5, [ELEMENT_BYTES, 0, SCALAR_BYTES]),
    emitStage('inwards', true, context),
    emitStage('outwards', false, context),
  ]);
  const each = (name: string): KernelFunction => find(`${name}Each`);
  const [multiplyEach, scaleEach, subtractEach] = [each('multiply'), each('scale'), each('subtract')];
  const [unpackEach, packEach, inwards, outwards] = [each('unpack'), each('pack'), find('inwards'), find('outwards')];
  const multiply = find('multiply');

  const element = (value: bigint): number => {
    const at = bn254.alloc(ELEMENT_BYTES);
    writeElement(new DataView(bn254.memory.buffer), at, value % order);
    return at;
  };
  const montgomery = (value: bigint): number => element(value << BigInt(MONTGOMERY_BITS));
  const powers = (start: bigint, base: bigint, count: number): number => {
    const table = bn254.alloc(count * ELEMENT_BYTES);
    const factor = montgomery(base);
    bn254.write(table, bn254.read(montgomery(start), ELEMENT_BYTES));
    for (let i = 1; i < count; i++) multiply(table + (i - 1) * ELEMENT_BYTES, factor, table + i * ELEMENT_BYTES);
    return table;
  };
  const root = modPower(generator, (order - 1n) / BigInt(size), order);
  const shift = modPower(generator, (order - 1n) / BigInt(2 * size), order);
  const inverse = (value: bigint): bigint => modInverse(value, order) ?? 0n;
  const roots = powers(1n, root, size / 2);
  const inverseRoots = powers(1n, inverse(root), size / 2);
  // Coefficient i times shift^i moves a polynomial to the coset; 1/size ends the inverse transform.
  const shifts = bitReversed(bn254, powers(inverse(BigInt(size)), shift, size), size);
  const [fromFile, one] = [element(1n << FROM_FILE_BITS), element(1n)];

  return {
    load(values, out) {
      unpackEach(values, 0, out, size);
      scaleEach(out, fromFile, out, size);
    },
    toCoset(values) {
      const end = values + vectorBytes(size);
      const stage = (run: KernelFunction, half: number, table: number): void =>
        run(values, end, vectorBytes(half), table, vectorBytes(size / (2 * half)));
      // Inwards leaves bit-reversed order, outwards starts from it: no permutation in between.
      for (let half = size / 2; half >= 1; half /= 2) stage(inwards, half, inverseRoots);
      multiplyEach(values, shifts, values, size);
      for (let half = 1; half < size; half *= 2) stage(outwards, half, roots);
    },
    close(a, b, c, out) {
      multiplyEach(a, b, a, size);
      subtractEach(a, c, a, size);
      scaleEach(a, one, a, size); // a product with a plain 1 takes the Montgomery factor off
      packEach(a, 0, out, size);
    },
  };
}

/** A copy of a table in bit-reversed order. */
function bitReversed(bn254: Bn254, table: number, size: number): number {
  const out = bn254.alloc(vectorBytes(size));
  const memory = new Uint8Array(bn254.memory.buffer);
  for (let i = 0, reversed = 0; i < size; i++) {
    memory.copyWithin(out + vectorBytes(reversed), table + vectorBytes(i), table + vectorBytes(i + 1));
    // Adds one from the top bit down.
    let bit = size >> 1;
    while (reversed & bit) {
      reversed ^= bit;
      bit >>= 1;
    }
    reversed |= bit;
  }
  return out;
}
