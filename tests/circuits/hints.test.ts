// A dishonest prover may compute hints as he likes: every rewritten `<--` must be caught by a constraint.
import { describe, expect, test } from 'vitest';
import type { PolicyClaimSignals } from '../../engines/proof/claim.ts';
import { bend, forgedSlot, honestSignals, smallInput } from './claims.ts';
import { CIRCUITS_DIR, calculatorWith, type Edit, readSources, SMALL } from './small-circuit.ts';

const CONDITIONS = 'lib/conditions-within.circom';
const GRANTS = 'lib/grants-cover.circom';
const CAP = 'cap <-- effective & ((1 << capBits) - 1)';
const FLOOR = 'floor <-- (effective >> floorShift) & ((1 << floorBits) - 1)';
const EVIDENCE = 'evidence <-- (effective >> evidenceShift) & ((1 << evidenceBits) - 1)';
const EXPIRY = 'expiry <-- effective >> expiryShift';
const SURPLUS = 'surplus[j] <-- ((effective >> j) & 1) - required[j]';

const rewrite = (file: string, hint: string, by: string): Edit => ({
  file,
  from: hint,
  to: hint.replace(/<-- (.*)/, (_, value: string) => `<-- ${by.replace('$', `(${value})`)}`),
});

/** Single hints that are off, and joint ones that keep the packed sum and carry between two parts. */
const MUTANTS: readonly (readonly [name: string, edits: readonly Edit[]])[] = [
  ['cap + 1', [rewrite(CONDITIONS, CAP, '$ + 1')]],
  ['floor - 1', [rewrite(CONDITIONS, FLOOR, '$ - 1')]],
  ['evidence + 1', [rewrite(CONDITIONS, EVIDENCE, '$ + 1')]],
  ['expiry + 1', [rewrite(CONDITIONS, EXPIRY, '$ + 1')]],
  ['floor - 1 carried into cap', [rewrite(CONDITIONS, FLOOR, '$ - 1'), rewrite(CONDITIONS, CAP, '$ + (1 << capBits)')]],
  [
    'evidence - 1 carried into floor',
    [rewrite(CONDITIONS, EVIDENCE, '$ - 1'), rewrite(CONDITIONS, FLOOR, '$ + (1 << floorBits)')],
  ],
  [
    'evidence + 1 taken from floor',
    [rewrite(CONDITIONS, EVIDENCE, '$ + 1'), rewrite(CONDITIONS, FLOOR, '$ - (1 << floorBits)')],
  ],
  [
    'expiry - 1 carried into evidence',
    [rewrite(CONDITIONS, EXPIRY, '$ - 1'), rewrite(CONDITIONS, EVIDENCE, '$ + (1 << evidenceBits)')],
  ],
  [
    'expiry + 1 taken from evidence',
    [rewrite(CONDITIONS, EXPIRY, '$ + 1'), rewrite(CONDITIONS, EVIDENCE, '$ - (1 << evidenceBits)')],
  ],
  ['a grant bit flipped', [rewrite(GRANTS, SURPLUS, 'j == 5 ? 1 - required[j] - $ : $')]],
  ['a grant bit of 2 in place of the next one', [rewrite(GRANTS, SURPLUS, 'j == 17 ? $ + 2 : (j == 18 ? $ - 1 : $)')]],
  ['all grants claimed', [rewrite(GRANTS, SURPLUS, '1 - required[j]')]],
];

/** Claims with required bits, without any, and with one that is not granted. */
const CLAIMS: readonly PolicyClaimSignals[] = [
  honestSignals(),
  bend(honestSignals(), { required0: [0, 0n], required1: [0, 0n] }),
  bend(forgedSlot({ g0: (1n << 96n) - 1n - (1n << 18n) }), { required0: [0, 1n << 17n] }),
  bend(honestSignals(), { validUntil: [0, 0n], accuracyFloor: [0, (1n << 14n) - 1n], privacyCap: [0, 0n] }),
  smallInput([]).signals,
];

/** Witnesses come from the mutant itself, which recomputes whatever follows from the false hint. */
async function acceptedClaims(edits: readonly Edit[]): Promise<number> {
  const calculator = await calculatorWith(SMALL, edits);
  return CLAIMS.filter((signals) => {
    try {
      calculator.calculate(signals);
      return true;
    } catch {
      return false;
    }
  }).length;
}

test('the sound circuit takes all these claims', async () => {
  expect(await acceptedClaims([])).toBe(CLAIMS.length);
});

test('no hint of ours is left out', async () => {
  const sources = await readSources(CIRCUITS_DIR);
  const hints = [...sources.values()].flatMap((source) => source.match(/\S+ <-- /g) ?? []);
  expect(hints.sort()).toEqual(
    [CAP, FLOOR, EVIDENCE, EXPIRY, SURPLUS].map((hint) => `${hint.split(' ')[0]} <-- `).sort(),
  );
});

test.each(MUTANTS)('%s: refused', async (_name, edits) => {
  expect(await acceptedClaims(edits)).toBe(0);
});

describe('the mutants see a planted fault', () => {
  const drop = (file: string, constraint: string): Edit => ({ file, from: constraint, to: '' });
  const mutant = (name: string): readonly Edit[] => MUTANTS.find(([other]) => other === name)?.[1] ?? [];

  test.each([
    [
      'the packing equation',
      drop(
        CONDITIONS,
        'effective === expiry * (1 << expiryShift) + evidence * (1 << evidenceShift) + floor * (1 << floorShift) + cap;',
      ),
      'expiry + 1',
    ],
    ['the range of cap', drop(CONDITIONS, 'Range(capBits)(cap);'), 'floor - 1 carried into cap'],
    ['the range of floor', drop(CONDITIONS, 'Range(floorBits)(floor);'), 'evidence - 1 carried into floor'],
    ['the range of evidence', drop(CONDITIONS, 'Range(evidenceBits)(evidence);'), 'expiry - 1 carried into evidence'],
    ['the sum of the grant bits', drop(GRANTS, 'sum === effective;'), 'all grants claimed'],
  ])('%s left out', async (_name, fault, name) => {
    expect(await acceptedClaims([fault, ...mutant(name)])).toBeGreaterThan(0);
  });

  test('booleanity of the grant bits left out', async () => {
    const fault = drop(GRANTS, 'surplus[j] * (surplus[j] - 1 + required[j]) === 0;');
    expect(await acceptedClaims([fault, ...mutant('a grant bit of 2 in place of the next one')])).toBeGreaterThan(0);
  });
});
