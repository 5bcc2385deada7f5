// Whether points of a key are what they claim: coordinates below the field's order, on the curve, of the group's prime order.
import { randomBytes } from 'node:crypto';
import { FIELD_ORDER } from '../../protocol/consent/policy.ts';
import { BASE_FIELD_ORDER } from './base-field.ts';
import { type Bn254, G1_BYTES, G2_BYTES } from './bn254.ts';
import type { PointKernel } from './kernel/kernel.ts';
import { loadBases } from './multi-exponentiation.ts';
import { readScalar, SCALAR_BYTES, scalarBytes } from './scalar-bytes.ts';

/** @param points affine, in Montgomery form; all zeros is infinity, which is one */
export function invalidPoint(bn254: Bn254, name: 'g1m' | 'g2m', points: readonly Uint8Array[]): string | undefined {
  const { affine } = name === 'g1m' ? G1_BYTES : G2_BYTES;
  const start = bn254.mark();
  const place = bn254.alloc(affine);
  try {
    for (const list of points) {
      for (let at = 0; at < list.byteLength; at += affine) {
        const point = list.subarray(at, at + affine);
        bn254.write(place, point);
        const holds = isZero(point) || (isReduced(point) && bn254.fn[`${name}_inCurveAffine`](place) === 1);
        if (!holds) return `a point of ${name === 'g1m' ? 'G1' : 'G2'} is none of the curve`;
      }
    }
  } finally {
    bn254.release(start);
  }
  return undefined;
}

const isZero = (point: Uint8Array): boolean => point.every((byte) => byte === 0);

/** A coordinate beyond the order would be a second name of the same point. */
function isReduced(point: Uint8Array): boolean {
  const view = new DataView(point.buffer, point.byteOffset, point.byteLength);
  for (let at = 0; at < point.byteLength; at += SCALAR_BYTES) {
    if (readScalar(view, at) >= BASE_FIELD_ORDER) return false;
  }
  return true;
}

/**
 * The curve of G2 has more points than G2: its cofactor's smallest prime is 10,069. A random combination with weights of 16 bits
 * misses a stray point with probability 2^-13, so many of them with 2^-130. (G1 is its whole curve.)
 */
const COMBINATIONS = 10;
const WEIGHT_BYTES = 2;

export function outsideSubgroup(bn254: Bn254, kernels: PointKernel, points: Uint8Array): string | undefined {
  const start = bn254.mark();
  const bases = loadBases(bn254, kernels, 'g2m', points);
  const [sum, multiple] = [bn254.alloc(G2_BYTES.jacobian), bn254.alloc(G2_BYTES.jacobian)];
  const [affine, order] = [bn254.alloc(G2_BYTES.affine), bn254.alloc(SCALAR_BYTES)];
  bn254.write(order, scalarBytes(FIELD_ORDER));
  try {
    for (let left = COMBINATIONS; left > 0; left--) {
      bases.multiply(weights(points.byteLength / G2_BYTES.affine), sum);
      bn254.fn.g2m_timesScalar(sum, order, SCALAR_BYTES, multiple);
      bn254.fn.g2m_toAffine(multiple, affine);
      if (!isZero(bn254.read(affine, G2_BYTES.affine))) return 'a point lies outside the subgroup G2';
    }
  } finally {
    bn254.release(start);
  }
  return undefined;
}

function weights(count: number): Uint8Array {
  const [random, out] = [randomBytes(count * WEIGHT_BYTES), new Uint8Array(count * SCALAR_BYTES)];
  for (let i = 0; i < count; i++) out.set(random.subarray(i * WEIGHT_BYTES, (i + 1) * WEIGHT_BYTES), i * SCALAR_BYTES);
  return out;
}
