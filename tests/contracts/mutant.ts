// A planted mutant: the change in a contract, and the property by whose tests it must be noticed.
type Name = 'Federation' | 'ConsentRegistry' | 'RoundLedger';

export interface Mutant {
  readonly title: string;
  readonly contract: Name;
  readonly from: string;
  readonly to: string;
  readonly property: `P-${string}`;
  /** The tests that are asked, by a regular expression over their names. */
  readonly match: string;
  /** Tried at every run; the others when CONCORDAT_MUTANTS=all. */
  readonly always?: true;
}
