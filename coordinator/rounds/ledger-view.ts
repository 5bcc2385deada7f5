// What the chain says about rounds, kept current from its events: the coordinator decides from this and nothing else.
import type { Hex } from '../../protocol/bytes.ts';

export interface CommitFacts {
  readonly dealer: Hex;
  readonly attempt: number;
  readonly payloadHash: Hex;
  readonly sharesRoot: Hex;
  readonly weight: number;
}

export type RoundStatus = 'open' | 'finalised' | 'published' | 'failed';

export interface RoundFacts {
  readonly round: number;
  readonly taskHash: Hex;
  readonly baseModelHash: Hex;
  readonly seed: Hex;
  readonly deadlineMs: number;
  status: RoundStatus;
  readonly commits: Map<Hex, CommitFacts>;
  dealers: readonly Hex[];
}
