// Verifies policy proofs with snarkjs: the prover's own check. The auditor's is auditor/proof/verify.ts.
import { buildBn128 } from 'ffjavascript';
import { groth16 } from 'snarkjs';
import type { VerificationKey } from '../../protocol/proof/verification-key.ts';
import { BASE_FIELD_ORDER } from './base-field.ts';
import type { PolicyProof } from './policy-proof.ts';

/** False for a proof that does not verify, including a wrong number of public signals or one not below r. About 20 ms. */
export async function verifyPolicyProof(key: VerificationKey, proof: PolicyProof): Promise<boolean> {
  // snarkjs does not look at the number of signals: it would take a missing one for 0.
  if (proof.publicSignals.length !== key.nPublic) return false;
  // Nor whether coordinates are reduced: it takes x + p for x, which the contract does not.
  if ([proof.a, ...proof.b, proof.c].flat().some((coordinate) => coordinate >= BASE_FIELD_ORDER)) return false;
  await useOneThread();
  const [[bx1, bx0], [by1, by0]] = proof.b;
  const decimals = (values: readonly bigint[]): string[] => values.map(String);
  try {
    return await groth16.verify(key, decimals(proof.publicSignals), {
      pi_a: [...decimals(proof.a), '1'],
      pi_b: [decimals([bx0, bx1]), decimals([by0, by1]), ['1', '0']],
      pi_c: [...decimals(proof.c), '1'],
      protocol: key.protocol,
      curve: key.curve,
    });
  } catch {
    // ffjavascript throws on coordinates that are not field elements.
    return false;
  }
}

/**
 * snarkjs takes its curve from `globalThis.curve_bn128` when one is there, and otherwise starts a worker thread a core,
 * which keeps the process from ending. One verification is too small to share between threads.
 */
export async function useOneThread(): Promise<void> {
  const shared = globalThis as { curve_bn128?: unknown };
  shared.curve_bn128 ??= await buildBn128(true);
}
