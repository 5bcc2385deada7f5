// The end of a round: from the opened values to the next model file and the file of what its strategy carries on. The coordinator
// makes them, a dealer makes them again before it trains from them.
import type { Hex } from '../bytes.ts';
import { encodeModel, type Model, type ModelLayout, modelHash } from './model.ts';
import { serverStep } from './server-optimiser.ts';
import type { Shape, StrategyState } from './strategies/strategy.ts';
import { encodeState, stateHash } from './strategy-state.ts';
import type { Task } from './task.ts';
import { decodeSums, type OpenedUpdate, totalWeightFraction, type Vector } from './update.ts';

/** Of the task. */
export interface ModelTerms {
  readonly task: Task;
  readonly layout: ModelLayout;
  readonly shape: Shape;
  readonly vector: Vector;
}

/** Where a round starts: the weights, and what the strategy carried on from the rounds before. */
export interface ModelAndState {
  readonly model: Model;
  readonly state: StrategyState;
}

export interface NextModel extends ModelAndState {
  readonly hash: Hex;
  readonly file: Uint8Array;
  /** Of `state`; undefined when that is nothing. */
  readonly stateFile: Uint8Array | undefined;
  /** How the model that the round started from does. */
  readonly measured: OpenedUpdate['measured'];
}

/**
 * @param values as opened
 * @param weights records that each dealer of the set counts for
 * @throws ConcordatError VALUE_OUT_OF_RANGE, MODEL_MISMATCH, TRAINING_DIVERGED
 */
export function nextModel(
  { task, layout, shape, vector }: ModelTerms,
  base: ModelAndState,
  values: Uint32Array,
  weights: readonly number[],
): NextModel {
  const { sums, measured } = decodeSums(values, vector, weights.length);
  const next = serverStep(task, {
    shape,
    base: base.model.weights,
    state: base.state,
    sums,
    dealers: weights.length,
    totalWeightFraction: totalWeightFraction(weights, task.update.weightBound),
  });
  const state = stateHash(next.state);
  const model = { layout, weights: next.weights, ...(state && { state }) };
  const file = encodeModel(model);
  return { model, state: next.state, hash: modelHash(file), file, stateFile: encodeState(next.state), measured };
}
