// One attempt of a dealer in a round: what it is bound to, and the streams that its one seed is expanded into.
import { type Hex, sha256, toHex } from '../bytes.ts';
import { encodeCbor } from '../codec.ts';
import type { ShareContext } from './shares.ts';

/** What a sealed update is for; with the payload's hash it becomes the shares' associated data. */
export type SealContext = Omit<ShareContext, 'payloadHash'> & {
  /** The round's seed, from RoundOpened. */
  readonly seed: Hex;
};

/** Binds everything that is kept of an attempt: what outlived its chain must not pass for a new one's. */
export function attemptContext(context: SealContext): Hex {
  const { chainId, ledger, round, attempt, dealer, seed } = context;
  return toHex(sha256(encodeCbor([chainId, ledger, round, attempt, dealer, seed])));
}

export const ATTEMPT_SEED_BYTES = 32;

/** Each is used for one thing. Shares and their encryption are drawn apart: no payload depends on them. */
export type AttemptStream =
  /** 32 bytes: order of the rows, dropout. */
  | 'training'
  /** What a strategy draws: Poisson samples, dither. */
  | 'strategy'
  | 'noise'
  /** s. */
  | 'secret'
  /** e_k, block after block. */
  | 'errors'
  /** 32 bytes: key of the traces of the stages. */
  | 'stages';

/** Stages of an attempt that leave a trace, in their order. */
export const TRACED_STAGES = ['training', 'noise'] as const;
export type TracedStage = (typeof TRACED_STAGES)[number];

/** HMAC-SHA256 under the stream `stages`: says where a replay departs, and nothing to whoever lacks the seed. */
export type StageTraces = Readonly<Record<TracedStage, Hex>>;
