// A Groth16 setup by one operator: constraint system in, proving key out, in seconds and without a powers-of-tau file.
import { createHash, randomBytes } from 'node:crypto';
import { FIELD_ORDER } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Bn254 } from './bn254.ts';
import { inverse, power, reduce } from './field.ts';
import { createFixedBase } from './fixed-base.ts';
import { domainBitsOf, evaluateQap, lagrangeBasis } from './qap.ts';
import { type R1cs, readR1cs } from './r1cs.ts';
import { encodeZkey } from './zkey-writer.ts';

/** The toxic waste: whoever knows these numbers can prove anything. */
interface Trapdoor {
  readonly tau: bigint;
  readonly alpha: bigint;
  readonly beta: bigint;
  readonly delta: bigint;
}

const TRAPDOOR_NAMES = ['tau', 'alpha', 'beta', 'delta'] as const;

/**
 * Samples a trapdoor, computes every point of the proving key (Groth 2016, figure in section 3.2; gamma = 1, as snarkjs
 * has it) and returns a snarkjs-readable zkey.
 *
 * Only for the embedded chain. Whoever runs this *could* keep the trapdoor and forge proofs, and nobody can check that he
 * did not; on a chain with more than one party the key must come from a ceremony with at least one honest contributor
 * (`concordat ceremony`). The seed bytes are overwritten after use; JavaScript's bigints cannot be, so the caller runs this
 * in a process of its own that ends right after (artifacts-child.ts).
 *
 * @param seed only for tests: makes the trapdoor known to everyone who reads the test
 */
export function singleOperatorSetup(bn254: Bn254, r1csFile: Uint8Array, seed?: Uint8Array): Uint8Array {
  const r1cs = readR1cs(r1csFile);
  const trapdoor = sampleTrapdoor(r1cs, seed);
  const { tau, alpha, beta, delta } = trapdoor;
  const deltaInverse = inverse(delta);
  const { domainBits, a, b, c } = evaluateQap(r1cs, tau);

  const shared = a.map((value, wire) => reduce(beta * value + alpha * (b[wire] ?? 0n) + (c[wire] ?? 0n)));
  const firstPrivate = r1cs.publicSignals + 1;
  const perPrivate = shared.slice(firstPrivate).map((value) => (value * deltaInverse) % FIELD_ORDER);
  // snarkjs takes the quotient's values on the odd half of the doubled domain, so H is that half of its Lagrange basis.
  const quotient = lagrangeBasis(domainBits + 1, tau)
    .filter((_, i) => i % 2 === 1)
    .map((value) => (value * deltaInverse) % FIELD_ORDER);

  const g1 = createFixedBase(bn254, 'g1m', 12);
  const g2 = createFixedBase(bn254, 'g2m', 9);
  return encodeZkey(bn254, r1cs, r1csFile, {
    domainSize: 1 << domainBits,
    alpha1: g1.multiples([alpha]),
    beta1: g1.multiples([beta]),
    delta1: g1.multiples([delta]),
    beta2: g2.multiples([beta]),
    gamma2: g2.multiples([1n]),
    delta2: g2.multiples([delta]),
    ic: g1.multiples(shared.slice(0, firstPrivate)),
    a: g1.multiples(a),
    b1: g1.multiples(b),
    b2: g2.multiples(b),
    c: g1.multiples(perPrivate),
    h: g1.multiples(quotient),
  });
}

function sampleTrapdoor(r1cs: R1cs, seed: Uint8Array | undefined): Trapdoor {
  const secret = seed === undefined ? randomBytes(64) : Buffer.from(seed);
  const scalars = TRAPDOOR_NAMES.map((name) => {
    const digest = createHash('sha512').update(secret).update(name).digest();
    const scalar = BigInt(`0x${digest.toString('hex')}`) % FIELD_ORDER;
    digest.fill(0);
    return scalar;
  });
  secret.fill(0);
  const [tau = 0n, alpha = 0n, beta = 0n, delta = 0n] = scalars;
  // 0, a root of unity as tau or delta = gamma = 1 have probability 2^-240; a broken random source does not.
  const degenerate = power(tau, 1n << BigInt(domainBitsOf(r1cs) + 1)) === 1n || delta === 1n;
  if (degenerate || scalars.includes(0n)) {
    throw new ConcordatError('VERIFICATION_KEY_UNSAFE', 'the random source gave a degenerate trapdoor');
  }
  return { tau, alpha, beta, delta };
}
