// The point kernel against ffjavascript's and against plain bigints: random points, edge scalars, and points that collide.
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { assembleBn254 } from '../../engines/proof/assemble-bn254.ts';
import { BASE_FIELD_ORDER } from '../../engines/proof/base-field.ts';
import { type Bn254, G1_BYTES, G2_BYTES, loadBn254 } from '../../engines/proof/bn254.ts';
import { createFixedBase, type FixedBase } from '../../engines/proof/fixed-base.ts';
import { loadPointKernel, type PointKernel } from '../../engines/proof/kernel/kernel.ts';
import { exportPoint } from '../../engines/proof/kernel/limbs.ts';
import { createTransform, vectorBytes } from '../../engines/proof/kernel/transform.ts';
import { modPower } from '../../engines/proof/modular.ts';
import { loadBases } from '../../engines/proof/multi-exponentiation.ts';
import { readScalar, SCALAR_BYTES, scalarBytes, writeScalar } from '../../engines/proof/scalar-bytes.ts';
import { signedDigits } from '../../engines/proof/signed-digits.ts';
import { FIELD_ORDER } from '../../protocol/consent/policy.ts';

const GROUPS = ['g1m', 'g2m'] as const;
type GroupName = (typeof GROUPS)[number];
const sizeOf = (name: GroupName) => (name === 'g1m' ? G1_BYTES : G2_BYTES);

let bn254: Bn254;
let kernels: PointKernel;
const generator = new Map<GroupName, FixedBase>();
beforeAll(async () => {
  bn254 = await loadBn254(await assembleBn254());
  kernels = await loadPointKernel(bn254);
  for (const name of GROUPS) generator.set(name, createFixedBase(bn254, name, 6));
});

const randomScalar = (): bigint => BigInt(`0x${randomBytes(40).toString('hex')}`) % FIELD_ORDER;

/** Points of known logarithm, so that a product is known too. */
function points(name: GroupName, logarithms: readonly bigint[]): Uint8Array {
  const found = generator.get(name)?.multiples(logarithms.map((x) => ((x % FIELD_ORDER) + FIELD_ORDER) % FIELD_ORDER));
  if (!found) throw new Error(name);
  return found;
}

const packed = (scalars: readonly bigint[]): Uint8Array => {
  const out = new Uint8Array(scalars.length * SCALAR_BYTES);
  for (const [i, scalar] of scalars.entries()) out.set(scalarBytes(scalar), i * SCALAR_BYTES);
  return out;
};

/** The kernel's product, as an affine point in file form. */
function product(name: GroupName, logarithms: readonly bigint[], scalars: readonly bigint[]): Uint8Array {
  const start = bn254.mark();
  const bases = loadBases(bn254, kernels, name, points(name, logarithms));
  const out = bn254.alloc(sizeOf(name).jacobian);
  const affine = bn254.alloc(sizeOf(name).affine);
  bases.multiply(packed(scalars), out);
  bn254.fn[`${name}_toAffine`](out, affine);
  const found = bn254.read(affine, sizeOf(name).affine);
  bn254.release(start);
  return found;
}

const expected = (name: GroupName, logarithms: readonly bigint[], scalars: readonly bigint[]): Uint8Array =>
  points(name, [logarithms.reduce((sum, x, i) => sum + x * (scalars[i] ?? 0n), 0n)]);

describe.each(GROUPS)('%s', (name) => {
  test.each([1, 2, 3, 17, 300])('Σ scalar·point over %d random points', (count) => {
    const logarithms = Array.from({ length: count }, randomScalar);
    const scalars = Array.from({ length: count }, randomScalar);
    expect(product(name, logarithms, scalars)).toEqual(expected(name, logarithms, scalars));
  });

  test('scalars at every edge: 0, 1, 2, powers of two and their neighbours, r - 1, points at infinity', () => {
    const powers = Array.from({ length: 253 }, (_, i) => 1n << BigInt(i)).flatMap((x) => [x - 1n, x, x + 1n]);
    const scalars = [0n, 1n, 2n, FIELD_ORDER - 1n, FIELD_ORDER - 2n, ...powers];
    const logarithms = scalars.map((_, i) => (i % 7 === 3 ? 0n : randomScalar()));
    expect(product(name, logarithms, scalars)).toEqual(expected(name, logarithms, scalars));
  });

  test('mostly bits, as in a witness', () => {
    const scalars = Array.from({ length: 400 }, (_, i) => (i % 9 === 0 ? randomScalar() : BigInt(i & 1)));
    const logarithms = scalars.map(randomScalar);
    expect(product(name, logarithms, scalars)).toEqual(expected(name, logarithms, scalars));
  });

  test('equal and opposite points in one sum, which affine formulas cannot add', () => {
    const x = randomScalar();
    for (const other of [x, FIELD_ORDER - x]) {
      for (const scalar of [1n, 5n, randomScalar()]) {
        const scalars = [scalar, scalar, 3n];
        expect(product(name, [x, other, 9n], scalars)).toEqual(expected(name, [x, other, 9n], scalars));
      }
    }
  });

  test('nothing at all', () => {
    expect(product(name, [5n, 6n], [0n, 0n])).toEqual(new Uint8Array(sizeOf(name).affine));
  });
});

