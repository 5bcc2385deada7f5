// Personalisation (fine-tuning of the last layer at the dealer): a function of its input, so that the same records give the same model.
import { lastLayerInputs, lastLayerOf } from '../../engines/tensor/last-layer.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { sha256, utf8ToBytes } from '../../protocol/bytes.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { type Evaluation, evaluationOf, metricsOf } from '../../protocol/learning/evaluation.ts';
import { featureCount, featurise, labelsOf } from '../../protocol/learning/features.ts';
import { measureOf } from '../../protocol/learning/measure.ts';
import type { Labels } from '../../protocol/learning/strategies/strategy.ts';
import type { DenseModel, Task } from '../../protocol/learning/task.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';

export interface PersonalTask extends Task {
  readonly model: DenseModel;
  readonly personalisation: NonNullable<Task['personalisation']>;
}

export const isPersonal = (task: Task): task is PersonalTask =>
  task.personalisation !== undefined && task.model.kind === 'dense';

/** On records that nothing was tuned on. */
export interface Quality {
  readonly accuracyBps: number;
  /** 0 for a label that is not 0 or 1, and where one of the two is missing. */
  readonly aucBps: number;
  readonly evaluation?: Evaluation;
}

export interface Tuned {
  readonly weights: Float32Array;
  readonly tunedOn: number;
  readonly heldOut: number;
  /** Of the published model. */
  readonly before: Quality;
  readonly after: Quality;
}

export interface PersonalRecord {
  readonly customerId: string;
  readonly row: Row;
}

/** One customer in so many is held out of the tuning. */
const HELD_OUT_OF = 5;
/** With fewer, neither the tuning nor the comparison says anything. */
const LEAST_TUNED = 20;
const LEAST_HELD_OUT = 5;

/** The same for a customer in every round: else the comparison would be on records that an earlier model was tuned on. */
export function isHeldOut(task: Pick<Task, 'hash'>, customerId: string): boolean {
  const [first = 0, second = 0] = sha256(utf8ToBytes(`concordat/1/held-out/${task.hash}/${customerId}`));
  return (256 * first + second) % HELD_OUT_OF === 0;
}

/**
 * Tunes on most of the records and compares on the rest; undefined when they are too few for that.
 * @throws ConcordatError TRAINING_DIVERGED, MODEL_MISMATCH, TENSOR_BACKEND_WRONG, TENSOR_BACKEND_MISSING
 */
export async function tuneLastLayer(
  task: PersonalTask,
  contract: DataContract,
  base: Float32Array,
  records: readonly PersonalRecord[],
): Promise<Tuned | undefined> {
  const held = records.filter(({ customerId }) => isHeldOut(task, customerId));
  const own = records.filter(({ customerId }) => !isHeldOut(task, customerId));
  if (own.length < LEAST_TUNED || held.length < LEAST_HELD_OUT) return undefined;
  const columns = featureCount(contract);
  const trainer = await createTrainer(task, columns);
  const weights = await tuned(task, columns, base, examplesOf(contract, own));
  const { features, labels } = examplesOf(contract, held);
  const quality = (of: Float32Array) => qualityOf(task, trainer.score(of, features), labels);
  return { weights, tunedOn: own.length, heldOut: held.length, before: quality(base), after: quality(weights) };
}

interface Examples {
  readonly features: Float32Array;
  readonly labels: Labels;
}

function examplesOf(contract: DataContract, records: readonly PersonalRecord[]): Examples {
  const rows = records.map(({ row }) => row);
  const width = featureCount(contract);
  const features = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    features.set(featurise(contract, row), i * width);
  });
  return { features, labels: labelsOf(contract, rows) };
}

/** The last layer is trained as a model of its own, on what the layers under it make of the rows: they cannot move. */
async function tuned(task: PersonalTask, columns: number, base: Float32Array, { features, labels }: Examples) {
  const { localEpochs, learningRate, batchSize } = task.personalisation;
  const last = lastLayerOf(task.model, columns);
  const inputs = await lastLayerInputs(task, columns, base, features);
  const trainer = await createTrainer({ model: last.model, backend: task.backend }, last.inputs);
  const head = await trainer.fit({
    weights: base.slice(last.from),
    features: inputs,
    labels,
    // public, and fixed: nothing of it leaves, and the same records are to give the same model
    seed: sha256(utf8ToBytes(`concordat/1/personal/${task.hash}`)),
    epochs: localEpochs,
    batchSize,
    learningRate,
  });
  const weights = base.slice();
  weights.set(head, last.from);
  return weights;
}

function qualityOf(task: Task, scores: Float32Array, labels: Labels): Quality {
  const measure = measureOf(task);
  const measured = measure.read(measure.countsOf(scores, labels), measure.momentsOf(scores, labels));
  const evaluation = evaluationOf(measured);
  return { ...metricsOf(measured, task.evaluation), ...(evaluation && { evaluation }) };
}
