// FedAvg (McMahan et al. 2017): the model moves by the mean of the dealers' updates, weighted by records.
import { z } from 'zod';
import { LOCAL_SGD, meanOf, moved, withServerStep } from './local-sgd.ts';
import { NO_STATE, type Strategy } from './strategy.ts';

export const fedAvgSettings = z.strictObject({ name: z.literal('fedavg'), ...LOCAL_SGD });

export const fedAvg = (settings: z.output<typeof fedAvgSettings>): Strategy =>
  withServerStep(settings, (round) => ({ weights: moved(round.base, meanOf(round, 0)), state: NO_STATE }));
