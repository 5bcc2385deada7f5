// The tasks of a history: the first, which its genesis names, and those that later entries name. A round is judged by its own.
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { type DataContract, parseDataContract } from '../protocol/learning/data-contract.ts';
import { featureCount } from '../protocol/learning/features.ts';
import { layoutOf, type ModelLayout } from '../protocol/learning/model.ts';
import type { Shape } from '../protocol/learning/strategies/strategy.ts';
import { checkTaskContract, packingOf, parseTask, type Task } from '../protocol/learning/task.ts';
import type { Vector } from '../protocol/learning/update.ts';
import { shapeOf, vectorOf } from '../protocol/learning/vector.ts';
import { blocksFor, type PackingProfile } from '../protocol/secagg/packing.ts';
import { type BodyOf, type Evidence, entriesOf } from './evidence.ts';
import { genesisBody, textBlob } from './genesis.ts';

/** What both kinds of entry say of a task. */
type TaskBody = Pick<BodyOf<'genesis'>, 'task' | 'dataContract' | 'initialModel'>;

/** A task, its data contract, and the layout they make. */
export interface TaskFacts {
  readonly body: TaskBody;
  readonly task: Task;
  readonly contract: DataContract;
  readonly layout: ModelLayout;
  readonly shape: Shape;
  readonly vector: Vector;
  /** Values of one dealer's vector. */
  readonly valueCount: number;
  readonly packing: PackingProfile;
  /** Blocks of one payload. */
  readonly blocks: number;
}

/** An entry that names a task. */
export interface NamedTask {
  /** Position in the transcript. */
  readonly seq: number;
  readonly body: TaskBody;
  readonly facts: TaskFacts | undefined;
  /** Why its documents cannot be read. */
  readonly fault: string | undefined;
}

export interface Tasks {
  /** In the order of the transcript; the first is the genesis'. */
  readonly named: readonly NamedTask[];
  /** undefined for a round that was never opened, and for a task that no entry names or whose documents cannot be read. */
  of(round: { readonly taskHash: Hex } | undefined): TaskFacts | undefined;
}

/** @throws ConcordatError NOT_FOUND when the history has no readable beginning, TASK_INVALID, CONTRACT_INVALID */
export async function readTasks(evidence: Evidence): Promise<Tasks> {
  const first = genesisBody(evidence);
  const named: NamedTask[] = [{ seq: 0, body: first, facts: await readTask(evidence, first), fault: undefined }];
  for (const { seq, body } of entriesOf(evidence.bundle, 'task')) {
    named.push({ seq, body, ...(await tryTask(evidence, body)) });
  }
  const facts = new Map<Hex, TaskFacts | undefined>();
  for (const one of named) if (!facts.has(one.body.task)) facts.set(one.body.task, one.facts);
  return { named, of: (round) => round && facts.get(round.taskHash) };
}

/** A later task that cannot be read is the fault of its own rounds alone. */
async function tryTask(evidence: Evidence, body: TaskBody): Promise<Pick<NamedTask, 'facts' | 'fault'>> {
  try {
    return { facts: await readTask(evidence, body), fault: undefined };
  } catch (cause) {
    return { facts: undefined, fault: cause instanceof ConcordatError ? cause.message : String(cause) };
  }
}

async function readTask(evidence: Evidence, body: TaskBody): Promise<TaskFacts> {
  const task = parseTask(await textBlob(evidence, body.task));
  const contract = parseDataContract(await textBlob(evidence, body.dataContract));
  checkTaskContract(task, contract);
  const features = featureCount(contract);
  const [shape, vector] = [shapeOf(task, features), vectorOf(task, features)];
  const layout = layoutOf(task, features);
  const packing = packingOf(task);
  const valueCount = vector.length;
  return { body, task, contract, layout, shape, vector, valueCount, packing, blocks: blocksFor(valueCount, packing) };
}
