// When a sealing key is replaced and which keys are erased: the rule alone, without chain or disk.

/** A round, and the epoch of the key that its shares for this key-holder are sealed to. */
export interface KeyedRound {
  readonly round: number;
  readonly epoch: number;
  /** Published or failed: its shares are never needed again. */
  readonly over: boolean;
}

/** A key is replaced as soon as a round opened under it is over, so that it can be erased with the last such round. */
export const mustRotate = (currentEpoch: number, rounds: readonly KeyedRound[]): boolean =>
  rounds.some(({ epoch, over }) => over && epoch === currentEpoch);

/**
 * Keys that no round needs and none will: older than the one in force, and under no round that goes on.
 * @param rounds read after `currentEpoch` was, so that a round opened under an older key is among them
 */
export function erasable(held: readonly number[], currentEpoch: number, rounds: readonly KeyedRound[]): number[] {
  const needed = new Set(rounds.filter(({ over }) => !over).map(({ epoch }) => epoch));
  return held.filter((epoch) => epoch < currentEpoch && !needed.has(epoch));
}
