// The shape of a server optimiser: what every federated strategy is, on the coordinator's side.

/** Moments and the like that a strategy carries from round to round; FedAvg carries nothing. */
export type OptimiserState = Readonly<Record<string, Float64Array>>;

export interface ServerStep {
  readonly weights: Float32Array;
  readonly state: OptimiserState;
}

/** Computes in float64 and rounds to float32 once, at the end. */
export type ServerOptimiser = (weights: Float32Array, delta: Float64Array, state: OptimiserState) => ServerStep;
