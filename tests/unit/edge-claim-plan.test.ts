// Which policies share a proof: never floor with no floor, at most sixteen, bounds that are the strictest of theirs.
import { expect, test } from 'vitest';
import { planClaims } from '../../edge-node/consent/claim-plan.ts';
import { NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';

const policy = (n: number, accuracyFloorBps: number, expiry: number, privacyCapMilli = NO_PRIVACY_CAP) => ({
  digest: BigInt(n),
  salt: 1n,
  policy: { grants: 1n, conditions: { expiry, accuracyFloorBps, privacyCapMilli, evidence: 2 as const } },
});

test('no policy, no proof', () => expect(planClaims([])).toEqual([]));

test('sixteen fit one proof, the seventeenth opens another', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => policy(i + 1, 0, 1_000));
  expect(planClaims(many(16)).map((claim) => claim.policies.length)).toEqual([16]);
  expect(planClaims(many(17)).map((claim) => claim.policies.length)).toEqual([16, 1]);
});

test('a policy without a floor never shares a proof with one that has one', () => {
  const claims = planClaims([policy(1, 9_200, 500), policy(2, 0, 900), policy(3, 9_000, 700), policy(4, 0, 800)]);
  expect(claims.map((claim) => claim.policies.map((p) => Number(p.digest)))).toEqual([
    [4, 2],
    [3, 1],
  ]);
});

test('a proof’s bounds: earliest expiry, highest floor, lowest cap', () => {
  const [claim] = planClaims([policy(1, 9_200, 700, 3_000), policy(2, 9_350, 900, 1_000)]);
  expect(claim?.bounds).toEqual({ validUntil: 700, accuracyFloorBps: 9_350, privacyCapMilli: 1_000 });
});
