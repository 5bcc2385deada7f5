// What a task may say of its strategy: one entry per strategy.
import { z } from 'zod';
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
