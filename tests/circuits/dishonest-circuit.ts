// The policy circuit with two more inputs: which false hint the prover gives, and which constraint is left out.
import type { PolicyClaimSignals } from '../../engines/proof/claim.ts';
import { calculatorWith, type Edit } from './small-circuit.ts';

const CLAIM = 'lib/policy-claim.circom';
const SLOT = 'lib/policy-slot.circom';
const GRANTS = 'lib/grants-cover.circom';
const CONDITIONS = 'lib/conditions-within.circom';

/** Our hints, as they stand in the sources. */
export const HINTS = {
  cap: { file: CONDITIONS, text: 'cap <-- effective & ((1 << capBits) - 1)' },
  floor: { file: CONDITIONS, text: 'floor <-- (effective >> floorShift) & ((1 << floorBits) - 1)' },
  evidence: { file: CONDITIONS, text: 'evidence <-- (effective >> evidenceShift) & ((1 << evidenceBits) - 1)' },
  expiry: { file: CONDITIONS, text: 'expiry <-- effective >> expiryShift' },
  surplus: { file: GRANTS, text: 'surplus[j] <-- ((effective >> j) & 1) - required[j]' },
} as const;

type Hint = keyof typeof HINTS;

/** False hints, by what they say instead of $: alone, or together so that the packed sum stays right. */
export const MUTANTS = {
  'cap + 1': { cap: '$ + 1' },
  'floor - 1': { floor: '$ - 1' },
  'evidence + 1': { evidence: '$ + 1' },
  'expiry + 1': { expiry: '$ + 1' },
  'floor - 1 carried into cap': { floor: '$ - 1', cap: '$ + (1 << capBits)' },
  'floor + 1 taken from cap': { floor: '$ + 1', cap: '$ - (1 << capBits)' },
  'evidence - 1 carried into floor': { evidence: '$ - 1', floor: '$ + (1 << floorBits)' },
  'evidence + 1 taken from floor': { evidence: '$ + 1', floor: '$ - (1 << floorBits)' },
  'expiry - 1 carried into evidence': { expiry: '$ - 1', evidence: '$ + (1 << evidenceBits)' },
  'expiry + 1 taken from evidence': { expiry: '$ + 1', evidence: '$ - (1 << evidenceBits)' },
  'a grant bit flipped': { surplus: 'j == 5 ? 1 - 2 * required[j] - $ : $' },
  'bit 17 doubled for bit 18': { surplus: 'j == 17 ? $ + 2 : (j == 18 ? $ - 1 : $)' },
  'all grants claimed': { surplus: '1 - required[j]' },
} as const satisfies Record<string, Partial<Record<Hint, string>>>;

export type Mutant = keyof typeof MUTANTS;
const MUTANT_NAMES = Object.keys(MUTANTS) as Mutant[];

/** Constraints that can be switched off one by one; a switched-off range check sees 0. */
const FAULTS = {
  'packing equation': {
    file: CONDITIONS,
    from: 'effective === expiry * (1 << expiryShift) + evidence * (1 << evidenceShift) + floor * (1 << floorShift) + cap;',
    to: 'OFF * (effective - expiry * (1 << expiryShift) - evidence * (1 << evidenceShift) - floor * (1 << floorShift) - cap) === 0;',
  },
  'range of cap': range('capBits', 'cap'),
  'range of floor': range('floorBits', 'floor'),
  'range of evidence': range('evidenceBits', 'evidence'),
  'range of expiry': range('expiryBits', 'expiry'),
  'expiry against validUntil': range('expiryBits', 'expiry - validUntil'),
  'evidence against minEvidence': range('evidenceBits', 'evidence - minEvidence'),
  'accuracyFloor against floor': range('floorBits', 'accuracyFloor - floor'),
  'cap against privacyCap': range('capBits', 'cap - privacyCap'),
  'sum of the grant bits': { file: GRANTS, from: 'sum === effective;', to: 'OFF * (sum - effective) === 0;' },
} as const satisfies Record<string, Edit>;

export type Fault = keyof typeof FAULTS;
const FAULT_NAMES = Object.keys(FAULTS) as Fault[];

function range(bits: string, value: string): Edit {
  return { file: CONDITIONS, from: `Range(${bits})(${value});`, to: `Range(${bits})(OFF * (${value}));` };
}

/** The two inputs, handed down from the top to the templates that use them. */
const PLUMBING: readonly Edit[] = [
  declare(CLAIM, 'signal input salt[policies];'),
  { file: CLAIM, from: 'cond[i], salt[i]', to: 'cond[i], salt[i], mutant, fault' },
  declare(SLOT, 'signal input salt;'),
  { file: SLOT, from: '(used, g0, required0)', to: '(used, g0, required0, mutant, fault)' },
  { file: SLOT, from: '(used, g1, required1)', to: '(used, g1, required1, mutant, fault)' },
  { file: SLOT, from: 'accuracyFloor, privacyCap);', to: 'accuracyFloor, privacyCap, mutant, fault);' },
  declare(GRANTS, 'signal input required[bits];'),
  declare(CONDITIONS, 'signal input privacyCap;'),
];

function declare(file: string, after: string): Edit {
  return { file, from: after, to: `${after} signal input mutant; signal input fault[${FAULT_NAMES.length}];` };
}

/** `value` unless the mutant is one of those that replace it; mutants are numbered from 1. */
const HINT_EDITS: readonly Edit[] = (Object.keys(HINTS) as Hint[]).map((hint) => {
  const { file, text } = HINTS[hint];
  const [name = '', value = ''] = text.split(' <-- ');
  const replacements = MUTANT_NAMES.map(
    (mutant, i) => [i + 1, (MUTANTS[mutant] as Partial<Record<Hint, string>>)[hint]] as const,
  );
  const chosen = replacements.reduce(
    (otherwise, [number, instead]) =>
      instead === undefined
        ? otherwise
        : `(mutant == ${number} ? (${instead.replaceAll('$', `(${value})`)}) : ${otherwise})`,
    `(${value})`,
  );
  return { file, from: text, to: `${name} <-- ${chosen}` };
});

const FAULT_EDITS: readonly Edit[] = FAULT_NAMES.map((fault, i) => {
  const { file, from, to } = FAULTS[fault];
  return { file, from, to: to.replace('OFF', `(1 - fault[${i}])`) };
});

export interface DishonestCircuit {
  /** Whether a witness exists along the mutant's hints. */
  accepts(signals: PolicyClaimSignals, mutant?: Mutant, fault?: Fault): boolean;
}

/** One slot, compiled once for all mutants and faults. `more`: faults that cannot be switched. */
export async function dishonestCircuit(more: readonly Edit[] = []): Promise<DishonestCircuit> {
  const calculator = await calculatorWith(1, [...PLUMBING, ...HINT_EDITS, ...FAULT_EDITS, ...more]);
  return {
    accepts(signals, mutant, fault) {
      const choices = {
        mutant: [BigInt(mutant === undefined ? 0 : MUTANT_NAMES.indexOf(mutant) + 1)],
        fault: FAULT_NAMES.map((name) => (name === fault ? 1n : 0n)),
      };
      try {
        calculator.calculate({ ...signals, ...choices });
        return true;
      } catch {
        return false;
      }
    },
  };
}
