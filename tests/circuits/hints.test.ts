// A dishonest prover may compute hints as he likes: every rewritten `<--` is caught by a constraint, and each is needed.
import { beforeAll, describe, expect, test } from 'vitest';
import { EVIDENCE, packConditions } from '../../protocol/consent/policy.ts';
import { BOUNDS, bend, forgedSlot, honestSignals, policy, smallInput } from './claims.ts';
import {
  type DishonestCircuit,
  dishonestCircuit,
  type Fault,
  HINTS,
  MUTANTS,
  type Mutant,
} from './dishonest-circuit.ts';
import { CIRCUITS_DIR, readSources } from './small-circuit.ts';

const honest = honestSignals(1);

/** True claims, away from every edge and with something to gain from each false hint. */
const TRUE_CLAIMS = {
  'a policy': honest,
  'nothing required': bend(honest, { required0: [0, 0n], required1: [0, 0n] }),
  'loose bounds': bend(honest, { validUntil: [0, 0n], accuracyFloor: [0, (1n << 14n) - 1n], privacyCap: [0, 0n] }),
  'no policy': smallInput([], {}, 1).signals,
};

const conditions = policy().conditions;
const attested = forgedSlot({ cond: packConditions({ ...conditions, evidence: EVIDENCE.attested }) }, 1);

/** False claims, each short of the truth by one condition. */
const FALSE_CLAIMS = {
  'expires too early': bend(honest, { validUntil: [0, BigInt(conditions.expiry + 1)] }),
  'floor too high': bend(honest, { accuracyFloor: [0, BigInt(conditions.accuracyFloorBps - 200)] }),
  'cap too low': bend(honest, { privacyCap: [0, BigInt(conditions.privacyCapMilli + 1_000)] }),
  'evidence too weak': attested,
  'evidence too weak, no floor left': bend(attested, { accuracyFloor: [0, (1n << 14n) - 1n] }),
  'expiry of 41 bits': forgedSlot({ cond: packConditions({ ...conditions, expiry: 0 }) + (1n << 76n) }, 1),
  'a grant missing': forgedSlot({ g0: (1n << 96n) - 1n - (1n << 16n) }, 1),
};

let circuit: DishonestCircuit;
beforeAll(async () => {
  circuit = await dishonestCircuit();
}, 120_000);

test('no hint of ours is left out', async () => {
  const sources = await readSources(CIRCUITS_DIR);
  const found = [...sources.values()].flatMap((source) => source.match(/\S+ <-- [^;]+/g) ?? []);
  expect(found.sort()).toEqual(
    Object.values(HINTS)
      .map(({ text }) => text)
      .sort(),
  );
});

test.each(Object.entries(TRUE_CLAIMS))('true, with honest hints: %s', (_, signals) => {
  expect(circuit.accepts(signals)).toBe(true);
});

test.each(Object.entries(FALSE_CLAIMS))('false, with honest hints: %s', (_, signals) => {
  expect(circuit.accepts(signals)).toBe(false);
});

test.each(Object.keys(MUTANTS) as Mutant[])('%s: refused for every claim', (mutant) => {
  for (const [name, signals] of Object.entries({ ...TRUE_CLAIMS, ...FALSE_CLAIMS })) {
    // Giving every bit of an all-ones word is the truth.
    const truth = mutant === 'all grants claimed' && name !== 'a grant missing' && name in TRUE_CLAIMS;
    expect(circuit.accepts(signals, mutant), name).toBe(truth);
  }
});

describe('a planted fault lets a false claim through', () => {
  test.each<[Fault, keyof typeof FALSE_CLAIMS, Mutant | undefined]>([
    ['packing equation', 'expires too early', 'expiry + 1'],
    ['range of cap', 'cap too low', 'floor - 1 carried into cap'],
    ['range of floor', 'floor too high', 'evidence + 1 taken from floor'],
    ['range of evidence', 'evidence too weak', 'expiry - 1 carried into evidence'],
    ['range of expiry', 'expiry of 41 bits', undefined],
    ['expiry against validUntil', 'expires too early', undefined],
    ['evidence against minEvidence', 'evidence too weak', undefined],
    ['accuracyFloor against floor', 'floor too high', undefined],
    ['cap against privacyCap', 'cap too low', undefined],
    ['sum of the grant bits', 'a grant missing', 'all grants claimed'],
  ])('%s left out: %s', (fault, falseClaim, mutant) => {
    expect(circuit.accepts(FALSE_CLAIMS[falseClaim], mutant, fault)).toBe(true);
  });

  test('booleanity of the grant bits left out', async () => {
    const booleanity = 'surplus[j] * (surplus[j] - 1 + required[j]) === 0;';
    const faulty = await dishonestCircuit([{ file: 'lib/grants-cover.circom', from: booleanity, to: '' }]);
    expect(faulty.accepts(FALSE_CLAIMS['a grant missing'])).toBe(true);
    expect(faulty.accepts(honest, 'bit 17 doubled for bit 18')).toBe(true);
  });
});

test('the bounds of these claims are the ones meant', () => {
  expect(conditions.accuracyFloorBps).toBeLessThan(BOUNDS.accuracyFloorBps);
  expect(conditions.privacyCapMilli).toBeGreaterThan(BOUNDS.privacyCapMilli);
});
