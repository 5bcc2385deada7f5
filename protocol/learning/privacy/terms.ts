// What a task says of privacy: nothing, or differential privacy per customer with a budget.
import { z } from 'zod';
import { ConcordatError } from '../../errors.ts';

const none = z.strictObject({ mode: z.literal('none') });

export const dpSchema = z.strictObject({
  mode: z.literal('dp'),
  /** Budget of the whole task; a round that would pass it does not take place. */
  epsilon: z.number().positive().max(1_000),
  delta: z.number().positive().max(0.001),
  /** Standard deviation of the noise in a sum, over what one customer can move the sum by (L2). */
  noiseMultiplier: z.number().min(0.1).max(10_000),
  /** What one customer is cut down to: the gradient of dp-fedsgd, the feature vector of dp-ridge. */
  clipNorm: z.number().positive().max(1e6),
  /** Chance that a customer is in a round. Nobody learns who was. */
  samplingRate: z.number().positive().max(1),
  /** Noise of this many dealers is enough: the others may add none, or tell theirs. */
  honestDealers: z.int().min(1).max(1_024),
});

export const privacySchema = z.discriminatedUnion('mode', [none, dpSchema]);
export type PrivacyTerms = z.output<typeof privacySchema>;
export type DpTerms = z.output<typeof dpSchema>;

/** @throws ConcordatError TASK_INVALID: a task with such a strategy is read only with such a budget */
export function dpTermsOf(privacy: PrivacyTerms): DpTerms {
  if (privacy.mode === 'dp') return privacy;
  throw new ConcordatError('TASK_INVALID', 'privacy.mode: the strategy needs a budget: give mode: dp', {
    path: 'privacy.mode',
  });
}
