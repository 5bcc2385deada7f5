// Deals a table's rows out to dealers, unevenly as in life, and keeps the hold-out back. Works for any data contract.
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { createPrng, type Prng, shuffled } from '../../protocol/learning/prng.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { dirichlet, pick } from './dirichlet.ts';

export interface SplitOptions {
  readonly dealers: number;
  readonly seed: string;
  /** Concentration: the lower, the more a dealer's customers are of one kind. */
  readonly alpha?: number;
  /** Every dealer gets at least so many; default 80, or a quarter of an even share when that is less. */
  readonly minRecords?: number;
}

export interface Split {
  /** Row numbers (from 0) per dealer, ascending. */
  readonly dealers: readonly (readonly number[])[];
  /** Row numbers of the hold-out, ascending: no dealer has them. */
  readonly holdOut: readonly number[];
}

const MAX_TRIES = 2_000;
/** Without a split field in the contract, every fifth row is held out. */
const HOLD_OUT_SHARE = 0.2;

function holdBack(contract: DataContract, rows: readonly Row[], prng: Prng): Set<number> {
  const { split } = contract;
  const all = rows.map((_, i) => i);
  if (split) return new Set(all.filter((i) => rows[i]?.[split.name] === 'test'));
  return new Set(shuffled(rows.length, prng).subarray(0, Math.round(rows.length * HOLD_OUT_SHARE)));
}

/** Dealer sizes from Dirichlet(2); each kind of customer over the dealers from Dirichlet(alpha · dealers · size). */
function dealByKind(kinds: readonly unknown[], dealers: number, alpha: number, prng: Prng): number[] {
  const sizes = dirichlet(
    Array.from({ length: dealers }, () => 2),
    prng,
  );
  const concentrations = sizes.map((size) => alpha * dealers * size + 1e-3);
  const shares = new Map([...new Set(kinds)].sort().map((kind) => [kind, dirichlet(concentrations, prng)]));
  return kinds.map((kind) => pick(shares.get(kind) ?? sizes, prng));
}

/**
 * By the contract's partition field when it has one, else evenly at random. The same seed gives the same split.
 * @throws ConcordatError SPLIT_IMPOSSIBLE when no dealing leaves every dealer its minimum
 */
export function splitRows(contract: DataContract, rows: readonly Row[], options: SplitOptions): Split {
  const { dealers, alpha = 0.3 } = options;
  const prng = createPrng(utf8ToBytes(options.seed), 'split');
  const held = holdBack(contract, rows, prng);
  const dealt = rows.map((_, i) => i).filter((i) => !held.has(i));
  const minimum = options.minRecords ?? Math.min(80, Math.floor(dealt.length / dealers / 4));
  const { partition } = contract;
  const tries = partition ? MAX_TRIES : 1;
  for (let attempt = 0; attempt < tries; attempt++) {
    const owners = partition
      ? dealByKind(
          dealt.map((i) => rows[i]?.[partition.name]),
          dealers,
          alpha,
          prng,
        )
      : Array.from(shuffled(dealt.length, prng), (place) => place % dealers);
    const lists = Array.from({ length: dealers }, (): number[] => []);
    owners.forEach((owner, at) => {
      lists[owner]?.push(dealt[at] ?? 0);
    });
    if (lists.every((list) => list.length >= Math.max(1, minimum)))
      return { dealers: lists, holdOut: [...held].sort((a, b) => a - b) };
  }
  const detail = `${dealt.length} records over ${dealers} dealers, at least ${minimum} each`;
  throw new ConcordatError('SPLIT_IMPOSSIBLE', detail, { records: dealt.length, dealers, minimum });
}
