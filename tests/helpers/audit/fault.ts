// A planted fault: what a forger changes, and the check that must see it.
import type { RawEvidence } from './raw-evidence.ts';

export interface PlantedFault {
  /** Number of the check that must fail. */
  readonly caughtBy: string;
  readonly name: string;
  plant(raw: RawEvidence): void;
  /** What one of the failures must be about: a fault breaks signatures too, and is then caught for less than it is. */
  readonly seenAs: RegExp | undefined;
}

export const fault = (
  caughtBy: string,
  name: string,
  plant: (raw: RawEvidence) => void,
  seenAs?: RegExp,
): PlantedFault => ({
  caughtBy,
  name,
  plant,
  seenAs,
});

/** Something that must be told, and on which everything stands all the same. */
export interface ToldInNote {
  /** Number of the check that must pass and tell it. */
  readonly toldBy: string;
  readonly name: string;
  plant(raw: RawEvidence): void;
  /** @returns what the note must say */
  readonly note: (raw: RawEvidence) => string;
}

/** The first of a list that must not be empty. */
export function first<T>(items: readonly T[], what: string): T {
  const [item] = items;
  if (item === undefined) throw new Error(`the run has no ${what}`);
  return item;
}
