// One dealer's part of a round's learning: score the base model on the consented records, then train from it.
import { createTrainer } from '../../engines/tensor/train.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { featureCount, featurise, labelsOf } from '../../protocol/learning/features.ts';
import { histogramOf, type ScoreHistogram } from '../../protocol/learning/metrics.ts';
import type { Model } from '../../protocol/learning/model.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { type LocalUpdate, localUpdate } from '../../protocol/learning/update.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import type { ConsentedRecord } from '../data/gate.ts';

export interface LocalTraining {
  readonly task: Task;
  readonly contract: DataContract;
  readonly base: Model;
  /** At least one. Their order matters to the bits: give them as the gate does. */
  readonly records: readonly ConsentedRecord[];
  /** The committed seed of this dealer, round and attempt: it decides the shuffles. */
  readonly seed: Uint8Array;
  /** Called after each epoch, from 1. */
  readonly onEpoch?: (epoch: number) => void;
}

export interface LocalResult {
  readonly update: LocalUpdate;
  /** Scores of the *base* model over the same records: what the federation's accuracy is computed from. */
  readonly histogram: ScoreHistogram;
  readonly recordCount: number;
  readonly positiveCount: number;
}

/**
 * Deterministic: the same input gives the same bits, so that a round can be replayed.
 * @throws ConcordatError COHORT_TOO_SMALL without a record, TRAINING_DIVERGED, MODEL_MISMATCH, TENSOR_BACKEND_WRONG
 */
export async function trainLocally(input: LocalTraining): Promise<LocalResult> {
  const { task, contract, base, seed, onEpoch } = input;
  if (input.records.length === 0) throw new ConcordatError('COHORT_TOO_SMALL', 'no record is covered by consent');
  const rows = input.records.map((record) => record.row);
  const features = featuresOf(contract, rows);
  const labels = labelsOf(contract, rows);
  const trainer = await createTrainer(task, featureCount(contract));
  const histogram = histogramOf(trainer.score(base.weights, features), labels, task.evaluation.histogramBins);
  const trained = await trainer.fit({
    weights: base.weights,
    features,
    labels,
    seed,
    epochs: task.strategy.localEpochs,
    ...(onEpoch && { onEpoch }),
  });
  return {
    update: localUpdate(base.weights, trained),
    histogram,
    recordCount: rows.length,
    positiveCount: labels.reduce((sum, label) => sum + label, 0),
  };
}

/** A row's features never change, so each is computed once and kept as long as the row is. */
const featuresOfRow = new WeakMap<Row, Float32Array>();

function featuresOf(contract: DataContract, rows: readonly Row[]): Float32Array {
  const width = featureCount(contract);
  const all = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    const known = featuresOfRow.get(row) ?? featurise(contract, row);
    featuresOfRow.set(row, known);
    all.set(known, i * width);
  });
  return all;
}
