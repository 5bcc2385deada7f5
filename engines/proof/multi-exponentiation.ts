// Σ scalar·point over the fixed points of a proving key: Pippenger's buckets on affine points, in the kernel's arithmetic.
import { type Bn254, G1_BYTES, G2_BYTES } from './bn254.ts';
import type { GroupKernel, PointKernel } from './kernel/kernel.ts';
import { exportPoint } from './kernel/limbs.ts';
import { sumGroups } from './multi-sum.ts';
import { SCALAR_BYTES } from './scalar-bytes.ts';
import { type Digits, signedDigits } from './signed-digits.ts';

export interface Bases {
  /** Writes Σ scalars[i]·points[i] to `out`, a Jacobian point of ffjavascript's. Scalars: 32 little-endian bytes each. */
  multiply(scalars: Uint8Array, out: number): void;
}

/** Points in kernel form and, for each, the number it stands for: 2^weight. */
interface WeightedPoints {
  readonly points: number;
  readonly weights: readonly number[];
}

/** `points`: affine, as a zkey holds them; all zeros is the point at infinity. Converted once, kept for every proof. */
export function loadBases(bn254: Bn254, kernels: PointKernel, name: 'g1m' | 'g2m', points: Uint8Array): Bases {
  const kernel = name === 'g1m' ? kernels.g1 : kernels.g2;
  const { affine } = name === 'g1m' ? G1_BYTES : G2_BYTES;
  const count = points.byteLength / affine;
  const bases = bn254.alloc(count * kernel.pointBytes);
  const afterBases = bn254.mark();
  const copy = bn254.alloc(points.byteLength);
  bn254.write(copy, points);
  kernels.importPoints(kernel, copy, count, bases);
  bn254.release(afterBases);
  const finite = Array.from({ length: count }, (_, i) =>
    points.subarray(i * affine, (i + 1) * affine).some((byte) => byte !== 0),
  );

  /** For keys in which two points of one sum are equal or opposite: affine formulas cannot add those. */
  const multiplySlowly = (scalars: Uint8Array, out: number): void => {
    const start = bn254.mark();
    const given = bn254.alloc(points.byteLength);
    const factors = bn254.alloc(scalars.byteLength);
    bn254.write(given, points);
    bn254.write(factors, scalars);
    bn254.fn[`${name}_multiexpAffine`](given, factors, SCALAR_BYTES, count, out);
    bn254.release(start);
  };

  return {
    multiply(scalars, out) {
      const start = bn254.mark();
      const { ones, others } = sortScalars(scalars, finite);
      const buckets = fillBuckets(bn254, kernel, bases, signedDigits(scalars, others));
      const weighted = buckets && sumByWeight(bn254, kernel, buckets);
      const plain = sumPlainly(bn254, kernel, bases, ones);
      if (weighted && plain) addUp(bn254, name, kernel, [weighted, plain], out);
      else multiplySlowly(scalars, out);
      bn254.release(start);
    },
  };
}

/** Two thirds of a witness are bits: 0 costs nothing and 1 a single addition. Points at infinity never count. */
function sortScalars(scalars: Uint8Array, finite: readonly boolean[]): { ones: Int32Array; others: Int32Array } {
  const ones: number[] = [];
  const others: number[] = [];
  const words = new Uint32Array(scalars.buffer, scalars.byteOffset, scalars.byteLength / 4);
  for (const [index, counts] of finite.entries()) {
    if (!counts) continue;
    let rest = 0;
    for (let word = 1; word < 8; word++) rest |= words[8 * index + word] ?? 0;
    const low = words[8 * index] ?? 0;
    if (rest !== 0 || low > 1) others.push(index);
    else if (low === 1) ones.push(index);
  }
  return { ones: Int32Array.from(ones), others: Int32Array.from(others) };
}

/** Points in kernel form with, for each, its bucket: digit and window. */
interface Buckets {
  readonly points: number;
  readonly windowBits: number;
  readonly filled: readonly { readonly digit: number; readonly window: number }[];
}

