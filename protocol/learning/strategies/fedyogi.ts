// FedYogi (Reddi et al. 2021): v ← v − (1−β₂)·Δ²·sign(v − Δ²), so that v falls no faster than the squares allow.
import { z } from 'zod';
import { ADAPTIVE, adaptive } from './adaptive.ts';
import type { Strategy } from './strategy.ts';

export const fedYogiSettings = z.strictObject({ name: z.literal('fedyogi'), ...ADAPTIVE });

export const fedYogi = (settings: z.output<typeof fedYogiSettings>): Strategy =>
  adaptive(settings, (v, squared) => v - (1 - settings.beta2) * squared * Math.sign(v - squared));
