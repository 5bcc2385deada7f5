// Where a witness keeps what it has seen and signed; the coordinator's store implements it.
import type { Hex } from '../../protocol/bytes.ts';
import type { Anchor } from '../../protocol/consent/anchor.ts';
import type { LogEntry } from '../../protocol/consent/log.ts';

export interface WitnessStore {
  /** All entries of a dealer's log taken in so far, in order. */
  readLog(dealer: Hex): Promise<readonly LogEntry[]>;
  /** The anchor this witness decided to sign for the epoch; undefined when none. */
  readAnchor(dealer: Hex, epoch: number): Promise<Anchor | undefined>;
  /** The highest epoch with such an anchor; 0 when there is none. */
  lastEpoch(dealer: Hex): Promise<number>;
  /**
   * One atomic write, durable when the promise resolves: the entries after the `firstIndex` known ones, and the anchor
   * about to be signed (undefined when only catching up).
   */
  commit(dealer: Hex, firstIndex: number, entries: readonly LogEntry[], anchor: Anchor | undefined): Promise<void>;
}
