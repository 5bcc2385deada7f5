// A dealer's standing policy: which tasks it takes part in without being asked again. What it does not allow is refused.
import { z } from 'zod';
import type { Hex } from '../../protocol/bytes.ts';
import { EVIDENCE } from '../../protocol/consent/policy.ts';
import { SCENE_IDS } from '../../protocol/consent/scenes.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { BACKENDS } from '../../protocol/learning/layers-model.ts';
import { strategySchema } from '../../protocol/learning/strategies/settings.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { parseYaml } from '../../protocol/learning/yaml.ts';
import { hashField } from '../../protocol/messages/fields.ts';
import { LIMITS } from '../../protocol/params.ts';

const names = <T extends string>(values: readonly T[]) => z.array(z.enum(values)).min(1);

const STRATEGIES = strategySchema.options.map(({ shape }) => shape.name.value);
const MODELS = ['dense', 'tfjs-layers'] as const satisfies readonly Task['model']['kind'][];

export const acceptSchema = z.strictObject({
  version: z.literal('concordat/1').describe('Version of this file'),
  scenes: names(SCENE_IDS).describe('What the data may be used for'),
  tasks: z.array(hashField).min(1).optional().describe('Only these tasks, by hash; any task that fits when left out'),
  dataContracts: z
    .array(hashField)
    .min(1)
    .optional()
    .describe('Hashes of the data contracts that records may be read by; the node\u2019s own one when left out'),
  strategies: names(STRATEGIES).optional().describe('Names of strategies; any when left out'),
  minEvidence: z
    .enum(['attested', 'passkey'])
    .default('attested')
    .describe('A task must ask its customers for this much evidence of consent, or more'),
  requirePrivacy: z.boolean().default(false).describe('Only tasks with differential privacy'),
  maxEpsilon: z
    .number()
    .positive()
    .max(1_000)
    .optional()
    .describe('The most privacy loss per customer, of a task and of all tasks together; implies requirePrivacy'),
  minCohort: z.int().min(3).max(1_024).default(3).describe('Only tasks whose sums hold so many dealers, or more'),
  maxRounds: z.int().min(1).max(10_000).optional().describe('Rounds of one task that this dealer takes part in'),
  maxParameters: z.int().min(1).max(LIMITS.maxModelParameters).optional().describe('The largest model that is trained'),
  models: names(MODELS).default(['dense']).describe('Kinds of model; tfjs-layers lets a task bring layers of its own'),
  backends: names(BACKENDS).default(['wasm']).describe('What models may be trained with'),
});

export type AcceptPolicy = z.output<typeof acceptSchema>;

/** `source` is YAML or JSON. @throws ConcordatError FILE_UNREADABLE, naming the path inside it */
export const parseAcceptPolicy = (source: string): AcceptPolicy => parseYaml(source, acceptSchema, 'FILE_UNREADABLE');

export interface OfferedTask {
  readonly task: Task;
  readonly contract: DataContract;
  /** Of the model. */
  readonly parameters: number;
}

/** Why the policy does not allow the task, in words for the dealer and the coordinator; undefined when it does. */
export function refusalOf(
  { task, contract, parameters }: OfferedTask,
  policy: AcceptPolicy,
  ownContract: Hex,
): string | undefined {
  const { privacy, strategy, scene, model, backend } = task;
  if (policy.tasks !== undefined && !policy.tasks.includes(task.hash)) return 'the task is not among those accepted';
  if (!policy.scenes.includes(scene)) return `scene ${scene} is not accepted`;
  if (!(policy.dataContracts ?? [ownContract]).includes(contract.hash)) {
    return `data contract ${contract.hash} is not accepted`;
  }
  if (policy.strategies !== undefined && !policy.strategies.includes(strategy.name)) {
    return `strategy ${strategy.name} is not accepted`;
  }
  if (EVIDENCE[task.minEvidence] < EVIDENCE[policy.minEvidence]) {
    return `the task takes ${task.minEvidence} consent, accepted is ${policy.minEvidence}`;
  }
  if (privacy.mode === 'none' && (policy.requirePrivacy || policy.maxEpsilon !== undefined)) {
    return 'the task has no differential privacy';
  }
  if (privacy.mode === 'dp' && policy.maxEpsilon !== undefined && privacy.epsilon > policy.maxEpsilon) {
    return `its budget is epsilon ${privacy.epsilon}, accepted is ${policy.maxEpsilon}`;
  }
  if (task.cohort.min < policy.minCohort) return `sums of ${task.cohort.min} dealers, accepted are ${policy.minCohort}`;
  if (policy.maxParameters !== undefined && parameters > policy.maxParameters) {
    return `${parameters} parameters, accepted are ${policy.maxParameters}`;
  }
  if (!policy.models.includes(model.kind)) return `models of kind ${model.kind} are not accepted`;
  if (!policy.backends.includes(backend)) return `backend ${backend} is not accepted`;
  return undefined;
}

export interface OfferedRound {
  /** Over all tasks, as the round states it. */
  readonly epsilonAfterMilli: number;
  /** Rounds of its task that this dealer took part in before. */
  readonly roundsTaken: number;
}

type RoundLimits = Pick<AcceptPolicy, 'maxEpsilon' | 'maxRounds'>;

/** As `refusalOf`, for one round of a task that is allowed. */
export function roundRefusalOf(offered: OfferedRound, { maxEpsilon, maxRounds }: RoundLimits): string | undefined {
  if (maxRounds !== undefined && offered.roundsTaken >= maxRounds) return `${maxRounds} rounds of a task are accepted`;
  if (maxEpsilon !== undefined && offered.epsilonAfterMilli > 1_000 * maxEpsilon) {
    return `epsilon would be ${offered.epsilonAfterMilli / 1_000} over all tasks, accepted is ${maxEpsilon}`;
  }
  return undefined;
}
