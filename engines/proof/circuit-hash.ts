// The hash of a circuit in a key of snarkjs', which every contribution's own transcript begins with: blake2b over all points.
import { createHash } from 'node:crypto';
import { type Bn254, G1_BYTES, G2_BYTES } from './bn254.ts';
import type { Ptau } from './ceremony-ptau.ts';
import type { ProvingPoints } from './zkey.ts';

/** snarkjs reads the powers in pieces of this many. */
const CHUNK = 1 << 14;

/** @param points of a key that nobody has contributed to */
export async function circuitHash(bn254: Bn254, ptau: Ptau, points: ProvingPoints): Promise<Uint8Array> {
  const hash = createHash('blake2b512');
  const add = (name: 'g1m' | 'g2m', affine: Uint8Array): void => void hash.update(plainPoints(bn254, name, affine));
  const addCounted = (name: 'g1m' | 'g2m', affine: Uint8Array): void => {
    hash.update(bigEndian(affine.byteLength / (name === 'g1m' ? G1_BYTES : G2_BYTES).affine));
    add(name, affine);
  };
  add('g1m', points.alpha1);
  add('g1m', points.beta1);
  add('g2m', points.beta2);
  add('g2m', points.gamma2);
  add('g1m', points.delta1);
  add('g2m', points.delta2);
  addCounted('g1m', points.ic);
  hash.update(bigEndian(points.domainSize - 1));
  for (let from = 0; from < points.domainSize - 1; from += CHUNK) {
    const count = Math.min(points.domainSize - 1, CHUNK);
    add('g1m', await differences(bn254, ptau, from, points.domainSize, count));
  }
  addCounted('g1m', points.c);
  addCounted('g1m', points.a);
  addCounted('g1m', points.b1);
  addCounted('g2m', points.b2);
  return hash.digest();
}

/** (tau^(i + size) - tau^i)·G1, for `count` i from `from` on. */
async function differences(bn254: Bn254, ptau: Ptau, from: number, size: number, count: number): Promise<Uint8Array> {
  const { affine, jacobian } = G1_BYTES;
  const [later, earlier] = [
    await ptau.read(2, (from + size) * affine, count * affine),
    await ptau.read(2, from * affine, count * affine),
  ];
  const start = bn254.mark();
  const [a, b, out] = [bn254.alloc(count * affine), bn254.alloc(count * affine), bn254.alloc(count * jacobian)];
  bn254.write(a, later);
  bn254.write(b, earlier);
  for (let i = 0; i < count; i++) bn254.fn.g1m_subAffine(a + i * affine, b + i * affine, out + i * jacobian);
  bn254.fn.g1m_batchToAffine(out, count, a);
  const found = bn254.read(a, count * affine);
  bn254.release(start);
  return found;
}

/** snarkjs' "uncompressed": big-endian coordinates out of Montgomery form, the G2 ones as (imaginary, real). */
export function plainPoints(bn254: Bn254, name: 'g1m' | 'g2m', affine: Uint8Array): Uint8Array {
  const start = bn254.mark();
  const [from, to] = [bn254.alloc(affine.byteLength), bn254.alloc(affine.byteLength)];
  bn254.write(from, affine);
  bn254.fn[`${name}_batchLEMtoU`](from, affine.byteLength / (name === 'g1m' ? G1_BYTES : G2_BYTES).affine, to);
  const found = bn254.read(to, affine.byteLength);
  bn254.release(start);
  return found;
}

function bigEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
