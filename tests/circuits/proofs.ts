// One honest proof of the small circuit, and ways to bend it.

import { BASE_FIELD_ORDER } from '../../engines/proof/base-field.ts';
import type { PolicyProof } from '../../engines/proof/policy-proof.ts';
import { createProver } from '../../engines/proof/prove.ts';
import { FIELD_ORDER } from '../../protocol/consent/policy.ts';
import { policy, smallInput } from './claims.ts';
import { smallArtifacts } from './small-circuit.ts';

export async function honestProof() {
  const artifacts = await smallArtifacts();
  const prover = createProver({ artifacts });
  try {
    return { artifacts, proof: await prover.prove(smallInput([policy()])) };
  } finally {
    await prover.stop();
  }
}

/** (1, y) lies on the twist y² = x³ + 3/(9 + u), but not in the subgroup of order r. Imaginary parts first. */
export const OUTSIDE_SUBGROUP: PolicyProof['b'] = [
  [0n, 1n],
  [
    15975588672102553735566230729081043132501226101599136527557730645158523614371n,
    3610091866386166428467545612961983990332663701371483510632385378352395651980n,
  ],
];

const P = BASE_FIELD_ORDER;

/** Proofs of the same statement that must not verify. */
export function spoiled(proof: PolicyProof): Record<string, PolicyProof> {
  const { a, b, c, publicSignals } = proof;
  const negative = (y: bigint): bigint => P - y;
  const signals = (i: number, value: bigint): PolicyProof => ({
    ...proof,
    publicSignals: publicSignals.with(i, value),
  });
  const each = publicSignals.map(
    (signal, i) => [`public signal ${i} + 1`, signals(i, (signal + 1n) % FIELD_ORDER)] as const,
  );
  return {
    ...Object.fromEntries(each),
    'public signal 0 + r': signals(0, (publicSignals[0] ?? 0n) + FIELD_ORDER),
    'unused digest 0 + r': signals(publicSignals.length - 1, FIELD_ORDER),
    'a public signal too few': { ...proof, publicSignals: publicSignals.slice(0, -1) },
    'a public signal too many': { ...proof, publicSignals: [...publicSignals, 0n] },
    'A and C swapped': { ...proof, a: c, c: a },
    'A negated alone': { ...proof, a: [a[0], negative(a[1])] },
    'C negated alone': { ...proof, c: [c[0], negative(c[1])] },
    'A off the curve': { ...proof, a: [a[0], (a[1] + 1n) % P] },
    'C off the curve': { ...proof, c: [(c[0] + 1n) % P, c[1]] },
    'B off the curve': { ...proof, b: [b[0], [b[1][0], (b[1][1] + 1n) % P]] },
    'B with its parts swapped': {
      ...proof,
      b: [
        [b[0][1], b[0][0]],
        [b[1][1], b[1][0]],
      ],
    },
    'B outside the subgroup': { ...proof, b: OUTSIDE_SUBGROUP },
    'A at infinity': { ...proof, a: [0n, 0n] },
    'B at infinity': {
      ...proof,
      b: [
        [0n, 0n],
        [0n, 0n],
      ],
    },
    'C at infinity': { ...proof, c: [0n, 0n] },
    'A + p': { ...proof, a: [a[0] + P, a[1]] },
    'C + p': { ...proof, c: [c[0], c[1] + P] },
  };
}

/** The one bending that verifies: proofs are malleable, so their bytes are no identifier. */
export const malleated = ({ a, b, c, publicSignals }: PolicyProof): PolicyProof => ({
  a: [a[0], P - a[1]],
  b: [b[0], [(P - b[1][0]) % P, (P - b[1][1]) % P]],
  c,
  publicSignals,
});
