// The stale-commit drill: in its next round the dealer first commits under its *previous* consent root, as a real
// transaction. The contract must refuse it; whoever asked gets the transaction to look at.
import type { RefusedTransaction } from '../engines/chain/client.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';

export interface DrillReport {
  readonly staleRoot: Hex;
  readonly txHash: Hex;
  readonly blockNumber: number;
  readonly reason: string;
}

export interface Drill {
  /** @throws ConcordatError CONFLICT when there is no previous root yet */
  arm(): { readonly staleRoot: Hex };
  /** Told at every anchor. */
  rootMoved(previous: Hex | undefined): void;
  take(): { readonly staleRoot: Hex; readonly report: (refused: RefusedTransaction) => void } | undefined;
  reports(): readonly DrillReport[];
}

export function createDrill(): Drill {
  const reports: DrillReport[] = [];
  let previous: Hex | undefined;
  let armed = false;
  return {
    arm: () => {
      if (previous === undefined) throw new ConcordatError('CONFLICT', 'no consent root was replaced yet');
      armed = true;
      return { staleRoot: previous };
    },
    rootMoved: (root) => {
      previous = root ?? previous;
    },
    take: () => {
      if (!armed || previous === undefined) return undefined;
      armed = false;
      const staleRoot = previous;
      return {
        staleRoot,
        report: ({ txHash, blockNumber, reason }) => reports.push({ staleRoot, txHash, blockNumber, reason }),
      };
    },
    reports: () => reports,
  };
}
