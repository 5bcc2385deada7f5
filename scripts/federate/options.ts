// What `concordat federate` can be told.

export interface FederateOptions {
  readonly example: string;
  /** Bring your own: a CSV and its data contract, instead of the example's. */
  readonly data?: string;
  readonly contract?: string;
  /** Another task than the example's: its model, strategy and evaluation. */
  readonly task?: string;
  readonly dealers: number;
  /** As many as the task says when left out. */
  readonly rounds?: number;
  readonly seed: number;
  readonly keyHolders: number;
  readonly threshold: number;
  /** Processes beside the coordinator, which is a witness too. */
  readonly witnesses: number;
  /** Witnesses that must sign an anchor; all of them when left out. */
  readonly witnessQuorum?: number;
  readonly keep: boolean;
  readonly out: string;
  readonly json?: string;
  readonly cacheDir: string;
}

export const witnessQuorumOf = ({ witnesses, witnessQuorum }: FederateOptions): number =>
  witnessQuorum ?? 1 + witnesses;

/** Rounds before the customer withdraws; with fewer than two rounds nobody does. */
export const withdrawalAfter = (rounds: number): number | undefined =>
  rounds < 2 ? undefined : Math.min(5, rounds - 1);
