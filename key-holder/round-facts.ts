// What the chain fixes about a round, read before anything is said about it: status, set, commitments.
import type { RoundStatus } from '../engines/chain/round-ledger.ts';
import type { Hex } from '../protocol/bytes.ts';
import { refused, requireAnswerableSet, setHash } from '../protocol/secagg/set.ts';

/** The part of a dealer's `commit` on chain that a key-holder holds it to. */
export interface Commitment {
  readonly attempt: number;
  readonly payloadHash: Hex;
  readonly sharesRoot: Hex;
}

/** What a key-holder reads of the chain, at a block that it takes as final. */
export interface ChainView {
  readonly chainId: number;
  /** The RoundLedger. */
  readonly ledger: Hex;
  statusOf(round: number): Promise<RoundStatus | undefined>;
  /** Dealers of SetFinalised, in its order; undefined before. */
  finalisedSet(round: number): Promise<readonly Hex[] | undefined>;
  commitmentOf(round: number, dealer: Hex): Promise<Commitment | undefined>;
  minCohort(): Promise<number>;
  registeredDealers(): Promise<readonly Hex[]>;
}

/** A set that may be answered for. */
export interface RoundFacts {
  readonly round: number;
  readonly setHash: Hex;
  /** In the order of SetFinalised. */
  readonly dealers: readonly Hex[];
  readonly commitments: ReadonlyMap<Hex, Commitment>;
}

/**
 * @throws ConcordatError SET_REFUSED the round is open, over or unknown; the set is too small, holds a stranger, a dealer
 *   without a commitment, or one payload twice
 */
export async function readRoundFacts(chain: ChainView, round: number): Promise<RoundFacts> {
  const [status, finalised, minCohort, registered] = await Promise.all([
    chain.statusOf(round),
    chain.finalisedSet(round),
    chain.minCohort(),
    chain.registeredDealers(),
  ]);
  if (status === 'published' || status === 'failed') throw refused(round, 'the round is over');
  const dealers = requireAnswerableSet({ round, finalised, minCohort, registered });
  const commitments = new Map<Hex, Commitment>();
  for (const dealer of dealers) {
    const commitment = await chain.commitmentOf(round, dealer);
    if (commitment === undefined) throw refused(round, `${dealer} has not committed`, dealer);
    commitments.set(dealer, commitment);
  }
  refuseCopies(round, commitments);
  return { round, setHash: setHash(round, dealers), dealers, commitments };
}

/** Who copies another's payload is in the set twice as far as the sum goes: the other's update would stand out. */
function refuseCopies(round: number, commitments: ReadonlyMap<Hex, Commitment>): void {
  const owners = new Map<Hex, Hex>();
  for (const [dealer, { payloadHash }] of commitments) {
    const owner = owners.get(payloadHash);
    if (owner !== undefined) throw refused(round, `${dealer} committed to the payload of ${owner}`, dealer);
    owners.set(payloadHash, dealer);
  }
}
