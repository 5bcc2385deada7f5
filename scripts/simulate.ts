// A whole federation's learning in one process: train, quantise, add, read, step. Only the cryptography is left out, and the
// noise of a task with a privacy budget: what it costs is the distance to this. The sum is taken in the clear.
import { randomFillSync } from 'node:crypto';
import type { Trainer } from '../engines/tensor/train.ts';
import { utf8ToBytes } from '../protocol/bytes.ts';
import { histogramOf, type ScoreHistogram } from '../protocol/learning/metrics.ts';
import { serverStep } from '../protocol/learning/server-optimiser.ts';
import { strategyOf } from '../protocol/learning/strategies/registry.ts';
import { NO_STATE, type StrategyState } from '../protocol/learning/strategies/strategy.ts';
import type { TaskDocument } from '../protocol/learning/task.ts';
import * as update from '../protocol/learning/update.ts';
import { shapeOf, vectorOf } from '../protocol/learning/vector.ts';

/** Records as numbers. */
export interface Examples {
  /** rows × features */
  readonly features: Float32Array;
  /** 0 or 1 per row */
  readonly labels: Uint8Array;
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
}

export interface SimulatedRound {
  readonly round: number;
  readonly weights: Float32Array;
  readonly state: StrategyState;
  /** Scores of the model that the round started from. */
  readonly histogram: ScoreHistogram;
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
    const { sums, histogram } = update.decodeSums(opened, vector, dealers.length);
    const totalWeightFraction = update.totalWeightFraction(records, weightBound);
    const shape = shapeOf(task, features);
    const made = serverStep(task, { shape, base: weights, state, sums, dealers: dealers.length, totalWeightFraction });
    ({ weights, state } = made);
    yield { round, weights, state, histogram };
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

async function takePart({ task, features, trainer }: Simulation, dealer: Examples, moment: Moment) {
  const vector = vectorOf(task, features);
  const { parts, dealerState } = await strategyOf(task).contribute({
    ...moment,
    ...dealer,
    shape: shapeOf(task, features),
    weightFraction: update.weightFraction(dealer.labels.length, task.update.weightBound),
    fillRandom: randomFillSync,
    trainer,
  });
  const [{ length: bins }] = vector.evaluation; // none when the strategy sends its own counts
  const scores = bins > 0 ? trainer.score(moment.base, dealer.features) : [];
  const counts = histogramOf(scores, dealer.labels, bins);
  const noisy = update.addNoise(update.quantise(parts, counts, vector), vector, undefined);
  return { values: update.encodeUpdate(noisy, vector).values, dealerState };
}
