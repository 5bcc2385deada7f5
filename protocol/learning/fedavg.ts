// FedAvg (McMahan et al. 2017): the model moves by the mean of the dealers' updates, weighted by records.
import type { ServerOptimiser } from './optimiser.ts';

export const fedAvg: ServerOptimiser = (weights, delta, state) => ({
  weights: weights.map((weight, i) => weight + (delta[i] ?? 0)),
  state,
});
