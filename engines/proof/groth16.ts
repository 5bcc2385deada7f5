// The Groth16 prover: a witness and a proving key in, three points out. Same proofs as snarkjs', several times faster.
import { type Bn254, G1_BYTES, G2_BYTES } from './bn254.ts';
import { loadPointKernel } from './kernel/kernel.ts';
import { loadBases } from './multi-exponentiation.ts';
import type { PolicyProof } from './policy-proof.ts';
import { createQuotientMaker } from './quotient.ts';
import { readScalar, SCALAR_BYTES, scalarBytes } from './scalar-bytes.ts';
import type { ProvingKey } from './zkey.ts';

export interface Groth16Prover {
  /**
   * `witness`: one plain scalar a wire. `r`, `s`: uniform below the order and used for this proof only: they are what hides the
   * witness. A witness that does not satisfy the circuit gives a proof that does not verify.
   */
  prove(witness: Uint8Array, r: bigint, s: bigint): PolicyProof;
}

/** Converts the key's points for the kernel (0.1 s); what comes after is per proof. */
export async function createGroth16Prover(bn254: Bn254, key: ProvingKey): Promise<Groth16Prover> {
  const kernels = await loadPointKernel(bn254);
  const quotients = await createQuotientMaker(bn254, key);
  const a = loadBases(bn254, kernels, 'g1m', key.a);
  const b1 = loadBases(bn254, kernels, 'g1m', key.b1);
  const b2 = loadBases(bn254, kernels, 'g2m', key.b2);
  // C and H end in the same sum, so they share their buckets.
  const ch = loadBases(bn254, kernels, 'g1m', concatenate(key.c, key.h));
  const { fn } = bn254;
  const place = (bytes: Uint8Array): number => {
    const pointer = bn254.alloc(bytes.byteLength);
    bn254.write(pointer, bytes);
    return pointer;
  };

  return {
    prove(witness, r, s) {
      const start = bn254.mark();
      const quotient = quotients.quotient(place(witness));
      const g1 = (): number => bn254.alloc(G1_BYTES.jacobian);
      const g2 = (): number => bn254.alloc(G2_BYTES.jacobian);
      const scalar = (value: bigint): number => place(scalarBytes(value));
      const [sumA, sumB1, sumC, sumB2, product1, product2] = [g1(), g1(), g1(), g2(), g1(), g2()];
      const [blindA, blindB, blindBoth] = [
        scalar(r),
        scalar(s),
        scalar((key.order - ((r * s) % key.order)) % key.order),
      ];

      // A = alpha + Σ w·A + r·delta
      a.multiply(witness, sumA);
      fn.g1m_addMixed(sumA, place(key.alpha1), sumA);
      fn.g1m_timesScalarAffine(place(key.delta1), blindA, SCALAR_BYTES, product1);
      fn.g1m_add(sumA, product1, sumA);
      // B = beta + Σ w·B + s·delta, in both groups
      b2.multiply(witness, sumB2);
      fn.g2m_addMixed(sumB2, place(key.beta2), sumB2);
      fn.g2m_timesScalarAffine(place(key.delta2), blindB, SCALAR_BYTES, product2);
      fn.g2m_add(sumB2, product2, sumB2);
      b1.multiply(witness, sumB1);
      fn.g1m_addMixed(sumB1, place(key.beta1), sumB1);
      fn.g1m_timesScalarAffine(place(key.delta1), blindB, SCALAR_BYTES, product1);
      fn.g1m_add(sumB1, product1, sumB1);
      // C = Σ w·C + Σ h·H + s·A + r·B - r·s·delta
      ch.multiply(concatenate(witness.subarray((key.publicSignals + 1) * SCALAR_BYTES), quotient), sumC);
      fn.g1m_timesScalar(sumA, blindB, SCALAR_BYTES, product1);
      fn.g1m_add(sumC, product1, sumC);
      fn.g1m_timesScalar(sumB1, blindA, SCALAR_BYTES, product1);
      fn.g1m_add(sumC, product1, sumC);
      fn.g1m_timesScalarAffine(place(key.delta1), blindBoth, SCALAR_BYTES, product1);
      fn.g1m_add(sumC, product1, sumC);

      const [ax = 0n, ay = 0n] = readAffine(bn254, 'g1m', sumA);
      const [bx0 = 0n, bx1 = 0n, by0 = 0n, by1 = 0n] = readAffine(bn254, 'g2m', sumB2);
      const [cx = 0n, cy = 0n] = readAffine(bn254, 'g1m', sumC);
      bn254.release(start);
      const view = new DataView(witness.buffer, witness.byteOffset, witness.byteLength);
      return {
        a: [ax, ay],
        b: [
          [bx1, bx0],
          [by1, by0],
        ],
        c: [cx, cy],
        publicSignals: Array.from({ length: key.publicSignals }, (_, i) => readScalar(view, (i + 1) * SCALAR_BYTES)),
      };
    },
  };
}

/** Coordinates of a Jacobian point, parts of Fp² in the order real, imaginary. */
function readAffine(bn254: Bn254, name: 'g1m' | 'g2m', jacobian: number): bigint[] {
  const bytes = (name === 'g1m' ? G1_BYTES : G2_BYTES).affine;
  const affine = bn254.alloc(bytes);
  bn254.fn[`${name}_toAffine`](jacobian, affine);
  bn254.fn[`${name}_fromMontgomeryAffine`](affine, affine);
  const view = new DataView(bn254.memory.buffer, affine, bytes);
  return Array.from({ length: bytes / SCALAR_BYTES }, (_, i) => readScalar(view, i * SCALAR_BYTES));
}

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.byteLength + b.byteLength);
  out.set(a);
  out.set(b, a.byteLength);
  return out;
}
