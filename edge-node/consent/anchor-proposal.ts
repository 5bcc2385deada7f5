// Proposing anchors: the operations since the last anchored epoch, and the roots they lead to, for the witnesses.
import { type Anchor, sameAnchor } from '../../protocol/consent/anchor.ts';
import { decodeEntry, type LogEntry } from '../../protocol/consent/log.ts';
import { ConsentState } from '../../protocol/consent/state.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/params.ts';
import type { ConsentBook } from './book.ts';
import type { ProposalStore } from './log-store.ts';

/** What a witness is sent. A witness that lags behind (LOG_GAP) is first caught up with `book.entries`. */
export interface AnchorProposal {
  /** Log index of the first of `entries`. */
  readonly firstIndex: number;
  readonly entries: readonly LogEntry[];
  readonly anchor: Anchor;
}

export interface AnchorProposer {
  /**
   * The next epoch's proposal, at most LIMITS.maxConsentOperationsPerRequest operations; undefined when the log has
   * nothing new, unless the last anchor is yet to be carried over to this registry. Until `confirm`, every call (after a restart, too) gives the identical proposal: a witness signs one
   * anchor per epoch.
   */
  propose(): Promise<AnchorProposal | undefined>;
  /** The proposed anchor is on chain. @throws ConcordatError ANCHOR_MISMATCH for any other */
  confirm(anchor: Anchor): void;
  /** State under the last confirmed anchor: selections and the gate speak of this one. */
  anchored(): { readonly epoch: number; readonly state: ConsentState };
}

function mustEqual(ours: Anchor, theirs: Anchor): void {
  if (!sameAnchor(ours, theirs)) {
    const { epoch, operationCount } = theirs;
    throw new ConcordatError('ANCHOR_MISMATCH', 'our log leads to another anchor', { epoch, operationCount });
  }
}

/**
 * `lastOnChain`: the dealer's current anchor as the registry has it; undefined before the first.
 * `carriedOver`: false while that anchor stands in a registry before this one.
 * @throws ConcordatError ANCHOR_MISMATCH when the book's log does not lead to that anchor
 */
export function createAnchorProposer(
  book: ConsentBook,
  store: ProposalStore,
  lastOnChain: Anchor | undefined,
  carriedOver = true,
): AnchorProposer {
  let carryOver = lastOnChain !== undefined && !carriedOver;
  let epoch = lastOnChain?.epoch ?? 0;
  let state = ConsentState.replay(book.dealer, book.entries(0, lastOnChain?.operationCount ?? 0));
  let proposed: { readonly anchor: Anchor; readonly state: ConsentState } | undefined;
  if (lastOnChain !== undefined) mustEqual(state.anchor(epoch), lastOnChain);

  const cutOfNextEpoch = async (): Promise<number> => {
    const kept = await store.read();
    if (kept !== undefined && kept.epoch === epoch + 1) return kept.operationCount;
    const available = book.state().operationCount;
    const operationCount = Math.min(available, state.operationCount + LIMITS.maxConsentOperationsPerRequest);
    if (operationCount > state.operationCount || carryOver) await store.write({ epoch: epoch + 1, operationCount });
    return operationCount;
  };

  return {
    async propose() {
      const cut = await cutOfNextEpoch();
      const firstIndex = state.operationCount;
      if (cut === firstIndex && !carryOver) return undefined;
      const entries = book.entries(firstIndex, cut);
      if (proposed === undefined) {
        const next = state.clone();
        for (const entry of entries) next.apply(decodeEntry(entry));
        proposed = { anchor: next.anchor(epoch + 1), state: next };
      }
      return { firstIndex, entries, anchor: proposed.anchor };
    },
    confirm(anchor) {
      if (proposed === undefined) throw new ConcordatError('ANCHOR_MISMATCH', 'nothing was proposed');
      mustEqual(proposed.anchor, anchor);
      ({ state } = proposed);
      epoch = anchor.epoch;
      carryOver = false;
      proposed = undefined;
    },
    anchored: () => ({ epoch, state }),
  };
}
