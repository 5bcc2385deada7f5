// What the federation is compared with: one central model over all consented records, and each dealer on its own.
import { createTrainer } from '../engines/tensor/train.ts';
import { utf8ToBytes } from '../protocol/bytes.ts';
import type { DataContract } from '../protocol/learning/data-contract.ts';
import { evaluationOf, metricsOf } from '../protocol/learning/evaluation.ts';
import { featureCount, featuriseAll, labelsOf } from '../protocol/learning/features.ts';
import { measureOf } from '../protocol/learning/measure.ts';
import { auc, hitsAtTop } from '../protocol/learning/metrics.ts';
import { initialModel } from '../protocol/learning/model.ts';
import type { Task } from '../protocol/learning/task.ts';
import type { Row } from '../protocol/learning/validate-row.ts';
import { type Examples, simulateRounds } from './simulate.ts';

export interface Score {
  /** Undefined when the hold-out has one label only. */
  readonly auc: number | undefined;
  /** Positives among the `k` best of the hold-out. */
  readonly hits: number;
  readonly k: number;
  /** Of classes and of numbers, which are not ranked: by name, a number's in its own unit. */
  readonly figures?: Figures;
}

export type Figures = Readonly<Record<string, number>>;

export interface BaselineInput {
  readonly task: Task;
  readonly contract: DataContract;
  readonly holdOut: Examples;
  readonly seed: string;
}

/** A fifth of the hold-out is contacted: 800 of CoIL's 4,000, as in the challenge. */
export const contacted = (holdOut: Examples): number => Math.round(holdOut.labels.length / 5);

export const examplesOf = (contract: DataContract, rows: readonly Row[]): Examples => ({
  features: featuriseAll(contract, rows),
  labels: labelsOf(contract, rows),
});

export function scoreOf(scores: Float32Array, holdOut: Examples): Score {
  const k = contacted(holdOut);
  return { auc: auc(scores, holdOut.labels), hits: hitsAtTop(scores, holdOut.labels, k), k };
}

/** How good scores are, for whatever the label asks. */
export function scoreFor(task: Task, contract: DataContract, scores: Float32Array, holdOut: Examples): Score {
  if (contract.target.type === 'binary') return scoreOf(scores, holdOut);
  return { auc: undefined, hits: 0, k: 0, figures: figuresOf(task, contract, scores, holdOut) };
}

function figuresOf(task: Task, { target }: DataContract, scores: Float32Array, { labels }: Examples): Figures {
  const measure = measureOf(task);
  const measured = measure.read(measure.countsOf(scores, labels), measure.momentsOf(scores, labels));
  const accuracy = metricsOf(measured, task.evaluation).accuracyBps / 10_000;
  const evaluation = evaluationOf(measured);
  if (evaluation?.type === 'classes') return { accuracy, 'macro-F1': evaluation.macroF1Bps / 10_000 };
  if (evaluation?.type !== 'regression' || target.type !== 'regression') return { accuracy };
  const range = target.maximum - target.minimum;
  const { mae, rmse = Number.NaN, r2 = Number.NaN } = evaluation;
  return { 'within tolerance': accuracy, 'mean error': mae * range, RMSE: rmse * range, 'R²': r2 };
}

/**
 * Epochs of a baseline: as many passes over each record as the federation makes (rounds × local epochs; 50 on CoIL), and 30 at
 * least, which is where the simulator behind the published figures stopped. Same model, step size and penalty.
 *
 * Both have converged there. Over 5 splits of CoIL over 8 dealers, AUC at 10 / 30 / 50 / 150 epochs: centralised 0.731 / 0.730
 * / 0.731 / -, local mean 0.675 / 0.668 / 0.664 / 0.659. So a lone dealer who stops early loses a little less than we report.
 */
const baselineEpochs = (rounds: number, localEpochs: number): number => Math.max(30, rounds * localEpochs);

/** A strategy that does not train by epochs is its own baseline: a federation of one dealer. */
async function trainAndScore(input: BaselineInput, examples: Examples, seed: string): Promise<Score> {
  const { task, contract, holdOut } = input;
  const features = featureCount(contract);
  const trainer = await createTrainer(task, features);
  const initial = initialModel(task, contract).weights;
  const score = (weights: Float32Array) => scoreFor(task, contract, trainer.score(weights, holdOut.features), holdOut);
  if (!('localEpochs' in task.strategy)) {
    const alone = { task, features, trainer, dealers: [examples], initial, seed };
    return score((await simulateRounds(alone, task.rounds)).weights);
  }
  const { localEpochs, batchSize, learningRate } = task.strategy;
  const epochs = baselineEpochs(task.rounds, localEpochs);
  const sgd = { epochs, batchSize, learningRate, seed: utf8ToBytes(seed) };
  return score(await trainer.fit({ ...examples, weights: initial, ...sgd }));
}

/** Trained as if all records lay in one place: what privacy costs is the distance to this. */
export const centralised = (input: BaselineInput, pooled: Examples): Promise<Score> =>
  trainAndScore(input, pooled, `${input.seed}/central`);

export interface LocalScores {
  readonly dealers: readonly Score[];
  /** Over dealers whose AUC is defined. */
  readonly meanAuc: number | undefined;
  readonly meanHits: number;
  readonly meanFigures: Figures | undefined;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Each dealer alone, scored on the same hold-out: what joining is worth is the distance from this. */
export async function localOnly(input: BaselineInput, dealers: readonly Examples[]): Promise<LocalScores> {
  const scores: Score[] = [];
  for (const [i, examples] of dealers.entries()) {
    if (examples.labels.length > 0) scores.push(await trainAndScore(input, examples, `${input.seed}/local/${i}`));
  }
  const aucs = scores.flatMap((score) => (score.auc === undefined ? [] : [score.auc]));
  return {
    dealers: scores,
    meanAuc: aucs.length > 0 ? mean(aucs) : undefined,
    meanHits: mean(scores.map((s) => s.hits)),
    meanFigures: meanFigures(scores.flatMap(({ figures }) => (figures === undefined ? [] : [figures]))),
  };
}

function meanFigures(all: readonly Figures[]): Figures | undefined {
  const names = Object.keys(all[0] ?? {});
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, mean(all.map((figures) => figures[name] ?? Number.NaN))]));
}
