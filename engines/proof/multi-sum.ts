// Sums of many groups of affine points at once: a tree of additions that shares one inversion a level.
import { BASE_FIELD_ORDER } from './base-field.ts';
import type { Bn254 } from './bn254.ts';
import type { GroupKernel } from './kernel/kernel.ts';
import { ELEMENT_BYTES, MONTGOMERY_BITS, readElement, writeElement } from './kernel/limbs.ts';
import { modInverse } from './modular.ts';

/**
 * `points`: the groups' members, group after group, `sizes[g]` each; overwritten. Leaves the sum of every non-empty group, in
 * order, at the returned address (`points` or `spare`, which must be as large).
 *
 * An affine addition costs an inversion, and a batch of n inversions costs 3n multiplications and one inversion
 * (Montgomery's trick): 6 multiplications an addition, where Jacobian coordinates take 11.
 * @returns nothing when two points with the same x met, which the formulas cannot add
 */
export function sumGroups(
  bn254: Bn254,
  kernel: GroupKernel,
  sizes: Int32Array,
  points: number,
  spare: number,
): number | undefined {
  const { pointBytes, elements } = kernel;
  let total = 0;
  for (const size of sizes) total += size;
  const start = bn254.mark();
  const products = bn254.alloc((total >> 1) * elements * ELEMENT_BYTES);
  const pairs = bn254.alloc((total >> 1) * 8);
  const moves = bn254.alloc(sizes.length * 8);
  const product = bn254.alloc(elements * ELEMENT_BYTES);
  const [pairList, moveList] = [new Int32Array(bn254.memory.buffer, pairs), new Int32Array(bn254.memory.buffer, moves)];
  const left = sizes.slice();
  let [from, to] = [points, spare];
  for (;;) {
    const { pairCount, moveCount } = planLevel(left, pointBytes, pairList, moveList);
    if (pairCount === 0) break;
    writeOne(bn254, product, elements);
    kernel.chain(pairs, pairCount, from, products, product);
    if (!invert(bn254, product, elements)) {
      bn254.release(start);
      return undefined;
    }
    kernel.join(pairs, pairCount, from, products, product, to);
    kernel.move(moves, moveCount, from, to);
    [from, to] = [to, from];
  }
  bn254.release(start);
  return from;
}

/** Pairs neighbours within each group, moves the odd one, and halves `left`. Offsets in bytes. */
function planLevel(
  left: Int32Array,
  pointBytes: number,
  pairs: Int32Array,
  moves: Int32Array,
): { pairCount: number; moveCount: number } {
  let [pairCount, moveCount, input, output] = [0, 0, 0, 0];
  for (let group = 0; group < left.length; group++) {
    const size = left[group] ?? 0;
    for (let i = 0; i + 1 < size; i += 2) {
      pairs[2 * pairCount] = input;
      pairs[2 * pairCount + 1] = output;
      pairCount++;
      input += 2 * pointBytes;
      output += pointBytes;
    }
    if (size & 1) {
      moves[2 * moveCount] = input;
      moves[2 * moveCount + 1] = output;
      moveCount++;
      input += pointBytes;
      output += pointBytes;
    }
    left[group] = (size + 1) >> 1;
  }
  return { pairCount, moveCount };
}

const R = (1n << BigInt(MONTGOMERY_BITS)) % BASE_FIELD_ORDER;
const R_SQUARED = (R * R) % BASE_FIELD_ORDER;

function writeOne({ memory }: Bn254, at: number, elements: 1 | 2): void {
  const view = new DataView(memory.buffer);
  writeElement(view, at, R);
  if (elements === 2) writeElement(view, at + ELEMENT_BYTES, 0n);
}

/** In place; false for 0. */
function invert({ memory }: Bn254, at: number, elements: 1 | 2): boolean {
  const view = new DataView(memory.buffer);
  const real = readElement(view, at);
  const imaginary = elements === 2 ? readElement(view, at + ELEMENT_BYTES) : 0n;
  // 1/(a + b·u) = (a - b·u)/(a² + b²). The parts carry R, so the norm carries R²: times R² the quotient carries R again.
  const inverseNorm = modInverse(real * real + imaginary * imaginary, BASE_FIELD_ORDER);
  if (inverseNorm === undefined) return false;
  const scale = (inverseNorm * R_SQUARED) % BASE_FIELD_ORDER;
  writeElement(view, at, (real * scale) % BASE_FIELD_ORDER);
  if (elements === 2)
    writeElement(view, at + ELEMENT_BYTES, ((BASE_FIELD_ORDER - imaginary) * scale) % BASE_FIELD_ORDER);
  return true;
}
