// Settings that are tried on folds: of private tasks few, since every look at the same customers costs privacy nobody counts.
import { parse, stringify } from 'yaml';
import { calibrateNoise } from '../../protocol/learning/privacy/accountant.ts';
import { parseTask, type Task } from '../../protocol/learning/task.ts';
import type { Example } from './material.ts';

/** 0 = no budget. */
export type Epsilon = number;

export interface Candidate {
  /** Of the example: decides strategy and contract. */
  readonly file: string;
  readonly settings: Readonly<Record<string, number>>;
  /** A customer's with a budget, a dealer's without. */
  readonly clipNorm: number;
  readonly rounds: number;
}

/** Every combination. */
const ridges = (file: string, clipNorms: number[], momentWeights: number[], penalties: number[]): Candidate[] =>
  clipNorms.flatMap((clipNorm) =>
    momentWeights.flatMap((momentWeight) =>
      penalties.map((penalty) => ({ file, clipNorm, rounds: 1, settings: { momentWeight, penalty } })),
    ),
  );

const descents = (file: string, clipNorms: number[], rates: number[], rounds: number): Candidate[] =>
  clipNorms.flatMap((clipNorm) =>
    rates.map((learningRate) => ({
      file,
      clipNorm,
      rounds,
      settings: { learningRate, momentum: 0.9, averageDecay: 0.95, evaluationShare: 0.1 },
    })),
  );

/** Of tasks without a budget: some settings changed; the clip norm is that of the file. */
const changed = (file: string, rounds: number, ...all: Record<string, number>[]): Candidate[] =>
  all.map((settings) => ({ file, clipNorm: 1.5, rounds, settings }));

const OPEN: Readonly<Record<Example, readonly Candidate[]>> = {
  coil2000: [
    ...changed('tasks/fedadam.yaml', 30, { serverLearningRate: 0.01 }, { serverLearningRate: 0.03 }),
    ...changed(
      'tasks/fedadam.yaml',
      60,
      { serverLearningRate: 0.01 },
      { serverLearningRate: 0.01, batchSize: 128 },
      { serverLearningRate: 0.01, batchSize: 128, learningRate: 0.05 },
    ),
    ...changed('tasks/fedyogi.yaml', 30, { serverLearningRate: 0.01 }, { serverLearningRate: 0.03 }),
    ...changed('tasks/fedavgm.yaml', 30, { momentum: 0.5 }, { momentum: 0.9 }),
  ],
  telco: [],
};

/** The same for every budget. */
const PRIVATE: Readonly<Record<Example, readonly Candidate[]>> = {
  coil2000: [
    ...ridges('tasks/dp-eps8.yaml', [4, 6], [1, 2, 3], [2, 4, 8]),
    ...ridges('tasks/dp-ridge.yaml', [8], [2], [3]),
    ...descents('tasks/dp-fedsgd.yaml', [6], [0.1, 0.2], 100),
  ],
  telco: [
    ...ridges('tasks/dp-ridge.yaml', [5, 7], [1, 3], [1, 2, 4]),
    ...descents('tasks/dp-fedsgd.yaml', [2, 4], [0.05, 0.1, 0.3], 100),
  ],
};

export const candidatesOf = (example: Example, epsilon: Epsilon): readonly Candidate[] =>
  (epsilon === 0 ? OPEN : PRIVATE)[example];

/** Half of twelve dealers, in every candidate: a promise, not a setting to tune. */
const HONEST = 6;

const round3 = (x: number): number => Math.ceil(x * 1_000) / 1_000;

/** The task of a candidate; under a budget, with the least noise that lasts for its rounds. */
export function taskOf(source: string, { clipNorm, rounds, settings }: Candidate, epsilon: Epsilon): Task {
  const document = parse(source);
  const strategy = { ...document.strategy, ...settings };
  const update = { ...document.update, clipNorm };
  if (epsilon === 0) return parseTask(stringify({ ...document, rounds, strategy, update }));
  const { delta, samplingRate } = document.privacy;
  const noiseMultiplier = round3(calibrateNoise({ epsilon, delta, samplingRate, rounds }));
  const cohort = { ...document.cohort, min: HONEST };
  const privacy = { ...document.privacy, epsilon, noiseMultiplier, clipNorm, honestDealers: HONEST };
  return parseTask(stringify({ ...document, rounds, strategy, update, cohort, privacy }));
}
