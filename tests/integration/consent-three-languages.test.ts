// One meaning in three languages: evaluate.ts, the policy circuit and RoundLedger.commit allow and deny the same uses.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ClaimBounds } from '../../engines/proof/claim.ts';
import { type Access, evaluate, freshAccuracy } from '../../protocol/consent/evaluate.ts';
import {
  EVIDENCE,
  NO_PRIVACY_CAP,
  type Policy,
  type Requirement,
  requirementOf,
} from '../../protocol/consent/policy.ts';
import { FIELD_CLASS_IDS, grantBit, SCENE_IDS, type SceneId } from '../../protocol/consent/scenes.ts';
import file from '../../protocol/vectors/consent.json' with { type: 'json' };
import { builderTakes, type ChainLanguage, type CircuitLanguage, openChain, openCircuit } from './consent-languages.ts';

interface Use {
  readonly policy: Policy;
  readonly requirement: Requirement;
  readonly nowSeconds: number;
  readonly metric: { readonly accuracyBps: number; readonly ageSeconds: number } | undefined;
  readonly epsilonAfterMilli: number;
}

const MAX_AGE = file.metricMaxAgeSeconds;
let circuitTakes: CircuitLanguage;
let chain: ChainLanguage;
beforeAll(async () => {
  [circuitTakes, chain] = await Promise.all([openCircuit(), openChain()]);
}, 120_000);
afterAll(() => chain?.stop());

function accessOf({ requirement, nowSeconds, metric, epsilonAfterMilli }: Use): Access {
  const measured = metric && { ...metric, attestedAtSeconds: nowSeconds - metric.ageSeconds };
  const attestedAccuracyBps = freshAccuracy(measured, nowSeconds, MAX_AGE);
  return { requirement, nowSeconds, attestedAccuracyBps, epsilonAfterMilli };
}

function said(use: Use): string {
  const decision = evaluate(use.policy, accessOf(use));
  return decision.allow ? 'allow' : decision.reason;
}

/** The tightest bounds a dealer can state: the policy's own conditions. */
const ownBounds = ({ conditions }: Policy): ClaimBounds => ({ ...conditions, validUntil: conditions.expiry });

/** Bounds that are the facts themselves: then the circuit alone decides everything. No metric is like an accuracy of 0. */
function factBounds(use: Use): ClaimBounds {
  const { nowSeconds, attestedAccuracyBps, epsilonAfterMilli } = accessOf(use);
  const accuracyFloorBps = attestedAccuracyBps ?? 0;
  return { validUntil: nowSeconds + 1, accuracyFloorBps, privacyCapMilli: epsilonAfterMilli };
}

function checkCircuit(use: Use): void {
  const { policy, requirement } = use;
  const decision = said(use);
  for (const takes of [circuitTakes, builderTakes]) {
    const claimable = decision !== 'not-granted' && decision !== 'evidence-too-weak';
    expect(takes(policy, requirement, ownBounds(policy))).toBe(claimable);
    expect(takes(policy, requirement, factBounds(use))).toBe(decision === 'allow');
  }
}

/** A policy that cannot be claimed never reaches the chain. */
async function checkChain(use: Use, bounds = ownBounds(use.policy)): Promise<string> {
  if (!circuitTakes(use.policy, use.requirement, bounds)) return 'no claim';
  return chain.ask({ ...use, bounds });
}

const evidence = (level: number) => (level === EVIDENCE.passkey ? EVIDENCE.passkey : EVIDENCE.attested);

describe('the vectors', () => {
  test.each(file.vectors)('$name: $decision', async (vector) => {
    const { policy, requirement, nowSeconds, epsilonAfterMilli } = vector;
    const use: Use = {
      policy: {
        grants: BigInt(policy.grants),
        conditions: { ...policy.conditions, evidence: evidence(policy.conditions.evidence) },
      },
      requirement: { required: BigInt(requirement.required), minEvidence: evidence(requirement.minEvidence) },
      ...{ nowSeconds, metric: vector.metric ?? undefined, epsilonAfterMilli },
    };
    expect(said(use)).toBe(vector.decision);
    checkCircuit(use);
    const claimable = !['not-granted', 'evidence-too-weak'].includes(vector.decision);
    expect(await checkChain(use)).toBe(claimable ? vector.decision : 'no claim');
  });
});

