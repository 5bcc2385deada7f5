// A planted fault: what a forger changes, and the check that must see it.
import type { RawEvidence } from './raw-evidence.ts';

export interface PlantedFault {
  /** Number of the check that must fail. */
  readonly caughtBy: string;
  readonly name: string;
  plant(raw: RawEvidence): void;
}

export const fault = (caughtBy: string, name: string, plant: (raw: RawEvidence) => void): PlantedFault => ({
  caughtBy,
  name,
  plant,
});

/** The first of a list that must not be empty. */
export function first<T>(items: readonly T[], what: string): T {
  const [item] = items;
  if (item === undefined) throw new Error(`the run has no ${what}`);
  return item;
}
