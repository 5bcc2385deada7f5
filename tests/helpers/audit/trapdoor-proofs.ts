// Groth16 proofs of anything, by whoever knows the setup's trapdoor: real keys and real pairings, no circuit to compile.
import { bn254 } from '@noble/curves/bn254.js';
import type { PolicyProof } from '../../../engines/proof/policy-proof.ts';
import type { VerificationKey } from '../../../protocol/proof/verification-key.ts';

const { Fr } = bn254.fields;
const G1 = bn254.G1.Point.BASE;
const G2 = bn254.G2.Point.BASE;

export interface Trapdoor {
  readonly verificationKey: VerificationKey;
  prove(publicSignals: readonly bigint[]): PolicyProof;
}

/** @param delta equal to `gamma` makes the key of a setup without a phase-2 contribution */
export function trapdoorSetup(nPublic: number, { gamma = 7n, delta = 11n } = {}): Trapdoor {
  const [alpha, beta] = [3n, 5n];
  const ic = Array.from({ length: nPublic + 1 }, (_, i) => BigInt(13 + 2 * i));
  const verificationKey: VerificationKey = {
    protocol: 'groth16',
    curve: 'bn128',
    nPublic,
    vk_alpha_1: g1(alpha),
    vk_beta_2: g2(beta),
    vk_gamma_2: g2(gamma),
    vk_delta_2: g2(delta),
    IC: ic.map(g1),
  };
  return {
    verificationKey,
    // e(A,B) = e(alpha,beta)·e(IC,gamma)·e(C,delta): pick A and B, solve for C. A is the generator, (1, 2), which is what
    // the contract tests’ double of a verifier looks for: so these proofs also pass on chain
    prove(publicSignals) {
      const [a, b] = [1n, 19n];
      const inputs = publicSignals.reduce(
        (sum, signal, i) => Fr.add(sum, Fr.mul(signal, ic[i + 1] ?? 0n)),
        ic[0] ?? 0n,
      );
      const rest = Fr.sub(Fr.sub(Fr.mul(a, b), Fr.mul(alpha, beta)), Fr.mul(inputs, gamma));
      const point = G2.multiply(b).toAffine();
      return {
        a: affine1(a),
        b: [
          [point.x.c1, point.x.c0],
          [point.y.c1, point.y.c0],
        ],
        c: affine1(Fr.div(rest, delta)),
        publicSignals,
      };
    },
  };
}

function affine1(scalar: bigint): [bigint, bigint] {
  const { x, y } = G1.multiply(scalar).toAffine();
  return [x, y];
}

function g1(scalar: bigint): [string, string, '1'] {
  const [x, y] = affine1(scalar);
  return [String(x), String(y), '1'];
}

function g2(scalar: bigint): VerificationKey['vk_beta_2'] {
  const { x, y } = G2.multiply(scalar).toAffine();
  return [
    [String(x.c0), String(x.c1)],
    [String(y.c0), String(y.c1)],
    ['1', '0'],
  ];
}
