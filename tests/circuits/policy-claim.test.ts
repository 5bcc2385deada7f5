// The policy circuit accepts what the statement says, at its edges, and nothing else: one test a constraint.
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PolicyClaimSignals } from '../../engines/proof/claim.ts';
import { readScalar, SCALAR_BYTES } from '../../engines/proof/scalar-bytes.ts';
import { loadWitnessCalculator, type WitnessCalculator } from '../../engines/proof/witness.ts';
import { EVIDENCE, FIELD_ORDER, NO_PRIVACY_CAP, packConditions } from '../../protocol/consent/policy.ts';
import { ALL_GRANTS, BOUNDS, bend, forgedSlot, honestSignals, policy, smallInput } from './claims.ts';
import { smallArtifacts } from './small-circuit.ts';

let calculator: WitnessCalculator;
beforeAll(async () => {
  calculator = await loadWitnessCalculator(await readFile((await smallArtifacts()).wasmFile));
}, 120_000);

const accepts = (signals: PolicyClaimSignals): void => {
  expect(calculator.calculate(signals).byteLength).toBeGreaterThan(0);
};
const refuses = (signals: PolicyClaimSignals): void => {
  expect(() => calculator.calculate(signals)).toThrow(/PROOF_UNSATISFIABLE/);
  accepts(honestSignals()); // the refusal left the calculator fit for use
};

describe('accepted', () => {
  test('a policy inside every bound', () => accepts(honestSignals()));

  test('bounds that are met exactly', () => {
    const exact = policy({ expiry: 1_800_000_000, accuracyFloorBps: 9_300, privacyCapMilli: 2_000 });
    accepts(smallInput([exact]).signals);
  });

  test('grants that are exactly what is required', () => {
    const required = 0b111n | (1n << 95n) | (1n << 96n) | (1n << 191n);
    const requirement = { required, minEvidence: EVIDENCE.passkey };
    accepts(smallInput([policy({}, required)], { requirement }).signals);
  });

  test('every slot used, and none', () => {
    accepts(smallInput([policy(), policy({ expiry: 1_900_000_001 })]).signals);
    accepts(smallInput([]).signals);
  });

  test('the widest values of every part', () => {
    const widest = policy({ expiry: 2 ** 40 - 1, accuracyFloorBps: 2 ** 14 - 1, privacyCapMilli: NO_PRIVACY_CAP });
    const bounds = { validUntil: 2 ** 40 - 1, accuracyFloorBps: 2 ** 14 - 1, privacyCapMilli: NO_PRIVACY_CAP };
    accepts(smallInput([widest], { bounds }).signals);
    const least = policy({ expiry: 0, accuracyFloorBps: 0, privacyCapMilli: 0, evidence: EVIDENCE.attested }, 0n);
    accepts(
      smallInput([least], {
        bounds: { validUntil: 0, accuracyFloorBps: 0, privacyCapMilli: 0 },
        requirement: { required: 0n, minEvidence: EVIDENCE.attested },
      }).signals,
    );
  });

  test('attested evidence where passkey is not asked for', () => {
    const requirement = { required: 1n, minEvidence: EVIDENCE.attested };
    accepts(smallInput([policy({ evidence: EVIDENCE.attested }), policy()], { requirement }).signals);
  });

  test('the public signals lie on wires 1 to n, in the order of the specification', () => {
    const { signals, publicSignals } = smallInput([policy()]);
    const witness = calculator.calculate(signals);
    const view = new DataView(witness.buffer);
    expect(publicSignals.map((_, i) => readScalar(view, (i + 1) * SCALAR_BYTES))).toEqual(publicSignals);
  });
});

