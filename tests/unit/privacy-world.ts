// A federation without processes: dealers contribute, noise is added, values are summed, the server steps.
import { randomFillSync } from 'node:crypto';
import { createTrainer } from '../../engines/tensor/train.ts';
import { createNoise } from '../../protocol/learning/privacy/noise.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import { serverStep } from '../../protocol/learning/server-optimiser.ts';
import { strategyOf } from '../../protocol/learning/strategies/registry.ts';
import { type Labels, NO_STATE, type StrategyState } from '../../protocol/learning/strategies/strategy.ts';
import type { TaskDocument } from '../../protocol/learning/task.ts';
import {
  addNoise,
  decodeSums,
  encodeUpdate,
  quantise,
  totalWeightFraction,
  weightFraction,
} from '../../protocol/learning/update.ts';
import { shapeOf, vectorOf } from '../../protocol/learning/vector.ts';
import type { FillRandom } from '../../protocol/secagg/block.ts';

export interface DealerRows {
  readonly features: Float32Array;
  readonly labels: Labels;
}

export interface RoundInput {
  readonly task: TaskDocument;
  readonly features: number;
  readonly dealers: readonly DealerRows[];
  readonly base: Float32Array;
  readonly state?: StrategyState;
  readonly fillRandom?: FillRandom;
  /** Planted fault: what each dealer's noise variance is multiplied by. */
  readonly noiseFactor?: number;
}

/** Levels of a stream that a seed decides: for tests that must come out the same every time. */
export function seededFill(seed: string): FillRandom {
  const prng = createPrng(new TextEncoder().encode(seed), 'test');
  return (bytes) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = prng.uint32() & 255;
  };
}

export const systemFill: FillRandom = (bytes) => {
  randomFillSync(bytes);
};

/** What the secure sum opens to. */
export async function openedSum(input: RoundInput): Promise<Uint32Array> {
  const { task, features, dealers, base, fillRandom = systemFill, noiseFactor = 1 } = input;
  const [shape, vector, strategy] = [shapeOf(task, features), vectorOf(task, features), strategyOf(task)];
  const trainer = await createTrainer(task, features);
  const variance = strategy.release?.(shape).shareVariance ?? 0;
  const noise = createNoise(Math.ceil(variance * noiseFactor), fillRandom);
  const sum = new Uint32Array(vector.length);
  for (const rows of dealers) {
    const { parts } = await strategy.contribute({
      shape,
      base,
      serverState: input.state ?? NO_STATE,
      dealerState: NO_STATE,
      ...rows,
      weightFraction: weightFraction(rows.labels.length, task.update.weightBound),
      seed: new Uint8Array(32),
      fillRandom,
      trainer,
    });
    const levels = addNoise(quantise(parts, [[], []], vector), vector, noise);
    encodeUpdate(levels, vector).values.forEach((value, i) => {
      sum[i] = (sum[i] ?? 0) + value;
    });
  }
  return sum;
}

export async function runRound(input: RoundInput) {
  const { task, features, dealers, base, state = NO_STATE } = input;
  const { sums, measured } = decodeSums(await openedSum(input), vectorOf(task, features), dealers.length);
  const records = dealers.map(({ labels }) => labels.length);
  const next = serverStep(task, {
    shape: shapeOf(task, features),
    base,
    state,
    sums,
    dealers: dealers.length,
    totalWeightFraction: totalWeightFraction(records, task.update.weightBound),
  });
  return { ...next, sums, measured };
}

type Dp = Extract<TaskDocument['privacy'], { mode: 'dp' }>;
export const BUDGET: Dp = {
  mode: 'dp',
  epsilon: 8,
  delta: 1e-5,
  noiseMultiplier: 2,
  clipNorm: 1,
  samplingRate: 0.2,
  honestDealers: 3,
};

const BASE = {
  version: 'concordat/1',
  id: 'private',
  title: 'Private',
  scene: 'lead-scoring',
  minEvidence: 'passkey',
  dataContract: { file: 'contract.yaml', hash: `0x${'00'.repeat(32)}` },
  label: 'y',
  cohort: { min: 3, deadlineMs: 1_000 },
  evaluation: { histogramBins: 10, decisionThreshold: 0.5 },
} as const;

/** A document, as parseTask would take it; what is given replaces what is here. */
export function fedSgdTask(privacy: Partial<Dp> = {}, more: Partial<TaskDocument> = {}): TaskDocument {
  const terms = { ...BUDGET, ...privacy };
  return {
    ...BASE,
    model: {
      kind: 'dense',
      layers: [{ units: 1, activation: 'sigmoid' }],
      loss: 'sigmoid-cross-entropy',
      positiveWeight: 1,
      l2: 0,
    },
    strategy: { name: 'dp-fedsgd', learningRate: 1, momentum: 0, averageDecay: 0, sumRange: 64, evaluationShare: 0.25 },
    rounds: 10,
    update: { clipNorm: terms.clipNorm, valueBits: 16, packing: '3x26', weightBound: 4_096 },
    privacy: terms,
    ...more,
  } as TaskDocument;
}

export function ridgeTask(privacy: Partial<Dp> = {}, sumRange = 64): TaskDocument {
  const task = fedSgdTask({ samplingRate: 1, ...privacy });
  return {
    ...task,
    model: { ...task.model, loss: 'squared' },
    strategy: { name: 'dp-ridge', sumRange, momentWeight: 1, penalty: 2 },
    rounds: 1,
  };
}
