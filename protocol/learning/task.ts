// A training task: what is learnt, from which data contract, how, and under which conditions. Its hash goes on chain.
import type { z } from 'zod';
import { type Hex, sha256, toHex, utf8ToBytes } from '../bytes.ts';
import { EVIDENCE, type Requirement, requirementOf } from '../consent/policy.ts';
import type { FieldClassId } from '../consent/scenes.ts';
import { ConcordatError } from '../errors.ts';
import { type PackingProfile, packingProfile } from '../secagg/packing.ts';
import { canonicalJson } from './canonical-json.ts';
import type { DataContract } from './data-contract.ts';
import { contractMatchFaults, taskFaults } from './task-faults.ts';
import { taskSchema } from './task-schema.ts';
import { parseYaml } from './yaml.ts';

export type TaskDocument = z.output<typeof taskSchema>;
export type DenseModel = Extract<TaskDocument['model'], { kind: 'dense' }>;
/** A graph of Keras layers. */
export type LayersModel = Extract<TaskDocument['model'], { kind: 'tfjs-layers' }>;

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
  const [fault] = taskFaults(document);
  if (fault) throw invalid(fault.path, fault.advice);
  return { ...document, hash: taskHash(document) };
}

/** The packing that the task names; it holds at least the task's smallest cohort. */
export const packingOf = ({ update }: Pick<TaskDocument, 'update'>): PackingProfile =>
  packingProfile(update.packing, update.valueBits);

/**
 * That the task is about this contract: the hash it names, its label, and a model that puts out what the label asks for.
 * @throws ConcordatError TASK_INVALID
 */
export function checkTaskContract(task: Task, contract: DataContract): void {
  const [fault] = contractMatchFaults(task, contract);
  if (fault) throw invalid(fault.path, fault.advice);
}

/** Of the label and of every field that feeds the model. */
export function fieldClassesOf(contract: DataContract): FieldClassId[] {
  const used = contract.fields.filter((field) => field === contract.label || field.features.length > 0);
  return [...new Set(used.map((field) => field.fieldClass))];
}

/** What customers must have granted: the field classes, for the task's scene and for training. */
export const requirementOfTask = (task: Task, contract: DataContract): Requirement =>
  requirementOf(task.scene, fieldClassesOf(contract), EVIDENCE[task.minEvidence]);