test('a coordinate goes into the kernel’s form and back unchanged, at the ends of the field too', () => {
  const start = bn254.mark();
  const [file, inside, back] = [bn254.alloc(64), bn254.alloc(kernels.g1.pointBytes), bn254.alloc(64)];
  const values = [0n, 1n, BASE_FIELD_ORDER - 1n, 1n << 253n, (1n << 29n) - 1n, 1n << 232n];
  for (const x of values) {
    const view = new DataView(bn254.memory.buffer);
    writeScalar(view, file, x);
    writeScalar(view, file + SCALAR_BYTES, BASE_FIELD_ORDER - 1n - x > 0n ? BASE_FIELD_ORDER - 1n - x : 0n);
    kernels.importPoints(kernels.g1, file, 1, inside);
    exportPoint(view, inside, 1, back);
    expect(bn254.read(back, 64)).toEqual(bn254.read(file, 64));
  }
  bn254.release(start);
});

test('a transform moves values to the coset, and closes to A·B - C, as polynomials by hand do', async () => {
  const start = bn254.mark();
  const size = 16;
  const root = modPower(5n, (FIELD_ORDER - 1n) / BigInt(size), FIELD_ORDER);
  const shift = modPower(5n, (FIELD_ORDER - 1n) / BigInt(2 * size), FIELD_ORDER);
  const evaluate = (coefficients: readonly bigint[], x: bigint): bigint =>
    coefficients.reduceRight((sum, coefficient) => (sum * x + coefficient) % FIELD_ORDER, 0n);
  const on = (coefficients: readonly bigint[], offset: bigint): bigint[] =>
    Array.from({ length: size }, (_, i) => evaluate(coefficients, (offset * root ** BigInt(i)) % FIELD_ORDER));

  const transform = await createTransform(bn254, FIELD_ORDER, size, 5n);
  const polynomials = [0, 1, 2].map(() => [
    0n,
    1n,
    FIELD_ORDER - 1n,
    ...Array.from({ length: size - 3 }, randomScalar),
  ]);
  const places = polynomials.map((coefficients) => {
    const plain = bn254.alloc(size * SCALAR_BYTES);
    bn254.write(plain, packed(on(coefficients, 1n).map((value) => (value << 256n) % FIELD_ORDER)));
    const values = bn254.alloc(vectorBytes(size));
    transform.load(plain, values);
    transform.toCoset(values);
    return values;
  });
  const [a = 0, b = 0, c = 0] = places;
  const out = bn254.alloc(size * SCALAR_BYTES);
  transform.close(a, b, c, out);
  const view = new DataView(bn254.memory.buffer);
  const found = Array.from({ length: size }, (_, i) => readScalar(view, out + i * SCALAR_BYTES) % FIELD_ORDER);
  const [onA = [], onB = [], onC = []] = polynomials.map((coefficients) => on(coefficients, shift));
  expect(found).toEqual(onA.map((x, i) => (x * (onB[i] ?? 0n) + FIELD_ORDER - (onC[i] ?? 0n)) % FIELD_ORDER));
  bn254.release(start);
});

test('signed digits add up to their scalars, and stay within half the base', () => {
  for (const count of [1, 50, 5_000]) {
    const scalars = [FIELD_ORDER - 1n, 2n, (1n << 253n) + 1n, ...Array.from({ length: count }, randomScalar)];
    const indexes = Int32Array.from(scalars.keys());
    const { windowBits, windows, digits } = signedDigits(packed(scalars), indexes);
    const base = 1n << BigInt(windowBits);
    for (const [i, scalar] of scalars.slice(0, 60).entries()) {
      let sum = 0n;
      for (let window = windows - 1; window >= 0; window--) {
        const digit = digits[window * scalars.length + i] ?? 0;
        expect(Math.abs(digit)).toBeLessThanOrEqual(2 ** (windowBits - 1));
        sum = sum * base + BigInt(digit);
      }
      expect(sum).toBe(scalar);
    }
  }
});
