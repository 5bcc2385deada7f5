// The sums of a ceremony's first key, checked all at once: each wire gets a random weight, and the weighted sum of the key's points
// must be the combination of the powers of tau that the constraints make of these weights.
import { randomBytes } from 'node:crypto';
import { FIELD_ORDER } from '../../protocol/consent/policy.ts';
import { type Bn254, G1_BYTES, G2_BYTES } from './bn254.ts';
import type { Ptau } from './ceremony-ptau.ts';
import type { PointKernel } from './kernel/kernel.ts';
import { loadBases } from './multi-exponentiation.ts';
import { domainBitsOf } from './qap.ts';
import type { R1cs } from './r1cs.ts';
import { SCALAR_BYTES, scalarBytes } from './scalar-bytes.ts';
import type { ProvingKey } from './zkey.ts';

/** Drawn when the key is there already: a wrong sum passes with probability 2^-128. */
const WEIGHT_BYTES = 16;

/** @returns which section's sums are wrong. All points must be valid, those of G2 in their subgroup. */
export async function wrongSum(
  bn254: Bn254,
  kernels: PointKernel,
  r1cs: R1cs,
  key: ProvingKey,
  ptau: Ptau,
): Promise<string | undefined> {
  const wires = Array.from({ length: r1cs.wires }, () => BigInt(`0x${randomBytes(WEIGHT_BYTES).toString('hex')}`));
  const [a, b, c] = weightRows(r1cs, wires);
  const size = 2 ** domainBitsOf(r1cs);
  const lagrange = (section: number, point: number): Promise<Uint8Array> =>
    ptau.read(section, (size - 1) * point, size * point);
  const tau1 = await lagrange(12, G1_BYTES.affine);
  const tau2 = await lagrange(13, G2_BYTES.affine);
  // beta·A + alpha·B + C
  const shared = [await lagrange(15, G1_BYTES.affine), await lagrange(14, G1_BYTES.affine), tau1];
  const sum = (name: 'g1m' | 'g2m', points: readonly Uint8Array[], scalars: readonly bigint[]): Buffer =>
    combination(bn254, kernels, name, Buffer.concat(points), scalars);
  const equations = [
    ['A', 'g1m', [key.a], [tau1], a],
    ['B in G1', 'g1m', [key.b1], [tau1], b],
    ['B in G2', 'g2m', [key.b2], [tau2], b],
    ['C', 'g1m', [key.ic, key.c], shared, [...a, ...b, ...c]],
  ] as const;
  for (const [what, group, points, powers, rows] of equations) {
    if (!sum(group, points, wires).equals(sum(group, powers, rows))) return `a sum of ${what} is wrong`;
  }
  return undefined;
}

/** Of each row of the domain, what the wires' weights come to on the three sides. */
function weightRows(r1cs: R1cs, wires: readonly bigint[]): [bigint[], bigint[], bigint[]] {
  const size = 2 ** domainBitsOf(r1cs);
  const sides = [0, 1, 2].map(() => new Array<bigint>(size).fill(0n)) as [bigint[], bigint[], bigint[]];
  r1cs.forEach((row, side, wire, coefficient) => {
    sides[side][row] = ((sides[side][row] ?? 0n) + coefficient * (wires[wire] ?? 0n)) % FIELD_ORDER;
  });
  for (let wire = 0; wire <= r1cs.publicSignals; wire++) sides[0][r1cs.constraints + wire] = wires[wire] ?? 0n;
  return sides;
}

/** As an affine point. */
function combination(
  bn254: Bn254,
  kernels: PointKernel,
  name: 'g1m' | 'g2m',
  points: Uint8Array,
  scalars: readonly bigint[],
): Buffer {
  const packed = new Uint8Array(scalars.length * SCALAR_BYTES);
  for (const [i, scalar] of scalars.entries()) packed.set(scalarBytes(scalar), i * SCALAR_BYTES);
  const { affine, jacobian } = name === 'g1m' ? G1_BYTES : G2_BYTES;
  const start = bn254.mark();
  const [sum, out] = [bn254.alloc(jacobian), bn254.alloc(affine)];
  loadBases(bn254, kernels, name, points).multiply(packed, sum);
  bn254.fn[`${name}_toAffine`](sum, out);
  const found = bn254.read(out, affine);
  bn254.release(start);
  return Buffer.from(found);
}