/** For each window and each digit d, the sum of the points whose digit is ±d. Nothing when sumGroups cannot add. */
function fillBuckets(bn254: Bn254, kernel: GroupKernel, bases: number, digits: Digits): Buckets | undefined {
  const { windowBits, windows, indexes } = digits;
  const perWindow = 1 << (windowBits - 1);
  const buckets = bn254.alloc(windows * perWindow * kernel.pointBytes);
  const start = bn254.mark();
  const work = allocateWork(bn254, kernel, indexes.length);
  const filled: { digit: number; window: number }[] = [];
  for (let window = 0; window < windows; window++) {
    const row = digits.digits.subarray(window * indexes.length, (window + 1) * indexes.length);
    const sizes = new Int32Array(perWindow + 1);
    for (const digit of row) sizes[Math.abs(digit)] = (sizes[Math.abs(digit)] ?? 0) + 1;
    sizes[0] = 0;
    const next = startsOf(sizes);
    const entries = new Int32Array(bn254.memory.buffer, work.entries);
    for (let i = 0; i < row.length; i++) {
      const digit = row[i] ?? 0;
      if (digit === 0) continue;
      const size = Math.abs(digit);
      const at = next[size] ?? 0;
      next[size] = at + 1;
      entries[at] = ((indexes[i] ?? 0) << 1) | (digit < 0 ? 1 : 0);
    }
    kernel.gather(work.entries, next[perWindow] ?? 0, bases, work.points);
    const sums = sumGroups(bn254, kernel, sizes, work.points, work.spare);
    if (sums === undefined) return undefined;
    const before = filled.length;
    for (const [digit, size] of sizes.entries()) if (size > 0) filled.push({ digit, window });
    const added = bn254.view(sums, (filled.length - before) * kernel.pointBytes);
    bn254.write(buckets + before * kernel.pointBytes, added);
  }
  bn254.release(start);
  return { points: buckets, windowBits, filled };
}

/** Bucket d of window w counts d·2^(w·windowBits): it joins the sum of weight w·windowBits + b for every bit b of d. */
function sumByWeight(bn254: Bn254, kernel: GroupKernel, buckets: Buckets): WeightedPoints | undefined {
  const { filled, windowBits } = buckets;
  const lists: number[][] = [];
  for (const [index, { digit, window }] of filled.entries()) {
    for (let bit = 0; digit >> bit !== 0; bit++) {
      if (((digit >> bit) & 1) === 0) continue;
      const weight = window * windowBits + bit;
      lists[weight] ??= [];
      lists[weight].push(index << 1);
    }
  }
  const entries = lists.flat();
  const work = allocateWork(bn254, kernel, entries.length);
  new Int32Array(bn254.memory.buffer, work.entries).set(entries);
  kernel.gather(work.entries, entries.length, buckets.points, work.points);
  const sizes = Int32Array.from(lists, (list) => list?.length ?? 0);
  const points = sumGroups(bn254, kernel, sizes, work.points, work.spare);
  if (points === undefined) return undefined;
  return { points, weights: [...sizes.keys()].filter((weight) => sizes[weight] !== 0) };
}

/** The sum of the points named, as one point of weight 0. */
function sumPlainly(bn254: Bn254, kernel: GroupKernel, bases: number, indexes: Int32Array): WeightedPoints | undefined {
  const work = allocateWork(bn254, kernel, indexes.length);
  new Int32Array(bn254.memory.buffer, work.entries).set(indexes.map((index) => index << 1));
  kernel.gather(work.entries, indexes.length, bases, work.points);
  const points = sumGroups(bn254, kernel, Int32Array.of(indexes.length), work.points, work.spare);
  if (points === undefined) return undefined;
  return { points, weights: indexes.length > 0 ? [0] : [] };
}

/** Σ 2^weight·point, from the highest weight down. */
function addUp(
  bn254: Bn254,
  name: 'g1m' | 'g2m',
  kernel: GroupKernel,
  parts: readonly WeightedPoints[],
  out: number,
): void {
  const byWeight = new Map<number, number[]>();
  for (const { points, weights } of parts) {
    for (const [i, weight] of weights.entries()) {
      byWeight.set(weight, [...(byWeight.get(weight) ?? []), points + i * kernel.pointBytes]);
    }
  }
  const affine = bn254.alloc((name === 'g1m' ? G1_BYTES : G2_BYTES).affine);
  bn254.fn[`${name}_zero`](out);
  for (let weight = Math.max(0, ...byWeight.keys()); weight >= 0; weight--) {
    bn254.fn[`${name}_double`](out, out);
    for (const point of byWeight.get(weight) ?? []) {
      exportPoint(new DataView(bn254.memory.buffer), point, kernel.elements, affine);
      bn254.fn[`${name}_addMixed`](out, affine, out);
    }
  }
}

function allocateWork(
  bn254: Bn254,
  kernel: GroupKernel,
  count: number,
): { entries: number; points: number; spare: number } {
  return {
    entries: bn254.alloc(4 * count),
    points: bn254.alloc(count * kernel.pointBytes),
    spare: bn254.alloc(count * kernel.pointBytes),
  };
}

function startsOf(sizes: Int32Array): Int32Array {
  const starts = new Int32Array(sizes.length);
  let at = 0;
  for (const [group, size] of sizes.entries()) {
    starts[group] = at;
    at += size;
  }
  return starts;
}
