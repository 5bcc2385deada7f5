// What a model puts out: one probability, one per class, or a number. Its loss and its last layer say which.
import type { Sketch } from './sketch.ts';
import type { TaskFault } from './strategies/strategy.ts';
import { headOf, readableTopology } from './topology.ts';

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

/** undefined of a topology that cannot be read. */
function lastLayer({ layers, topology }: Sketch<OutputModel>): Sketch<Layer> | undefined {
  if (topology === undefined) return layers?.at(-1);
  return readableTopology(topology) && headOf(topology);
}

export function outputOf(model: OutputModel): Output {
  const type = typeOf(model) ?? 'binary';
  return { type, units: type === 'classes' ? (lastLayer(model)?.units ?? 0) : 1 };
}

/** What it may be learning; several while its loss or its last layer is not known, or fits nothing. */
export function possibleTypes(model: Sketch<OutputModel>): readonly TaskType[] {
  switch (model.loss) {
    case 'softmax-cross-entropy':
      return ['classes'];
    case 'sigmoid-cross-entropy':
      return ['binary'];
    case 'squared': {
      const activation = lastLayer(model)?.activation;
      if (activation === 'linear') return ['regression'];
      return activation === 'sigmoid' ? ['binary'] : ['binary', 'regression'];
    }
    default:
      return ['binary', 'classes', 'regression'];
  }
}

/** undefined while nobody knows. */
export function typeOf(model: Sketch<OutputModel>): TaskType | undefined {
  const [type, another] = possibleTypes(model);
  return another === undefined ? type : undefined;
}

/** The one fitting pair of loss and activation whose gradient is not (score − target). */
export const isSquashed = (model: Sketch<OutputModel>): boolean =>
  model.loss === 'squared' && lastLayer(model)?.activation === 'sigmoid';

/**
 * What of the layers does not fit the loss, or one another.
 * @param label what the data contract's label asks for, once that is known
 */
export function outputFaults(
  model: Sketch<OutputModel & { readonly positiveWeight: number }>,
  label?: Output,
): TaskFault[] {
  const { layers = [], positiveWeight = 1 } = model;
  const hidden = layers.slice(0, -1).flatMap((layer, i): TaskFault[] => {
    const activation = layer?.activation;
    if (activation === undefined || activation === 'relu' || activation === 'tanh') return [];
    return [{ path: `model.layers.${i}.activation`, advice: `${activation} is for the last layer: use relu or tanh` }];
  });
  const type = label?.type ?? typeOf(model);
  const hasPositives = positiveWeight === 1 || type === undefined || type === 'binary';
  const positives = { path: 'model.positiveWeight', advice: 'only a label of 0 or 1 has positives: give 1' };
  return [...hidden, ...lastLayerFaults(model, label), ...(hasPositives ? [] : [positives])];
}

function lastLayerFaults(model: Sketch<OutputModel>, label: Output | undefined): TaskFault[] {
  const [head, types] = [lastLayer(model), possibleTypes(model)];
  if (head === undefined || fitsLoss(model.loss, head)) return [];
  // of a loss for another kind of label, `contractMatchFaults` says so: advice on its last layer would lead further astray
  if (label && !types.includes(label.type)) return [];
  const path = model.topology ? 'model.topology' : `model.layers.${(model.layers?.length ?? 1) - 1}`;
  return [{ path, advice: lastLayerAdvice(model.loss, label) }];
}

/** A head that is not known fits. */
function fitsLoss(loss: string | undefined, { units, activation }: Sketch<Layer>): boolean {
  const puts = (...activations: readonly string[]) => activation === undefined || activations.includes(activation);
  switch (loss) {
    case undefined:
      return true;
    case 'softmax-cross-entropy':
      return puts('softmax') && (units === undefined || (units >= CLASSES.least && units <= CLASSES.most));
    case 'squared':
      return puts('sigmoid', 'linear') && (units === undefined || units === 1);
    default:
      return puts('sigmoid') && (units === undefined || units === 1);
  }
}

function lastLayerAdvice(loss: string | undefined, label: Output | undefined): string {
  switch (loss) {
    case 'softmax-cross-entropy':
      return `the last layer has a unit per class: give it activation: softmax and ${label?.units ?? `${CLASSES.least} to ${CLASSES.most}`} units`;
    case 'squared':
      return 'the last layer is the score: give it units: 1, and activation: sigmoid for a label of 0 or 1, linear for a number';
    default:
      return 'the last layer is the score: give it units: 1 and activation: sigmoid';
  }
}

/** Units of a last layer that fits its loss; of another one `outputFaults` says how many it should have. */
export function unitsOf(model: Sketch<OutputModel>): number | undefined {
  const [head, type] = [lastLayer(model), typeOf(model)];
  if (head === undefined || type === undefined || !fitsLoss(model.loss, head)) return undefined;
  return type === 'classes' ? head.units : 1;
}
