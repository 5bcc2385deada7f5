// What a task may say of its strategy: one entry per strategy.
import { z } from 'zod';
import type { Sketch } from '../sketch.ts';
import { dpFedSgdSettings } from './dp-fedsgd.ts';
import { dpRidgeSettings } from './dp-ridge.ts';
import { fedAdamSettings } from './fedadam.ts';
import { fedAvgSettings } from './fedavg.ts';
import { fedAvgMSettings } from './fedavgm.ts';
import { fedProxSettings } from './fedprox.ts';
import { fedYogiSettings } from './fedyogi.ts';
import { ridgeSettings } from './ridge.ts';
import { scaffoldSettings } from './scaffold.ts';

export const strategySchema = z.discriminatedUnion('name', [
  fedAvgSettings,
  fedProxSettings,
  fedAvgMSettings,
  fedAdamSettings,
  fedYogiSettings,
  scaffoldSettings,
  ridgeSettings,
  dpFedSgdSettings,
  dpRidgeSettings,
]);

export type StrategySettings = z.output<typeof strategySchema>;

/** What is known of them, to look for faults with: every setting is a number, and NaN compares with none. */
export function knownSettings(sketch: Sketch<StrategySettings> | undefined): StrategySettings | undefined {
  const shape = strategySchema.options.find((option) => option.shape.name.value === sketch?.name)?.shape;
  if (sketch === undefined || shape === undefined) return undefined;
  const known = new Map<string, unknown>(Object.entries(sketch));
  const settings = Object.keys(shape).map((key) => [key, known.get(key) ?? Number.NaN]);
  return Object.fromEntries(settings) as StrategySettings;
}
