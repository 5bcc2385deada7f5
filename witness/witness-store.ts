// Where a witness keeps what it has seen and signed.
import type { Hex } from '../protocol/bytes.ts';
import type { SignedAnchor } from '../protocol/consent/equivocation.ts';
import type { LogEntry } from '../protocol/consent/log.ts';

/** A dealer's signed anchor that contradicts the one this witness decided to sign: both signatures are the dealer's. */
export interface Contradicted {
  readonly held: SignedAnchor;
  readonly refused: SignedAnchor;
}

/** A place in the order of dealers and their epochs. */
export interface AnchorPlace {
  readonly dealer: Hex;
  readonly epoch: number;
}

export interface LogRange {
  readonly from: number;
  readonly limit: number;
}

export interface WitnessStore {
  /** Entries of a dealer's log taken in so far, in order: all of them, or a part. */
  readLog(dealer: Hex, range?: LogRange): Promise<readonly LogEntry[]>;
  /** The anchor this witness decided to sign for the epoch, with the dealer's signature; undefined when none. */
  readAnchor(dealer: Hex, epoch: number): Promise<SignedAnchor | undefined>;
  /** The highest epoch with such an anchor; 0 when there is none. */
  lastEpoch(dealer: Hex): Promise<number>;
  /** Those anchors in the order of dealer and epoch, from behind `after`. */
  listAnchors(after: AnchorPlace | undefined, limit: number): Promise<readonly SignedAnchor[]>;
  /** One atomic write, durable when the promise resolves: the entries after the `firstIndex` known ones, and the anchor about to be signed. */
  commit(dealer: Hex, firstIndex: number, entries: readonly LogEntry[], proposed: SignedAnchor): Promise<void>;
  /** Durable when the promise resolves; the first of an epoch is kept, so that nobody can fill a disk with them. */
  keepContradiction(contradicted: Contradicted): Promise<void>;
  listContradictions(): Promise<readonly Contradicted[]>;
}
