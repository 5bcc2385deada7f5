// A task and its data contract as a bundle keeps them, each under the hash that it must have.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type DataContract, parseDataContract } from '../../protocol/learning/data-contract.ts';
import { checkTaskContract, parseTask, type Task } from '../../protocol/learning/task.ts';
import type { ModelSource } from './source.ts';

export interface Documents {
  readonly task: Task;
  readonly contract: DataContract;
}

type Blobs = Pick<ModelSource, 'blob'>;

const textOf = async (source: Blobs, hash: Hex): Promise<string> => new TextDecoder().decode(await source.blob(hash));

/** @throws ConcordatError TASK_INVALID; MODEL_MISMATCH when the blob is not the canonical text of the task */
export async function readTask(source: Blobs, hash: Hex): Promise<Task> {
  const task = parseTask(await textOf(source, hash));
  requireSame('task', task.hash, hash);
  return task;
}

/** @throws ConcordatError TASK_INVALID, CONTRACT_INVALID, MODEL_MISMATCH */
export async function readDocuments(source: Blobs, taskHash: Hex): Promise<Documents> {
  const task = await readTask(source, taskHash);
  const hash = task.dataContract.hash as Hex;
  const contract = parseDataContract(await textOf(source, hash));
  requireSame('data contract', contract.hash, hash);
  checkTaskContract(task, contract);
  return { task, contract };
}

function requireSame(what: string, got: Hex, expected: Hex): void {
  if (got === expected) return;
  throw new ConcordatError('MODEL_MISMATCH', `${what}: the text under ${expected} has the hash ${got}`, {
    expected,
    got,
  });
}
