// A whole federation's learning in one process: train, clip, quantise, add noise, add up, read, step, as dealers and coordinator do
// it. Only the cryptography is left out: the sum is taken in the clear.
import { randomFillSync } from 'node:crypto';
import type { Trainer } from '../engines/tensor/train.ts';
import { utf8ToBytes } from '../protocol/bytes.ts';
import type { Measured } from '../protocol/learning/measure.ts';
import { createNoise } from '../protocol/learning/privacy/noise.ts';
import { serverStep } from '../protocol/learning/server-optimiser.ts';
import { strategyOf } from '../protocol/learning/strategies/registry.ts';
import { type Labels, NO_STATE, type StrategyState } from '../protocol/learning/strategies/strategy.ts';
import type { TaskDocument } from '../protocol/learning/task.ts';
import * as update from '../protocol/learning/update.ts';
import { countedOf, shapeOf, vectorOf } from '../protocol/learning/vector.ts';
import type { FillRandom } from '../protocol/secagg/block.ts';

/** Records as numbers. */
export interface Examples {
  /** rows × features */
  readonly features: Float32Array;
  readonly labels: Labels;
}

export interface Simulation {
  readonly task: TaskDocument;
  /** Columns of a row. */
  readonly features: number;
  readonly trainer: Trainer;
  /** Without those that have no record. */
  readonly dealers: readonly Examples[];
  readonly initial: Float32Array;
  readonly seed: string;
  /** Noise, dither, and who is sampled: the system's CSPRNG, as at a dealer, unless a benchmark wants the same again. */
  readonly fillRandom?: FillRandom;
}

export interface SimulatedRound {
  readonly round: number;
  readonly weights: Float32Array;
  readonly state: StrategyState;
  /** Of the model that the round started from. */
  readonly measured: Measured;
}

/** Round after round, as many as are asked for. */
export async function* simulate(simulation: Simulation): AsyncGenerator<SimulatedRound, never> {
  const { task, features, dealers } = simulation;
  const vector = vectorOf(task, features);
  const { weightBound } = task.update;
  const records = dealers.map(({ labels }) => labels.length);
  const own = dealers.map(() => NO_STATE);
  let [weights, state] = [simulation.initial, NO_STATE];
  for (let round = 1; ; round++) {
    const opened = new Uint32Array(vector.length);
    for (const [i, dealer] of dealers.entries()) {
      const sent = await takePart(simulation, dealer, {
        base: weights,
        serverState: state,
        dealerState: own[i] ?? NO_STATE,
        seed: utf8ToBytes(`${simulation.seed}/${round}/${i}`),
      });
      own[i] = sent.dealerState;
      sent.values.forEach((value, at) => {
        opened[at] = (opened[at] ?? 0) + value;
      });
    }
    const { sums, measured } = update.decodeSums(opened, vector, dealers.length);
    const totalWeightFraction = update.totalWeightFraction(records, weightBound);
    const shape = shapeOf(task, features);
    const made = serverStep(task, { shape, base: weights, state, sums, dealers: dealers.length, totalWeightFraction });
    ({ weights, state } = made);
    yield { round, weights, state, measured };
  }
}

/** The last of `rounds` rounds. */
export async function simulateRounds(simulation: Simulation, rounds: number): Promise<SimulatedRound> {
  const running = simulate(simulation);
  for (;;) {
    const { value } = await running.next();
    if (value.round >= rounds) return value;
  }
}

interface Moment {
  readonly base: Float32Array;
  readonly serverState: StrategyState;
  readonly dealerState: StrategyState;
  readonly seed: Uint8Array;
}

async function takePart(simulation: Simulation, dealer: Examples, moment: Moment) {
  const { task, features, trainer, fillRandom = randomFillSync } = simulation;
  const vector = vectorOf(task, features);
  const [strategy, shape] = [strategyOf(task), shapeOf(task, features)];
  const { parts, dealerState } = await strategy.contribute({
    ...moment,
    ...dealer,
    shape,
    weightFraction: update.weightFraction(dealer.labels.length, task.update.weightBound),
    fillRandom,
    trainer,
  });
  const counted = countedOf(vector, () => trainer.score(moment.base, dealer.features), dealer.labels);
  const release = strategy.release?.(shape);
  const noise = release && createNoise(release.shareVariance, fillRandom);
  const noisy = update.addNoise(update.quantise(parts, counted, vector), vector, noise);
  return { values: update.encodeUpdate(noisy, vector).values, dealerState };
}
