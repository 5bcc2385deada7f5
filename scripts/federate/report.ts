// Everything a run has to say: what `--json` writes and the result screen shows.
import type { Hex } from '../../protocol/bytes.ts';
import type { Evaluation } from '../../protocol/learning/evaluation.ts';

/** Quality on the hold-out that no dealer has. */
export interface Quality {
  /** Not a number (null in JSON) where a label is missing, or is not 0 or 1. */
  readonly auc: number;
  /** Positives among the `topK` best-scored rows of the hold-out. */
  readonly hits: number;
  /** The same figure under the name it has for CoIL 2000, whose `topK` is 800 of 4,000; elsewhere left out. */
  readonly hits800?: number;
  /** Of classes and of numbers, which are not ranked: by name, a number's in its own unit. */
  readonly figures?: Readonly<Record<string, number>>;
}

export interface RoundReport {
  readonly round: number;
  readonly dealers: number;
  readonly records: number;
  /** Of the model the round started from, over the records in the round, by secure sum; basis points. */
  readonly accuracyBps: number;
  readonly aucBps: number;
  /** What more the same opened counts say. */
  readonly evaluation?: Evaluation;
  readonly timingsMs: Readonly<Record<string, number>>;
  /** The slowest dealer's training time. */
  readonly trainingMs: number;
  /** Round time beyond that. */
  readonly overheadMs: number;
}

export interface WithdrawalReport {
  /** First round the customer is out of. */
  readonly round: number;
  readonly afterRound: number;
  readonly subject: Hex;
  readonly dealer: Hex;
  readonly refusedStaleCommit: boolean;
  /** The refused transaction, mined and reverted. */
  readonly refusal: { readonly txHash: Hex; readonly blockNumber: number; readonly reason: string };
  readonly oldRoot: Hex;
  readonly newRoot: Hex;
  /** From the signed withdrawal to the anchored root. */
  readonly effectiveMs: number;
  /** Rounds in which a proof under the dealer's committed records root shows the customer present, and absent. */
  readonly usedInRounds: readonly number[];
  readonly absentFromRounds: readonly number[];
}

/** The coordinator is one of them. */
export interface WitnessReport {
  readonly count: number;
  readonly quorum: number;
  /** Compared: of all dealers, as the witnesses and the chain have them. */
  readonly anchors: number;
}

export interface FederationReport {
  readonly formatVersion: 1;
  readonly example: string;
  /** Of the task. */
  readonly title: string;
  readonly seed: number;
  readonly dealers: number;
  readonly keyHolders: { readonly count: number; readonly threshold: number };
  readonly rounds: number;
  readonly holdOut: { readonly rows: number; readonly positives: number; readonly topK: number };
  readonly consent: {
    readonly simulated: boolean;
    readonly customers: number;
    readonly policies: number;
    readonly covered: number;
    readonly refusals: Readonly<Record<string, number>>;
  };
  readonly federated: Quality;
  readonly centralised: Quality;
  readonly localMean: Quality;
  readonly roundDetails: readonly RoundReport[];
  readonly timingsMs: Readonly<Record<string, number>>;
  readonly bytesPerDealerPerRound: number;
  readonly parameters: number;
  readonly proofs: {
    readonly count: number;
    readonly policies: number;
    readonly totalMs: number;
    readonly meanMs: number;
  };
  readonly gas: Readonly<Record<string, number>>;
  readonly audit: { readonly checks: number; readonly failed: number; readonly failures: readonly string[] };
  /** undefined when the coordinator was the only one. */
  readonly witnesses: WitnessReport | undefined;
  readonly withdrawal: WithdrawalReport | undefined;
}
