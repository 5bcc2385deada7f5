// What the learning benchmark runs per example: name -> task file, and how the file is changed for it.
import type { Task } from '../../protocol/learning/task.ts';
import type { Example } from './material.ts';

export interface Planned {
  readonly name: string;
  readonly file: string;
  readonly change?: (task: Task) => Task;
}

interface Plan {
  /** The first is what `centralised` and `localMean` are of. */
  readonly strategies: readonly Planned[];
  /** Name = epsilon. */
  readonly dp: readonly Planned[];
}

/** Half as many bytes; the range is the norm that updates have, since 8 bits have no room to spare (clipped, but hardly). */
const eightBits = (task: Task): Task => ({ ...task, update: { ...task.update, valueBits: 8, clipNorm: 0.5 } });
const task = (name: string): Planned => ({ name, file: `tasks/${name}.yaml` });
const budget = (epsilon: string): Planned => ({ name: epsilon, file: `tasks/dp-eps${epsilon}.yaml` });

/** The example stops after 10: most is learnt by then, and every round has its price. */
const threeTimes = (task: Task): Task => ({ ...task, rounds: 30 });

/** As many epochs altogether, and five times as many rounds: dealers drift apart less in between (McMahan et al. 2017, §3). */
const oneEpoch = (task: Task): Task => {
  const { strategy } = task;
  if (strategy.name !== 'fedavg') throw new Error(`${strategy.name} is not fedavg`);
  return { ...task, rounds: task.rounds * strategy.localEpochs, strategy: { ...strategy, localEpochs: 1 } };
};

const OWN: readonly Planned[] = [
  { name: 'fedavg', file: 'task.yaml' },
  { name: 'fedavg, 8 bits', file: 'task.yaml', change: eightBits },
  { name: 'fedavg, 30 rounds', file: 'task.yaml', change: threeTimes },
  { name: 'fedavg, one epoch a round', file: 'task.yaml', change: oneEpoch },
];

export const PLANS: Readonly<Record<Example, Plan>> = {
  coil2000: {
    strategies: [...OWN, ...['fedprox', 'fedavgm', 'fedadam', 'fedyogi', 'scaffold', 'ridge'].map(task)],
    dp: ['8', '3', '1'].map(budget),
  },
  telco: { strategies: OWN, dp: ['8', '3', '1'].map(budget) },
};
