// An independent Groth16 verifier on @noble/curves, for the auditor: shares no code with snarkjs. Browser-safe.
import { bn254 } from '@noble/curves/bn254.js';
import { readG1, readG2 } from '../../protocol/proof/points.ts';
import {
  checkVerificationKey,
  type VerificationKey,
  type VerificationPoints,
} from '../../protocol/proof/verification-key.ts';
import type { ClaimCall } from '../history.ts';

/**
 * e(A, B) = e(alpha, beta) · e(IC(publics), gamma) · e(C, delta)   (Groth 2016).
 *
 * False also for a public signal that is not below the field's order (adding r would otherwise be a second name of the
 * same statement), a wrong number of them, and points that are infinite, off the curve or outside the subgroup.
 * A proof is malleable, (-A, -B, C) verifies as well: never use its bytes as an identifier.
 * @throws ConcordatError VERIFICATION_KEY_UNSAFE
 */
export function verifyProof(key: VerificationKey, proof: ClaimCall): boolean {
  const points = checkedPoints(key);
  const { publicSignals } = proof;
  const order = bn254.fields.Fr.ORDER;
  if (publicSignals.length !== key.nPublic) return false;
  if (publicSignals.some((signal) => signal < 0n || signal >= order)) return false;
  const a = readG1(proof.a);
  const b = readG2(proof.b.map(([imaginary, real]) => [real, imaginary]));
  const c = readG1(proof.c);
  if (!a || !b || !c) return false;
  const inputs = publicSignals.reduce((sum, signal, i) => {
    const point = points.ic[i + 1];
    return point === undefined || signal === 0n ? sum : sum.add(point.multiplyUnsafe(signal));
  }, points.ic[0] ?? bn254.G1.Point.ZERO);
  const pairs = [
    { g1: a.negate(), g2: b },
    { g1: points.alpha, g2: points.beta },
    { g1: inputs, g2: points.gamma },
    { g1: c, g2: points.delta },
  ].filter(({ g1 }) => !g1.is0());
  return bn254.fields.Fp12.eql(bn254.pairingBatch(pairs), bn254.fields.Fp12.ONE);
}

// An auditor checks hundreds of proofs under one key; its 24 points are checked once.
const checked = new WeakMap<VerificationKey, VerificationPoints>();

function checkedPoints(key: VerificationKey): VerificationPoints {
  const known = checked.get(key) ?? checkVerificationKey(key);
  checked.set(key, known);
  return known;
}
