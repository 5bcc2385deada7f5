// protocol/vectors/consent.json: the decision of evaluate.ts. The circuit and the contract take the same file in tests/integration.
import { describe, expect, test } from 'vitest';
import { evaluate, freshAccuracy } from '../../protocol/consent/evaluate.ts';
import { EVIDENCE } from '../../protocol/consent/policy.ts';
import file from '../../protocol/vectors/consent.json' with { type: 'json' };
import { buildConsentVectors } from './consent-build.ts';

const evidence = (level: number) => (level === EVIDENCE.passkey ? EVIDENCE.passkey : EVIDENCE.attested);

test('the file is what its builder writes', () => {
  expect(JSON.parse(JSON.stringify(buildConsentVectors()))).toEqual(file);
});

test('the vectors allow, and deny for every reason there is', () => {
  const decisions = file.vectors.map(({ decision }) => decision);
  expect([...new Set(decisions)].sort()).toEqual([
    ...['accuracy-under-floor', 'allow', 'evidence-too-weak', 'expired', 'metric-stale', 'not-granted', 'privacy-cap'],
  ]);
});

describe('evaluate.ts', () => {
  test.each(file.vectors)('$name: $decision', ({ policy, requirement, nowSeconds, metric, ...use }) => {
    const { grants, conditions } = policy;
    const measured = metric && { ...metric, attestedAtSeconds: nowSeconds - metric.ageSeconds };
    const decision = evaluate(
      { grants: BigInt(grants), conditions: { ...conditions, evidence: evidence(conditions.evidence) } },
      {
        requirement: {
          required: BigInt(requirement.required),
          minEvidence: evidence(requirement.minEvidence),
        },
        nowSeconds,
        attestedAccuracyBps: freshAccuracy(measured ?? undefined, nowSeconds, file.metricMaxAgeSeconds),
        epsilonAfterMilli: use.epsilonAfterMilli,
      },
    );
    expect(decision).toEqual(use.decision === 'allow' ? { allow: true } : { allow: false, reason: use.decision });
  });
});
