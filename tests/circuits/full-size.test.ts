// The circuit as it is shipped: its size, its public signals, and a proof with every slot used.
import { expect, test } from 'vitest';
import { verifyProof } from '../../auditor/proof/verify.ts';
import { preparePolicyCircuit } from '../../engines/proof/artifacts.ts';
import { policyClaimInput } from '../../engines/proof/claim.ts';
import { createProver } from '../../engines/proof/prove.ts';
import { EVIDENCE } from '../../protocol/consent/policy.ts';
import { CONSENT } from '../../protocol/params.ts';
import { BOUNDS, policy } from './claims.ts';
import { CACHE_DIR } from './small-circuit.ts';

test('sixteen policies in one proof', async () => {
  const artifacts = await preparePolicyCircuit({ cacheDir: CACHE_DIR });
  // circuits/README.md states it; 2^14 rows hold it, with one row a public signal and one for the constant.
  expect(artifacts.constraints).toBe(10_941);
  expect(artifacts.verificationKey.nPublic).toBe(23);

  const policies = Array.from({ length: CONSENT.policiesPerProof }, (_, i) => ({
    policy: policy({ expiry: 1_900_000_000 + i }),
    salt: BigInt(i),
  }));
  const requirement = { required: 0b1111n, minEvidence: EVIDENCE.passkey };
  const prover = createProver({ artifacts });
  try {
    const proof = await prover.prove(policyClaimInput({ context: 3n, requirement, bounds: BOUNDS, policies }));
    expect(proof.publicSignals).toHaveLength(23);
    expect(verifyProof(artifacts.verificationKey, proof)).toBe(true);
  } finally {
    await prover.stop();
  }
  const one = { policy: policy(), salt: 1n };
  const tooMany = { context: 3n, requirement, bounds: BOUNDS, policies: [...policies, one] };
  expect(() => policyClaimInput(tooMany)).toThrow(expect.objectContaining({ code: 'PROOF_UNSATISFIABLE' }));
});
