// Whether the key-holders' threshold keeps a round to one opened sum: docs/spec/04, "The set".

/** `threshold` of `keyHolders` open a sum. */
export interface Quorum {
  readonly keyHolders: number;
  readonly threshold: number;
}

/**
 * The most corrupt key-holders f with which no two sets of a round reach the threshold each, even where the honest ones are shown
 * different chains: 2t > n + f. Below 0: two sets can be opened with nobody corrupt.
 */
export const corruptTolerated = ({ keyHolders, threshold }: Quorum): number => 2 * threshold - keyHolders - 1;

/** Why the threshold will not do; undefined when it will. */
export function quorumFault(quorum: Quorum): string | undefined {
  const { keyHolders, threshold } = quorum;
  if (threshold > keyHolders) return `a threshold of ${threshold} of ${keyHolders} key-holders is never reached`;
  if (corruptTolerated(quorum) >= 0) return undefined;
  const least = Math.floor(keyHolders / 2) + 1;
  return `a threshold of ${threshold} of ${keyHolders} key-holders lets two groups open two sums of one round: at least ${least}`;
}

/** For people. */
export function quorumWords(quorum: Quorum): string {
  const { keyHolders, threshold } = quorum;
  const corrupt = corruptTolerated(quorum);
  const held = corrupt === 0 ? 'only while none is corrupt' : `while at most ${corrupt} are corrupt`;
  return `${threshold} of ${keyHolders}: one sum per round ${held}; ${keyHolders - threshold} may be away`;
}
