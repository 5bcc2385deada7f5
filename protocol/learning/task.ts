// A training task: what is learnt, from which data contract, how, and under which conditions. Its hash goes on chain.
import { z } from 'zod';
import { type Hex, sha256, toHex, utf8ToBytes } from '../bytes.ts';
import { EVIDENCE, type Requirement, requirementOf } from '../consent/policy.ts';
import { SCENE_IDS } from '../consent/scenes.ts';
import { ConcordatError } from '../errors.ts';
import { LIMITS, SECAGG } from '../params.ts';
import { PACKING_NAMES, type PackingName, type PackingProfile, packingProfile } from '../secagg/packing.ts';
import { canonicalJson } from './canonical-json.ts';
import type { DataContract } from './data-contract.ts';
import { privacyFault } from './privacy/check-task.ts';
import { privacySchema } from './privacy/terms.ts';
import { strategyOf } from './strategies/registry.ts';
import { strategySchema } from './strategies/settings.ts';
import { parseYaml } from './yaml.ts';

/** An hour less than the contract allows a round: clocks differ. */
const MAX_DEADLINE_MS = 1_000 * (LIMITS.maxRoundSeconds - 3_600);

/** Below this a quantised update is noise. */
const MIN_VALUE_BITS = 4;

const hash = z.string().regex(/^0x[0-9a-f]{64}$/, 'must be a sha256 hash: 0x and 64 lower-case hex digits');
const positive = z.number().positive();
const count = (most: number) => z.int().min(1).max(most);

const denseSchema = z.strictObject({
  units: count(4_096),
  activation: z.enum(['relu', 'tanh', 'sigmoid']),
});

/** Dense layers in order; the last is one sigmoid unit, whose output is the score. One layer is logistic regression. */
const modelSchema = z.strictObject({
  kind: z.literal('dense'),
  layers: z.array(denseSchema).min(1).max(8),
  /** What is minimised; the strategy knows which one it can. */
  loss: z.enum(['sigmoid-cross-entropy', 'squared']),
  /** Weight of an example with label 1 in the mean loss; label 0 weighs 1. */
  positiveWeight: positive.max(10_000),
  /** λ of the penalty (λ/2)·Σ kernel², biases excepted. */
  l2: z.number().min(0).max(10),
});

const taskSchema = z.strictObject({
  version: z.literal('concordat/1'),
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
  title: z.string().min(1).max(200),
  scene: z.enum(SCENE_IDS),
  minEvidence: z.enum(['attested', 'passkey']),
  dataContract: z.strictObject({ file: z.string().min(1).max(200), hash }),
  label: z.string().min(1).max(64),
  model: modelSchema,
  strategy: strategySchema,
  rounds: count(10_000),
  cohort: z.strictObject({
    min: z.int().min(SECAGG.minCohort).max(SECAGG.maxDealers),
    deadlineMs: count(MAX_DEADLINE_MS),
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
    histogramBins: z.int().min(2).max(4_096),
    decisionThreshold: z.number().min(0).max(1),
  }),
});

export type TaskDocument = z.output<typeof taskSchema>;

export interface Task extends TaskDocument {
  /** sha256 of the document's canonical JSON (RFC 8785). */
  readonly hash: Hex;
}

const invalid = (path: string, detail: string) => new ConcordatError('TASK_INVALID', `${path}: ${detail}`, { path });

const taskHash = (document: TaskDocument): Hex => toHex(sha256(utf8ToBytes(canonicalJson(document))));

/**
 * Parses and checks a task. `source` is YAML or JSON.
 * @throws ConcordatError TASK_INVALID, naming the path and what to do
 */
export function parseTask(source: string): Task {
  const document = parseYaml(source, taskSchema, 'TASK_INVALID');
  document.model.layers.forEach((layer, i) => {
    const last = i === document.model.layers.length - 1;
    if (last && (layer.units !== 1 || layer.activation !== 'sigmoid')) {
      throw invalid(`model.layers.${i}`, 'the last layer is the score: give it units: 1 and activation: sigmoid');
    }
    if (!last && layer.activation === 'sigmoid') {
      throw invalid(`model.layers.${i}.activation`, 'sigmoid is for the last layer: use relu or tanh');
    }
  });
  const edge = document.evaluation.decisionThreshold * document.evaluation.histogramBins;
  if (Math.abs(edge - Math.round(edge)) > 1e-9) {
    throw invalid(
      'evaluation.decisionThreshold',
      'must lie on the edge of a bin, so that accuracy is exact: choose k/histogramBins',
    );
  }
  const strategy = strategyOf(document);
  const fault = strategy.fault(document) ?? privacyFault(document, strategy);
  if (fault) throw invalid(fault.path, fault.advice);
  checkPacking(document);
  return { ...document, hash: taskHash(document) };
}

function checkPacking({ update, cohort }: TaskDocument): void {
  const { packing, valueBits } = update;
  const { maxDealers } = tryProfile(packing, valueBits);
  if (cohort.min <= maxDealers) return;
  throw invalid(
    'update.packing',
    `${packing} holds ${maxDealers} dealers of ${valueBits} bits, the cohort has ${cohort.min}`,
  );
}

function tryProfile(packing: PackingName, valueBits: number): PackingProfile {
  try {
    return packingProfile(packing, valueBits);
  } catch (cause) {
    throw invalid('update.packing', `${(cause as ConcordatError).detail}: give fewer valueBits or another packing`);
  }
}

/** The packing that the task names; it holds at least the task's smallest cohort. */
export const packingOf = ({ update }: Pick<TaskDocument, 'update'>): PackingProfile =>
  packingProfile(update.packing, update.valueBits);

/**
 * That the task is about this contract: the hash it names, and its label.
 * @throws ConcordatError TASK_INVALID
 */
export function checkTaskContract(task: Task, contract: DataContract): void {
  if (task.dataContract.hash !== contract.hash) {
    throw invalid(
      'dataContract.hash',
      `${task.dataContract.file} has hash ${contract.hash}: name that one, or fetch the file meant`,
    );
  }
  if (task.label !== contract.label.name) {
    throw invalid('label', `the contract's label is ${contract.label.name}`);
  }
}

/** What customers must have granted: the field classes of the label and of every field that feeds the model. */
export function requirementOfTask(task: Task, contract: DataContract): Requirement {
  const used = contract.fields.filter((field) => field === contract.label || field.features.length > 0);
  const classes = [...new Set(used.map((field) => field.fieldClass))];
  return requirementOf(task.scene, classes, EVIDENCE[task.minEvidence]);
}
