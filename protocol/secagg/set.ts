// The set of a round: its hash, and the rules under which a key-holder answers for it.
import { concatBytes, type Hex, keccak256, toHex, uintToBytes } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { SECAGG } from '../params.ts';

/** keccak256(abi.encode(uint64 round, address[] dealers)), in the order of SetFinalised. */
export function setHash(round: number, dealers: readonly Hex[]): Hex {
  const word = (value: bigint | number): Uint8Array => uintToBytes(value, 32);
  return toHex(
    keccak256(
      concatBytes(word(round), word(64), word(dealers.length), ...dealers.map((dealer) => word(BigInt(dealer)))),
    ),
  );
}

/** What the chain says about a round. */
export interface SetFacts {
  readonly round: number;
  /** From SetFinalised; undefined while the round is open, and after a failed one. */
  readonly finalised: readonly Hex[] | undefined;
  readonly minCohort: number;
  readonly registered: readonly Hex[];
}

/**
 * The finalised dealers, when a key-holder may answer for them.
 * A set of one *is* that dealer's update, and in a set of two each knows the other's: both are refused, whatever the
 * contract's minimum says.
 * @throws ConcordatError SET_REFUSED with the reason
 */
export function requireAnswerableSet(facts: SetFacts): readonly Hex[] {
  const { round, finalised, minCohort, registered } = facts;
  if (finalised === undefined) throw refused(round, 'the round is not finalised on chain');
  const dealers = finalised.map(lower);
  if (new Set(dealers).size !== dealers.length) throw refused(round, 'a dealer appears twice');
  const least = Math.max(minCohort, SECAGG.minCohort);
  if (dealers.length < least) throw refused(round, `${dealers.length} dealers, at least ${least}`);
  if (dealers.length > SECAGG.maxDealers)
    throw refused(round, `${dealers.length} dealers, at most ${SECAGG.maxDealers}`);
  const known = new Set(registered.map(lower));
  const stranger = dealers.find((dealer) => !known.has(dealer));
  if (stranger !== undefined) throw refused(round, `${stranger} is not a registered dealer`, stranger);
  return dealers;
}

/**
 * The request must name exactly the dealers of the set, each once.
 * @throws ConcordatError SET_REFUSED naming the first dealer out of place
 */
export function requireSameDealers(round: number, set: readonly Hex[], requested: readonly Hex[]): void {
  const asked = requested.map(lower);
  const [members, seen] = [new Set(set), new Set<Hex>()];
  for (const dealer of asked) {
    if (seen.has(dealer)) throw refused(round, `${dealer} appears twice in the request`, dealer);
    if (!members.has(dealer)) throw refused(round, `${dealer} is not in the finalised set`, dealer);
    seen.add(dealer);
  }
  const missing = set.find((dealer) => !seen.has(dealer));
  if (missing !== undefined) throw refused(round, `the share of ${missing} is missing`, missing);
}

export function refused(round: number, reason: string, dealer?: Hex): ConcordatError {
  return new ConcordatError('SET_REFUSED', reason, { round, reason, ...(dealer !== undefined && { dealer }) });
}

const lower = (address: Hex): Hex => address.toLowerCase() as Hex;
