// FedProx (Li et al. 2020): FedAvg whose dealers are held near the base model by (μ/2)·|w − base|².
import { z } from 'zod';
import { deltaParts, LOCAL_SGD, meanOf, moved, sendDelta, sgdFaults } from './local-sgd.ts';
import { NO_STATE, type Strategy } from './strategy.ts';

export const fedProxSettings = z.strictObject({
  name: z.literal('fedprox'),
  ...LOCAL_SGD,
  /** μ */
  proximal: z.number().min(0).max(100),
});

export const fedProx = (settings: z.output<typeof fedProxSettings>): Strategy => ({
  faults: (terms) => sgdFaults(terms, settings, settings.proximal),
  parts: deltaParts,
  contribute: (work) => sendDelta(work, settings, { proximal: settings.proximal }),
  step: (round) => ({ weights: moved(round.base, meanOf(round, 0)), state: NO_STATE }),
});
