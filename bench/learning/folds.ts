// Five folds of an example's training records: what settings are chosen on. The hold-out is never looked at.
import { splitRows } from '../../examples/simulation/split.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { createPrng, shuffled } from '../../protocol/learning/prng.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { rowsAt } from './material.ts';

export const FOLDS = 5;

export interface Fold {
  /** The other four fifths, dealt out. */
  readonly shares: readonly (readonly Row[])[];
  readonly held: readonly Row[];
}

interface Dealing {
  readonly dealers: number;
  readonly seed: string;
}

/** A dealer keeps its customers over all folds; which of them are held out is drawn anew per seed. */
export function foldsOf(contract: DataContract, rows: readonly Row[], { dealers, seed }: Dealing): Fold[] {
  const split = splitRows(contract, rows, { dealers, seed });
  const training = split.dealers.flat().sort((a, b) => a - b);
  const foldOf = new Map<number, number>();
  shuffled(training.length, createPrng(utf8ToBytes(seed), 'folds')).forEach((place, i) => {
    foldOf.set(training[place] ?? -1, i % FOLDS);
  });
  return Array.from({ length: FOLDS }, (_, fold) => ({
    shares: split.dealers.map((places) =>
      rowsAt(
        rows,
        places.filter((place) => foldOf.get(place) !== fold),
      ),
    ),
    held: rowsAt(
      rows,
      training.filter((place) => foldOf.get(place) === fold),
    ),
  }));
}
