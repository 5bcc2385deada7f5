// What a model puts out: one probability, one per class, or a number. Its loss and its last layer say which.
import type { TaskFault } from './strategies/strategy.ts';
import { headOf } from './topology.ts';

export const ACTIVATIONS = ['relu', 'tanh', 'sigmoid', 'softmax', 'linear'] as const;
export type Activation = (typeof ACTIVATIONS)[number];

export const LOSSES = ['sigmoid-cross-entropy', 'softmax-cross-entropy', 'squared'] as const;

/** Two classes are `binary`; `classes` are three or more; `regression` is of a number between public bounds. */
export type TaskType = 'binary' | 'classes' | 'regression';

export const CLASSES = { least: 3, most: 64 } as const;

export interface Output {
  readonly type: TaskType;
  /** Scores of a row. */
  readonly units: number;
}

interface Layer {
  readonly units: number;
  readonly activation: string;
}

/** What of a model decides its output: dense layers, or a topology of Keras layers. */
export interface OutputModel {
  readonly loss: string;
  readonly layers?: readonly Layer[];
  readonly topology?: Readonly<Record<string, unknown>>;
}

const lastLayer = ({ layers, topology }: OutputModel): Layer | undefined =>
  topology ? headOf(topology) : layers?.at(-1);

export function outputOf(model: OutputModel): Output {
  const { loss } = model;
  const last = lastLayer(model);
  if (loss === 'softmax-cross-entropy') return { type: 'classes', units: last?.units ?? 0 };
  return { type: loss === 'squared' && last?.activation === 'linear' ? 'regression' : 'binary', units: 1 };
}

/** A loss with the activation that makes its gradient (score − target): what descends, descends on these alone. */
export function isCanonical(model: OutputModel): boolean {
  const activation = lastLayer(model)?.activation;
  const canonical = { 'sigmoid-cross-entropy': 'sigmoid', 'softmax-cross-entropy': 'softmax', squared: 'linear' };
  return activation === canonical[model.loss as keyof typeof canonical];
}

/** What of the layers does not fit the loss, or one another. */
export function outputFaults(model: OutputModel & { readonly positiveWeight: number }): TaskFault[] {
  const { layers = [] } = model;
  const last = layers.length - 1;
  const hidden = layers.slice(0, last).flatMap(({ activation }, i): TaskFault[] => {
    if (activation === 'relu' || activation === 'tanh') return [];
    return [{ path: `model.layers.${i}.activation`, advice: `${activation} is for the last layer: use relu or tanh` }];
  });
  const head = lastLayer(model);
  const wrong = head && lastLayerFault(model.loss, head);
  const path = model.topology ? 'model.topology' : `model.layers.${last}`;
  const faults = wrong === undefined ? hidden : [...hidden, { path, advice: wrong }];
  if (model.positiveWeight === 1 || outputOf(model).type === 'binary') return faults;
  return [...faults, { path: 'model.positiveWeight', advice: 'only a label of 0 or 1 has positives: give 1' }];
}

function lastLayerFault(loss: string, { units, activation }: Layer): string | undefined {
  switch (loss) {
    case 'softmax-cross-entropy':
      if (activation === 'softmax' && units >= CLASSES.least && units <= CLASSES.most) return undefined;
      return `the last layer has a unit per class: give it activation: softmax and ${CLASSES.least} to ${CLASSES.most} units`;
    case 'squared':
      if (units === 1 && (activation === 'sigmoid' || activation === 'linear')) return undefined;
      return 'the last layer is the score: give it units: 1, and activation: sigmoid for a label of 0 or 1, linear for a number';
    default:
      if (units === 1 && activation === 'sigmoid') return undefined;
      return 'the last layer is the score: give it units: 1 and activation: sigmoid';
  }
}