/** Around a value: on it, under it, over it, and far from it. */
const about = (value: number, most: number, far: number) =>
  fc.constantFrom(value, value, value - 1, value + 1, far).map((n) => Math.min(most, Math.max(0, n)));

const level = fc.constantFrom(EVIDENCE.passkey, EVIDENCE.passkey, EVIDENCE.passkey, EVIDENCE.attested);
const matrix = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 2n ** 192n - 1n }));

const someUse: fc.Arbitrary<Use> = fc
  .record({
    scene: fc.constantFrom(...SCENE_IDS),
    classes: fc.subarray([...FIELD_CLASS_IDS], { minLength: 1 }),
    minEvidence: level,
    accuracyBps: fc.integer({ min: 0, max: 10_000 }),
    epsilonAfterMilli: fc.oneof(fc.integer({ min: 0, max: 8_000 }), fc.constant(NO_PRIVACY_CAP)),
  })
  .chain(({ scene, classes, minEvidence, accuracyBps, epsilonAfterMilli }) => {
    const requirement = requirementOf(scene, classes, minEvidence);
    const nowSeconds = 1_900_000_000;
    return fc.record({
      requirement: fc.constant(requirement),
      nowSeconds: fc.constant(nowSeconds),
      epsilonAfterMilli: fc.constant(epsilonAfterMilli),
      metric: fc.oneof(
        { weight: 1, arbitrary: fc.constant(undefined) },
        {
          weight: 5,
          arbitrary: fc.record({
            accuracyBps: fc.constant(accuracyBps),
            ageSeconds: fc.constantFrom(60, 3_600, 3_600, 3_601),
          }),
        },
      ),
      policy: fc.record({
        // what is required and more, at times one cell short
        grants: fc
          .tuple(matrix, fc.nat(4), fc.constantFrom<SceneId>('model-training', scene), fc.constantFrom(...classes))
          .map(([more, odds, row, column]) => {
            const grants = requirement.required | more;
            return odds > 0 ? grants : grants & ~grantBit(row, column);
          }),
        conditions: fc.record({
          expiry: fc.constantFrom(1, 1, 2, 86_400, 86_400, 86_400, 0, -1).map((left) => nowSeconds + left),
          accuracyFloorBps: about(accuracyBps, 16_383, 0),
          privacyCapMilli: about(epsilonAfterMilli, NO_PRIVACY_CAP, NO_PRIVACY_CAP),
          evidence: level,
        }),
      }),
    });
  });

describe('uses drawn at random', () => {
  test('evaluate.ts, the claim builder and the circuit agree', () => {
    fc.assert(fc.property(someUse, checkCircuit), { seed: 27_560, numRuns: 100 });
  });

  test('so does the contract, with the bounds of the claim; looser bounds only deny more', async () => {
    const slack = fc.record({ earlier: fc.nat(2), higher: fc.nat(2), lower: fc.nat(2) });
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(someUse, fc.option(slack, { freq: 1, nil: undefined }), async (use, loose) => {
        const decision = said(use);
        seen.add(decision);
        if (decision === 'not-granted' || decision === 'evidence-too-weak') {
          expect(await checkChain(use)).toBe('no claim');
          return;
        }
        const own = ownBounds(use.policy);
        if (loose === undefined) {
          expect(await checkChain(use, own)).toBe(decision);
          return;
        }
        const bounds = {
          validUntil: own.validUntil - loose.earlier,
          accuracyFloorBps: Math.min(own.accuracyFloorBps + loose.higher, 16_383),
          privacyCapMilli: Math.max(own.privacyCapMilli - loose.lower, 0),
        };
        const answer = await checkChain(use, bounds);
        expect(answer).not.toBe('no claim');
        if (answer === 'allow') expect(decision).toBe('allow');
      }),
      { seed: 27_560, numRuns: 60 },
    );
    // a draw that never reaches a reason proves nothing of it
    expect([...seen].sort()).toEqual([...new Set(file.vectors.map(({ decision }) => decision))].sort());
  }, 120_000);
});
