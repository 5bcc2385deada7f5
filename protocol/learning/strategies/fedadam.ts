// FedAdam (Reddi et al. 2021): v ← β₂v + (1−β₂)Δ².
import { z } from 'zod';
import { ADAPTIVE, adaptive } from './adaptive.ts';
import type { Strategy } from './strategy.ts';

export const fedAdamSettings = z.strictObject({ name: z.literal('fedadam'), ...ADAPTIVE });

export const fedAdam = (settings: z.output<typeof fedAdamSettings>): Strategy =>
  adaptive(settings, (v, squared) => settings.beta2 * v + (1 - settings.beta2) * squared);
