// Every planted fault, in one list per kind of history: what the suites run and what docs/audit-faults.md tells.
import type { PlantedFault, ToldInNote } from './fault.ts';
import { BUNDLE_FAULTS } from './faults-bundle.ts';
import { CONSENT_FAULTS } from './faults-consent.ts';
import { ENTRY_FAULTS } from './faults-entries.ts';
import { FAULTS as INSIDER_FAULTS } from './faults-insiders.ts';
import { KEY_FAULTS } from './faults-keys.ts';
import { LINEAGE_FAULTS } from './faults-lineage.ts';
import { OMISSION_FAULTS } from './faults-omission.ts';
import { ROUND_FAULTS } from './faults-round.ts';
import { SHARING_FAULTS } from './faults-sharing.ts';
import { TOLD } from './told-insiders.ts';

/** For any history. */
export const PLANTED_FAULTS: readonly PlantedFault[] = [
  ...BUNDLE_FAULTS,
  ...ENTRY_FAULTS,
  ...CONSENT_FAULTS,
  ...KEY_FAULTS,
  ...SHARING_FAULTS,
  ...ROUND_FAULTS,
  ...LINEAGE_FAULTS,
  ...OMISSION_FAULTS,
];

export interface Insiders {
  /** Faults of parties who sign what they tell: only for a history whose private keys are at hand. */
  readonly faults: readonly PlantedFault[];
  readonly told: readonly ToldInNote[];
}

export const INSIDERS: Insiders = { faults: INSIDER_FAULTS, told: TOLD };
