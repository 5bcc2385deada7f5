// Points of BN254 from untrusted numbers: in range, finite, on the curve, in the subgroup. Browser-safe.
import { bn254 } from '@noble/curves/bn254.js';

export type G1Point = InstanceType<typeof bn254.G1.Point>;
export type G2Point = InstanceType<typeof bn254.G2.Point>;

const { Fp, Fp2 } = bn254.fields;
const isCoordinate = (value: bigint | undefined): value is bigint =>
  value !== undefined && value >= 0n && value < Fp.ORDER;

/** (x, y) of a finite point, or nothing. G1 is the whole curve (cofactor 1). */
export function readG1([x, y]: readonly bigint[]): G1Point | undefined {
  if (!isCoordinate(x) || !isCoordinate(y) || (x === 0n && y === 0n)) return undefined;
  return valid(bn254.G1.Point.fromAffine({ x, y }));
}

/** ([real, imaginary], [real, imaginary]) of a finite point of the subgroup, or nothing. */
export function readG2([x, y]: readonly (readonly bigint[])[]): G2Point | undefined {
  const [x0, x1] = x ?? [];
  const [y0, y1] = y ?? [];
  if (!isCoordinate(x0) || !isCoordinate(x1) || !isCoordinate(y0) || !isCoordinate(y1)) return undefined;
  if (x0 === 0n && x1 === 0n && y0 === 0n && y1 === 0n) return undefined;
  const affine = { x: Fp2.fromBigTuple([x0, x1]), y: Fp2.fromBigTuple([y0, y1]) };
  const point = valid(bn254.G2.Point.fromAffine(affine));
  // The twist has a large cofactor. By definition rather than by endomorphism: (r - 1)·P = -P.
  const order = bn254.fields.Fr.ORDER;
  return point?.multiplyUnsafe(order - 1n).equals(point.negate()) ? point : undefined;
}

function valid<P extends { assertValidity(): void }>(point: P): P | undefined {
  try {
    point.assertValidity();
    return point;
  } catch {
    return undefined;
  }
}
