// From what a task says to the strategy itself: one line per strategy.
import { dpFedSgd } from './dp-fedsgd.ts';
import { dpRidge } from './dp-ridge.ts';
import { fedAdam } from './fedadam.ts';
import { fedAvg } from './fedavg.ts';
import { fedAvgM } from './fedavgm.ts';
import { fedProx } from './fedprox.ts';
import { fedYogi } from './fedyogi.ts';
import { ridge } from './ridge.ts';
import { scaffold } from './scaffold.ts';
import type { StrategySettings } from './settings.ts';
import type { Strategy } from './strategy.ts';

export function strategyOf({ strategy }: { readonly strategy: StrategySettings }): Strategy {
  switch (strategy.name) {
    case 'fedavg':
      return fedAvg(strategy);
    case 'fedprox':
      return fedProx(strategy);
    case 'fedavgm':
      return fedAvgM(strategy);
    case 'fedadam':
      return fedAdam(strategy);
    case 'fedyogi':
      return fedYogi(strategy);
    case 'scaffold':
      return scaffold(strategy);
    case 'ridge':
      return ridge(strategy);
    case 'dp-fedsgd':
      return dpFedSgd(strategy);
    case 'dp-ridge':
      return dpRidge(strategy);
  }
}
