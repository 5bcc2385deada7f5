// protocol/vectors/policy.json: policy.ts, the claim builder and the circuit agree with circomlib's hash on every case.
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { type PolicyClaim, policyClaimInput } from '../../engines/proof/claim.ts';
import { loadWitnessCalculator, type WitnessCalculator } from '../../engines/proof/witness.ts';
import {
  type EvidenceLevel,
  POLICY_DIGEST_TAG,
  packConditions,
  policyDigest,
  splitGrants,
} from '../../protocol/consent/policy.ts';
import file from '../../protocol/vectors/policy.json' with { type: 'json' };
import { buildPolicyVectors } from './policy-vectors-build.ts';
import { SMALL, smallArtifacts } from './small-circuit.ts';

let calculator: WitnessCalculator;
beforeAll(async () => {
  calculator = await loadWitnessCalculator(await readFile((await smallArtifacts()).wasmFile));
}, 120_000);

test('the file is what circomlib says today', async () => {
  expect(JSON.parse(JSON.stringify(await buildPolicyVectors()))).toEqual(file);
});

test('the tag is the law’s', () => expect(BigInt(file.tag)).toBe(POLICY_DIGEST_TAG));

test('the vectors deny for every reason there is', () => {
  const reasons = new Set(file.vectors.map((vector) => vector.reason).filter((reason) => reason !== undefined));
  expect([...reasons].sort()).toEqual(['accuracyFloor', 'evidence', 'expiry', 'grants', 'privacyCap']);
});

describe.each(file.vectors)('$name', (vector) => {
  const evidence = vector.conditions.evidence as EvidenceLevel;
  const policy = { grants: BigInt(vector.grants), conditions: { ...vector.conditions, evidence } };
  const salt = BigInt(vector.salt);
  const claim: PolicyClaim = {
    context: 1n,
    requirement: {
      required: BigInt(vector.requirement.required),
      minEvidence: vector.requirement.minEvidence as EvidenceLevel,
    },
    bounds: vector.bounds,
    policies: [{ policy, salt }],
  };

  test('policy.ts packs and hashes as circomlib does', () => {
    expect(splitGrants(policy.grants)).toEqual([BigInt(vector.g0), BigInt(vector.g1)]);
    expect(packConditions(policy.conditions)).toBe(BigInt(vector.cond));
    expect(policyDigest(policy, salt)).toBe(BigInt(vector.digest));
  });

  if (vector.outcome === 'accepted') {
    test('accepted by the claim builder and by the circuit', () => {
      const { signals, publicSignals } = policyClaimInput(claim, SMALL);
      expect(publicSignals.slice(7)).toEqual([BigInt(vector.digest), 0n]);
      expect(calculator.calculate(signals).byteLength).toBeGreaterThan(0);
    });
  } else {
    test('denied by the claim builder with the reason, and by the circuit', () => {
      expect(() => policyClaimInput(claim, SMALL)).toThrow(
        expect.objectContaining({ code: 'PROOF_UNSATISFIABLE', fields: { index: 0, condition: vector.reason } }),
      );
      // Past the builder: an honest claim about nothing, with the vector's policy put in by hand.
      const { signals } = policyClaimInput({ ...claim, policies: [] }, SMALL);
      const first = (value: string): bigint[] => [BigInt(value), 0n];
      const forced = {
        ...signals,
        ...{ used: [1n, 0n], g0: first(vector.g0), g1: first(vector.g1), cond: first(vector.cond) },
        ...{ salt: first(vector.salt), digest: first(vector.digest) },
      };
      expect(() => calculator.calculate(forced)).toThrow(/PROOF_UNSATISFIABLE/);
    });
  }
});
