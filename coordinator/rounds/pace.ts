// When a round may be closed before everybody is in: once most are, and the rest would keep them waiting too long. A pure rule over
// what this coordinator saw of earlier rounds.
import type { Hex } from '../../protocol/bytes.ts';

/** `cohort.adaptive` of a task. */
export interface AdaptiveTerms {
  /** Share of those that are there; they set the pace. */
  readonly quantile: number;
  /** How many times as long as that share took the others are given. */
  readonly margin: number;
  /** No round is closed early before this. */
  readonly minMs: number;
}

/** What was seen of one round. */
export interface RoundPace {
  readonly round: number;
  /** From the opening to the commit. */
  readonly tookMs: Readonly<Record<Hex, number>>;
  /** Were there, had not committed, and were not waited for. */
  readonly leftOut: readonly Hex[];
  /** Were there until the deadline, and had not committed. */
  readonly inVain: readonly Hex[];
}

export interface Expectation {
  /** Undefined for a dealer that has not committed to a round we know of. */
  readonly expectedMs: number | undefined;
  /** Left out so often that this round waits for it until the deadline. */
  readonly inFull: boolean;
}

/** A dealer that is left out is waited for in full once in so many rounds … */
const IN_FULL_EVERY = 4;
/** … and half as often each time that this was in vain, down to once in 32: it may be dead with its link up. */
const MOST_HALVINGS = 3;
/** Share of the old expectation that is left when a commit says otherwise. */
const MEMORY = 0.5;
/** Of what is expected of a dealer that was left out, per round: it may have recovered since it was last seen. */
const FADING = 0.8;

/** @param history ascending by round */
export function expectationOf(dealer: Hex, history: readonly RoundPace[]): Expectation {
  let expectedMs: number | undefined;
  let [leftOut, inVain] = [0, 0];
  for (const pace of history) {
    const tookMs = pace.tookMs[dealer];
    if (tookMs !== undefined) {
      expectedMs = expectedMs === undefined ? tookMs : MEMORY * expectedMs + (1 - MEMORY) * tookMs;
      [leftOut, inVain] = [0, 0];
    } else if (pace.leftOut.includes(dealer)) {
      leftOut += 1;
      expectedMs = expectedMs === undefined ? undefined : FADING * expectedMs;
    } else if (pace.inVain.includes(dealer)) {
      [leftOut, inVain] = [0, inVain + 1];
    }
  }
  const every = IN_FULL_EVERY * 2 ** Math.min(inVain, MOST_HALVINGS);
  return { expectedMs, inFull: leftOut >= every - 1 };
}

/** A round that is collecting, some way in. */
export interface Progress {
  readonly elapsedMs: number;
  /** When each dealer that is in committed, after the opening. */
  readonly tookMs: ReadonlyMap<Hex, number>;
  /** Not in, and neither gone nor declined. */
  readonly awaited: readonly Hex[];
  /** The smallest set that may be fixed. */
  readonly least: number;
}

/** How long the round lasts at most for the sake of those not in; undefined while too few are in to say. */
export function limitMs({ tookMs, awaited, least }: Progress, { quantile, margin, minMs }: AdaptiveTerms) {
  const enough = Math.max(least, Math.ceil(quantile * (tookMs.size + awaited.length)));
  const paceMs = [...tookMs.values()].sort((a, b) => a - b)[enough - 1];
  return paceMs === undefined ? undefined : Math.max(minMs, margin * paceMs);
}

/** The deadline on chain stays the outer bound: whoever asks sees to that. */
export function mayClose(
  progress: Progress,
  terms: AdaptiveTerms,
  expectationOf: (dealer: Hex) => Expectation,
): boolean {
  const limit = limitMs(progress, terms);
  if (limit === undefined || progress.elapsedMs < terms.minMs) return false;
  return progress.awaited.every((dealer) => {
    const { expectedMs = 0, inFull } = expectationOf(dealer);
    return !inFull && (progress.elapsedMs >= limit || expectedMs > limit);
  });
}
