// From consented records to the values that get sealed: a function of its input and of one attempt's seed, and of nothing else.
import { type AttemptRandom, traceOf } from '../engines/keys/attempt-random.ts';
import type { DataContract } from '../protocol/learning/data-contract.ts';
import type { StrategyState } from '../protocol/learning/strategies/strategy.ts';
import type { Task } from '../protocol/learning/task.ts';
import { addNoise, encodeUpdate } from '../protocol/learning/update.ts';
import type { StageTraces } from '../protocol/secagg/attempt.ts';
import type { ConsentedRecord } from './data/gate.ts';
import { noiseOf } from './privacy/noise.ts';
import type { RoundBase } from './train/fetch-base.ts';
import { trainLocally } from './train/local.ts';

export interface UpdateInput {
  readonly task: Task;
  readonly contract: DataContract;
  readonly base: Pick<RoundBase, 'weights' | 'serverState'>;
  /** Before the round. */
  readonly dealerState: StrategyState;
  /** As the gate gives them. */
  readonly records: readonly ConsentedRecord[];
  readonly random: AttemptRandom;
}

export interface ComputedUpdate {
  readonly values: Uint16Array;
  /** For the next round, if this attempt counts. */
  readonly dealerState: StrategyState;
  readonly traces: StageTraces;
}

const TRAINING_SEED_BYTES = 32;

/** @throws ConcordatError as `trainLocally` */
export async function computeUpdate(input: UpdateInput): Promise<ComputedUpdate> {
  const { random, task, contract, ...work } = input;
  const seed = random.bytes('training', TRAINING_SEED_BYTES);
  const local = await trainLocally({ ...work, task, contract, seed, fillRandom: random.stream('strategy') });
  const noisy = addNoise(local.update, local.vector, noiseOf(task, contract, random.stream('noise')));
  const { values } = encodeUpdate(noisy, local.vector);
  const key = random.bytes('stages', 32);
  const traces = {
    training: traceOf(key, 'training', local.update.levels),
    noise: traceOf(key, 'noise', [values]),
  };
  key.fill(0);
  return { values, dealerState: local.dealerState, traces };
}
