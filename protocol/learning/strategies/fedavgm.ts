// FedAvgM (Hsu, Qi and Brown 2019): momentum at the server. v ← βv + Δ; w ← w + ηv.
import { z } from 'zod';
import { LOCAL_SGD, meanOf, moved, serverRate, withServerStep } from './local-sgd.ts';
import type { Strategy } from './strategy.ts';

export const fedAvgMSettings = z.strictObject({
  name: z.literal('fedavgm'),
  ...LOCAL_SGD,
  serverLearningRate: serverRate,
  /** β */
  momentum: z.number().min(0).lt(1),
});

export const fedAvgM = (settings: z.output<typeof fedAvgMSettings>): Strategy =>
  withServerStep(settings, (round) => {
    const before = round.state.velocity;
    const velocity = meanOf(round, 0).map((delta, i) => settings.momentum * (before?.[i] ?? 0) + delta);
    return { weights: moved(round.base, velocity, settings.serverLearningRate), state: { velocity } };
  });
