// One dealer's part of a round's learning: score the base model on the consented records, then what the strategy asks for.
import { createTrainer } from '../../engines/tensor/train.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { featureCount, featurise, labelsOf } from '../../protocol/learning/features.ts';
import { strategyOf } from '../../protocol/learning/strategies/registry.ts';
import type { StrategyState } from '../../protocol/learning/strategies/strategy.ts';
import type { Task } from '../../protocol/learning/task.ts';
import {
  type Counted,
  type IntegerUpdate,
  quantise,
  type Vector,
  weightFraction,
} from '../../protocol/learning/update.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { countedOf, shapeOf, vectorOf } from '../../protocol/learning/vector.ts';
import type { FillRandom } from '../../protocol/secagg/block.ts';
import type { ConsentedRecord } from '../data/gate.ts';
import type { RoundBase } from './fetch-base.ts';

export interface LocalTraining {
  readonly task: Task;
  readonly contract: DataContract;
  readonly base: Pick<RoundBase, 'weights' | 'serverState'>;
  /** This dealer's own, from the last round that counted. */
  readonly dealerState: StrategyState;
  /** At least one. Their order matters to the bits: give them as the gate does. */
  readonly records: readonly ConsentedRecord[];
  /** The committed seed of this dealer, round and attempt: it decides the shuffles. */
  readonly seed: Uint8Array;
  /** A stream of the attempt's seed. */
  readonly fillRandom: FillRandom;
  /** Called after each epoch, from 1. */
  readonly onEpoch?: (epoch: number) => void;
}

export interface LocalResult {
  /** Before noise. */
  readonly update: IntegerUpdate;
  readonly vector: Vector;
  /** To be kept for the next round, if this attempt counts. */
  readonly dealerState: StrategyState;
  /** How the *base* model does over the same records: what the federation's accuracy is computed from. */
  readonly counted: Counted;
  readonly recordCount: number;
}

/**
 * Deterministic: the same input, and the same bytes from `fillRandom`, give the same bits, so a round can be replayed.
 * @throws ConcordatError COHORT_TOO_SMALL without a record, TRAINING_DIVERGED, MODEL_MISMATCH, TENSOR_BACKEND_WRONG,
 * VALUE_OUT_OF_RANGE
 */
export async function trainLocally(input: LocalTraining): Promise<LocalResult> {
  const { task, contract, base, dealerState, seed, fillRandom, onEpoch } = input;
  if (input.records.length === 0) throw new ConcordatError('COHORT_TOO_SMALL', 'no record is covered by consent');
  const rows = input.records.map((record) => record.row);
  const width = featureCount(contract);
  const features = featuresOf(contract, rows);
  const labels = labelsOf(contract, rows);
  const trainer = await createTrainer(task, width);
  const contribution = await strategyOf(task).contribute({
    shape: shapeOf(task, width),
    base: base.weights,
    serverState: base.serverState,
    dealerState,
    features,
    labels,
    weightFraction: weightFraction(rows.length, task.update.weightBound),
    seed,
    fillRandom,
    trainer,
    ...(onEpoch && { onEpoch }),
  });
  const vector = vectorOf(task, width);
  const counted = countedOf(vector, () => trainer.score(base.weights, features), labels);
  return {
    update: quantise(contribution.parts, counted, vector),
    vector,
    dealerState: contribution.dealerState,
    counted,
    recordCount: rows.length,
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