describe('a used policy is refused', () => {
  test.each([0n, 16n, 18n, 130n, 131n])('without required grant bit %d', (bit) => {
    refuses(forgedWithout(1n << bit));
  });

  test('that expires one second before the bound', () => {
    refuses(forgedSlot({ cond: packConditions(policy({ expiry: BOUNDS.validUntil - 1 }).conditions) }));
  });

  test('whose accuracy floor is one basis point over the bound', () => {
    refuses(forgedSlot({ cond: packConditions(policy({ accuracyFloorBps: BOUNDS.accuracyFloorBps + 1 }).conditions) }));
  });

  test('whose privacy cap is one thousandth under the bound', () => {
    refuses(forgedSlot({ cond: packConditions(policy({ privacyCapMilli: BOUNDS.privacyCapMilli - 1 }).conditions) }));
  });

  test('whose evidence is under the minimum', () => {
    refuses(forgedSlot({ cond: packConditions(policy({ evidence: EVIDENCE.attested }).conditions) }));
  });

  test('whose digest is another one', () => {
    const digest = honestSignals().digest?.[0] ?? 0n;
    refuses(bend(honestSignals(), { digest: [0, digest + 1n] }));
    refuses(bend(honestSignals(), { salt: [0, 5n] }));
  });

  test('whose digest is 0', () => refuses(bend(honestSignals(), { digest: [0, 0n] })));

  test('with a grant word of 97 bits', () => {
    refuses(forgedSlot({ g0: 1n << 96n }));
    refuses(forgedSlot({ g0: (1n << 97n) - 1n }));
    refuses(forgedSlot({ g1: (1n << 97n) - 1n }));
    refuses(forgedSlot({ g0: FIELD_ORDER - 1n }));
  });

  test('with an expiry of 41 bits', () => {
    const cond = packConditions(policy().conditions);
    refuses(forgedSlot({ cond: cond + (1n << 76n) }));
    refuses(forgedSlot({ cond: cond + (1n << 200n) }));
    refuses(forgedSlot({ cond: FIELD_ORDER - 1n }));
  });
});

describe('a slot is refused', () => {
  test('when used is not 0 or 1', () => {
    const digest = honestSignals().digest?.[0] ?? 0n;
    // The digest is scaled along, so that only booleanity can object.
    refuses(bend(honestSignals(), { used: [0, 2n], digest: [0, (2n * digest) % FIELD_ORDER] }));
    refuses(bend(honestSignals(), { used: [0, FIELD_ORDER - 1n], digest: [0, FIELD_ORDER - digest] }));
  });

  test('when it is unused and its digest is not 0', () => {
    const digest = honestSignals().digest?.[0] ?? 0n;
    refuses(bend(honestSignals(), { digest: [1, 1n] }));
    refuses(bend(honestSignals(), { digest: [1, digest] }));
    refuses(bend(honestSignals(), { used: [0, 0n] }));
  });
});

describe('a bound is refused', () => {
  test.each([
    ['validUntil', 1n << 40n],
    ['validUntil', FIELD_ORDER - 1n],
    ['accuracyFloor', 1n << 14n],
    ['accuracyFloor', FIELD_ORDER - 1n],
    ['privacyCap', 1n << 20n],
    ['privacyCap', FIELD_ORDER - 1n],
    ['minEvidence', 4n],
    ['minEvidence', FIELD_ORDER - 1n],
    ['required0', 1n << 96n],
    ['required1', 1n << 96n],
    ['required1', FIELD_ORDER - 1n],
  ])('when %s is %d, even with no policy used', (name, value) => {
    refuses(bend(smallInput([]).signals, { [name]: [0, value] }));
  });

  test.each([
    ['validUntil', (1n << 40n) - 1n],
    ['accuracyFloor', 0n],
    ['privacyCap', (1n << 20n) - 1n],
    ['minEvidence', 3n],
    ['required0', (1n << 96n) - 1n],
    ['required1', (1n << 96n) - 1n],
  ])('when %s asks more than a used policy gives, but an unused slot meets it', (name, value) => {
    accepts(bend(smallInput([]).signals, { [name]: [0, value] }));
    const short = smallInput([policy({}, ALL_GRANTS - (1n << 50n) - (1n << 150n))]).signals;
    refuses(bend(short, { [name]: [0, value] }));
  });
});

/** Slot 0 lacks one grant. */
function forgedWithout(bits: bigint): PolicyClaimSignals {
  const grants = ALL_GRANTS & ~bits;
  return forgedSlot({ g0: grants & ((1n << 96n) - 1n), g1: grants >> 96n });
}
