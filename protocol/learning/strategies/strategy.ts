// What a federated strategy is: what a dealer computes and sends, and what the opened sum does to the model.
import type { FillRandom } from '../../secagg/block.ts';
import type { Release } from '../privacy/release.ts';
import type { PrivacyTerms } from '../privacy/terms.ts';
import type { Sketch } from '../sketch.ts';

/** Named vectors carried from one round to the next: moments, control variates. Empty for a strategy without memory. */
export type StrategyState = Readonly<Record<string, Float64Array>>;
export const NO_STATE: StrategyState = {};

/** What of a task a strategy may read beside its own settings. */
export interface Terms {
  readonly model: {
    /** Of dense layers; a topology of Keras layers has none. */
    readonly layers?: readonly { readonly units: number; readonly activation: string }[];
    readonly topology?: Readonly<Record<string, unknown>>;
    readonly loss: string;
    readonly positiveWeight: number;
    readonly l2: number;
  };
  readonly update: { readonly clipNorm: number; readonly valueBits: number; readonly weightBound: number };
  readonly privacy: PrivacyTerms;
  readonly evaluation: {
    readonly histogramBins: number;
    readonly decisionThreshold?: number | undefined;
    readonly tolerance?: number | undefined;
  };
  readonly rounds: number;
}

export interface Shape {
  readonly terms: Terms;
  /** Columns of a row. */
  readonly features: number;
  /** Weights of the model. */
  readonly parameters: number;
}

/** One run of a dealer's vector. A value is `level·step`; a level of more than valueBits bits is sent as several digits. */
export interface VectorPart {
  readonly name: string;
  readonly length: number;
  readonly step: number;
  /** Signed levels reach ±(2^(bits−1) − 1), others 0 … 2^bits − 1. At most 42, so that sums of levels are exact. */
  readonly bits: number;
  readonly signed: boolean;
}

/** One per row: 0 or 1; of classes, the number of the class; of a number, its place between the public bounds, in [0, 1]. */
export type Labels = Uint8Array | Float32Array;

export interface FitInput {
  /** In layout order; not changed. */
  readonly weights: Float32Array;
  /** rows × features, row after row. */
  readonly features: Float32Array;
  readonly labels: Labels;
  /** Decides the order of the rows, and what a network draws by itself. */
  readonly seed: Uint8Array;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** μ of the penalty (μ/2)·|w − weights|², over kernels and biases. */
  readonly proximal?: number;
  /** Added to every gradient, in layout order. */
  readonly correction?: Float32Array;
  /** Called after each epoch, from 1. */
  readonly onEpoch?: (epoch: number) => void;
}

export interface ClippedSumInput extends Pick<FitInput, 'weights' | 'features' | 'labels'> {
  /** L2 norm that each row's gradient is cut down to. */
  readonly clipNorm: number;
  /** A gradient's coordinate is counted in whole units of 1/unitsPerGradient. */
  readonly unitsPerGradient: number;
}

export interface ClippedSum {
  /** In layout order; whole numbers, exact. Every row adds a vector that depends on no other row. */
  readonly sum: Float64Array;
  /** rows × outputs, as of `score`. */
  readonly scores: Float32Array;
}

/** What a strategy may ask of the tensor engine; `engines/tensor/train.ts` is the one that does it. */
export interface LocalTrainer {
  /** SGD on the task's loss. @throws ConcordatError TRAINING_DIVERGED, MODEL_MISMATCH */
  fit(input: FitInput): Promise<Float32Array>;
  /** rows × outputs: probabilities, or numbers that training aims at [0, 1]. @throws ConcordatError MODEL_MISMATCH */
  score(weights: Float32Array, features: Float32Array): Float32Array;
  /** Of the rows' gradients, each clipped on its own; the l2 penalty is left out. @throws ConcordatError MODEL_MISMATCH */
  clippedSum(input: ClippedSumInput): ClippedSum;
}

/** What a dealer has in hand for a round. */
export interface LocalWork {
  readonly shape: Shape;
  readonly base: Float32Array;
  /** Published with the base model; the server step of the round before made it. */
  readonly serverState: StrategyState;
  /** This dealer's own, from the last round that it was in the set of. */
  readonly dealerState: StrategyState;
  /** rows × features, row after row. */
  readonly features: Float32Array;
  readonly labels: Labels;
  /** min(records, weightBound)/weightBound, in (0, 1]. */
  readonly weightFraction: number;
  /** Committed seed of this dealer, round and attempt: what is drawn from it can be replayed. */
  readonly seed: Uint8Array;
  /** A stream of the attempt's seed: for what nobody but the dealer, and whom it opens the round to, may replay. */
  readonly fillRandom: FillRandom;
  readonly trainer: LocalTrainer;
  readonly onEpoch?: (epoch: number) => void;
}

export interface Contribution {
  /** One per part, in its unit: bounded (clipped) and weighted already. They are rounded to levels, and then noise is added. */
  readonly parts: readonly Float64Array[];
  /** To be kept by the dealer when this attempt makes it into the set. */
  readonly dealerState: StrategyState;
}

/** The opened sum of a round. */
export interface ServerRound {
  readonly shape: Shape;
  readonly base: Float32Array;
  readonly state: StrategyState;
  /** Sums over the dealers of the set, one per part, in its unit. */
  readonly sums: readonly Float64Array[];
  /** How many dealers are in the set. */
  readonly dealers: number;
  /** Σ of their weight fractions, from the weights on chain. */
  readonly totalWeightFraction: number;
}

export interface ServerStep {
  readonly weights: Float32Array;
  readonly state: StrategyState;
}

/** What is wrong with a task, and what to write instead. */
export interface TaskFault {
  readonly path: string;
  readonly advice: string;
}

/** A fault when the value is there and is another one. */
export const wanted = <T>(value: T | undefined, only: T, path: string, advice: string): TaskFault[] =>
  value === undefined || value === only ? [] : [{ path, advice }];

/** A strategy with its settings bound in. */
export interface Strategy {
  /** Dealers read the server's state: they fetch it with the base model. Absent when it is the server's alone. */
  readonly dealersReadState?: true;
  /**
   * Looked for when the task is read: all that are independent, and none that another one brings about. What breaks the schema is
   * left out of the terms, and a setting that does is NaN: of such a thing nothing is said.
   */
  faults(terms: Sketch<Terms>): TaskFault[];
  parts(shape: Shape): readonly VectorPart[];
  /** Deterministic but for what it draws from `fillRandom`. @throws ConcordatError TRAINING_DIVERGED, VALUE_OUT_OF_RANGE */
  contribute(work: LocalWork): Promise<Contribution>;
  /** Of a strategy that sends its own counts of how the base model does: no others are then sent. Empty where it counts nothing. */
  counts?(sums: readonly Float64Array[], shape: Shape): Uint32Array;
  /** Of a strategy with differential privacy: how much noise each dealer adds to the levels of its parts. */
  release?(shape: Shape): Release;
  /** Pure, in float64, rounded to float32 once at the end: an auditor repeats it bit for bit. @throws as contribute */
  step(round: ServerRound): ServerStep;
}
