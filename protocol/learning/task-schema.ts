// The shape of a training task. What lies between its parts is checked in task-faults.ts.
import { z } from 'zod';
import { SCENE_IDS } from '../consent/scenes.ts';
import { LIMITS, SECAGG } from '../params.ts';
import { PACKING_NAMES } from '../secagg/packing.ts';
import { BACKENDS, LAYERS_MODEL } from './layers-model.ts';
import { ACTIVATIONS, LOSSES } from './output.ts';
import { privacySchema } from './privacy/terms.ts';
import { strategySchema } from './strategies/settings.ts';

/** An hour less than the contract allows a round: clocks differ. */
const MAX_DEADLINE_MS = 1_000 * (LIMITS.maxRoundSeconds - 3_600);

/** Below this a quantised update is noise. */
const MIN_VALUE_BITS = 4;

const hash = z.string().regex(/^0x[0-9a-f]{64}$/, 'must be a sha256 hash: 0x and 64 lower-case hex digits');
const positive = z.number().positive();
const count = (most: number) => z.int().min(1).max(most);

const denseSchema = z.strictObject({
  units: count(4_096),
  activation: z.enum(ACTIVATIONS),
});

const descent = {
  /** What is minimised; the strategy knows which one it can. */
  loss: z.enum(LOSSES),
  /** Weight of an example with label 1 in the mean loss; label 0 weighs 1. */
  positiveWeight: positive.max(10_000),
  /** λ of the penalty (λ/2)·Σ kernel², biases excepted. */
  l2: z.number().min(0).max(10),
};

const modelSchema = z.discriminatedUnion('kind', [
  /**
   * Dense layers in order; the last one's output is the score: one sigmoid unit, a softmax unit per class, or one linear unit.
   * One layer is logistic regression, or linear regression.
   */
  z.strictObject({ kind: z.literal('dense'), layers: z.array(denseSchema).min(1).max(8), ...descent }),
  z.strictObject({ ...LAYERS_MODEL, ...descent }),
]);

/** When a round goes on without those that are slow. The rule: coordinator/rounds/pace.ts. */
const adaptiveSchema = z.strictObject({
  /** At least half: a few fast dealers must not set the pace of a round. */
  quantile: z.number().min(0.5).max(1),
  margin: z.number().min(1).max(100),
  minMs: z.int().min(0).max(MAX_DEADLINE_MS),
});

/** A model of the dealer's own, made of the published one: it stays at the dealer. */
const personalisationSchema = z.strictObject({
  localEpochs: count(100),
  learningRate: positive.max(10),
  batchSize: count(65_536),
});

export const taskSchema = z.strictObject({
  version: z.literal('concordat/1'),
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
  title: z.string().min(1).max(200),
  scene: z.enum(SCENE_IDS),
  minEvidence: z.enum(['attested', 'passkey']),
  dataContract: z.strictObject({ file: z.string().min(1).max(200), hash }),
  label: z.string().min(1).max(64),
  model: modelSchema,
  /** What dealers train on: bits differ from one to another, so it is part of what they agree to. */
  backend: z.enum(BACKENDS).default('wasm'),
  strategy: strategySchema,
  rounds: count(10_000),
  cohort: z.strictObject({
    min: z.int().min(SECAGG.minCohort).max(SECAGG.maxDealers),
    deadlineMs: count(MAX_DEADLINE_MS),
    /** Without it a round waits for every dealer that is there until the deadline. */
    adaptive: adaptiveSchema.optional(),
  }),
  update: z.strictObject({
    clipNorm: positive.max(1e6),
    /** Bits of one quantised value. */
    valueBits: z.int().min(MIN_VALUE_BITS).max(SECAGG.maxValueBits),
    /** How many values share a coefficient of the encrypted sum: `protocol/secagg/packing.ts`. */
    packing: z.enum(PACKING_NAMES),
    weightBound: count(LIMITS.maxRecordsPerDealer),
  }),
  privacy: privacySchema,
  evaluation: z.strictObject({
    /** Of the scores of a label of 0 or 1, and of the errors of a number; classes are counted one by one. */
    histogramBins: z.int().min(2).max(4_096),
    /** Of a label of 0 or 1: a score at or over it predicts 1. */
    decisionThreshold: z.number().min(0).max(1).optional(),
    /** Of a number: an error under this share of the range between the label's bounds counts as right. */
    tolerance: z.number().positive().max(1).optional(),
  }),
  personalisation: personalisationSchema.optional(),
});
