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

/** How many sets' commitments are remembered. */
const MAX_SETS = 8;

/** Reads status and set each time, and the commitments of a set once: they cannot change after it is fixed. */
export function createFactsReader(chain: ChainView): (round: number) => Promise<RoundFacts> {
  const known = new Map<string, ReadonlyMap<Hex, Commitment>>();
  return async (round) => {
    const { dealers, hash } = await readSet(chain, round);
    const name = `${round}/${hash}`;
    const commitments = known.get(name) ?? (await readCommitments(chain, round, dealers));
    if (!known.has(name) && known.size >= MAX_SETS) known.delete(known.keys().next().value ?? '');
    known.set(name, commitments);
    return { round, setHash: hash, dealers, commitments };
  };
}

/**
 * @throws ConcordatError SET_REFUSED the round is open, over or unknown; the set is too small, holds a stranger, a dealer
 *   without a commitment, or one payload twice
 */
async function readSet(
  chain: ChainView,
  round: number,
): Promise<{ readonly dealers: readonly Hex[]; readonly hash: Hex }> {
  const [status, finalised, minCohort, registered] = await Promise.all([
    chain.statusOf(round),
    chain.finalisedSet(round),
    chain.minCohort(),
    chain.registeredDealers(),
  ]);
  if (status === 'published' || status === 'failed') throw refused(round, 'the round is over');
  const dealers = requireAnswerableSet({ round, finalised, minCohort, registered });
  return { dealers, hash: setHash(round, dealers) };
}

async function readCommitments(
  chain: ChainView,
  round: number,
  dealers: readonly Hex[],
): Promise<ReadonlyMap<Hex, Commitment>> {
  const found = await Promise.all(dealers.map((dealer) => chain.commitmentOf(round, dealer)));
  const commitments = new Map<Hex, Commitment>();
  dealers.forEach((dealer, i) => {
    const commitment = found[i];
    if (commitment === undefined) throw refused(round, `${dealer} has not committed`, dealer);
    commitments.set(dealer, commitment);
  });
  refuseCopies(round, commitments);
  return commitments;
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
