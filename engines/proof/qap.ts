// The quadratic arithmetic program of a constraint system, evaluated at one point.
import { FIELD_ORDER } from '../../protocol/consent/policy.ts';
import { inverse, inverses, power, reduce, rootOfUnity } from './field.ts';
import type { R1cs } from './r1cs.ts';

export interface QapAtPoint {
  /** log2 of the evaluation domain. */
  readonly domainBits: number;
  /** One value a wire. */
  readonly a: bigint[];
  readonly b: bigint[];
  readonly c: bigint[];
}

/** Rows beyond the constraints: one a public signal and one for the constant, so that the A polynomials are independent. */
export function domainBitsOf(r1cs: R1cs): number {
  return 32 - Math.clz32(r1cs.constraints + r1cs.publicSignals);
}

/** Values at `tau` of the Lagrange basis over the 2^bits-th roots of unity. */
export function lagrangeBasis(bits: number, tau: bigint): bigint[] {
  const size = 1 << bits;
  const root = rootOfUnity(bits);
  const points = new Array<bigint>(size);
  let point = 1n;
  for (let i = 0; i < size; i++) {
    points[i] = point;
    point = (point * root) % FIELD_ORDER;
  }
  const scale = (reduce(power(tau, BigInt(size)) - 1n) * inverse(BigInt(size))) % FIELD_ORDER;
  const differences = inverses(points.map((x) => reduce(tau - x)));
  return points.map((x, i) => (((x * (differences[i] ?? 0n)) % FIELD_ORDER) * scale) % FIELD_ORDER);
}

export function evaluateQap(r1cs: R1cs, tau: bigint): QapAtPoint {
  const domainBits = domainBitsOf(r1cs);
  const basis = lagrangeBasis(domainBits, tau);
  const sides = [0, 1, 2].map(() => new Array<bigint>(r1cs.wires).fill(0n)) as [bigint[], bigint[], bigint[]];
  const add = (side: bigint[], wire: number, value: bigint): void => {
    side[wire] = ((side[wire] ?? 0n) + value) % FIELD_ORDER;
  };
  r1cs.forEach((constraint, side, wire, coefficient) => {
    add(sides[side], wire, coefficient * (basis[constraint] ?? 0n));
  });
  for (let wire = 0; wire <= r1cs.publicSignals; wire++) add(sides[0], wire, basis[r1cs.constraints + wire] ?? 0n);
  return { domainBits, a: sides[0], b: sides[1], c: sides[2] };
}
