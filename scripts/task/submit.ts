// `concordat task submit`: reads a task and its data contract, checks that they fit, and hands them to a coordinator.
import { dirname, resolve } from 'node:path';
import type { TaskView } from '../../coordinator/tasks/view.ts';
import { readFileOrExplain } from '../../kit/files.ts';
import { parseDataContract } from '../../protocol/learning/data-contract.ts';
import { checkTaskContract, parseTask } from '../../protocol/learning/task.ts';
import { command, plain, shortHash } from './client.ts';

export interface SubmitOptions {
  readonly coordinator: string;
  readonly tokenFile: string;
  /** As many as the task says when left out. */
  readonly rounds?: number;
}

/** The data contract is the file that the task names, beside the task. @throws ConcordatError TASK_INVALID, CONTRACT_INVALID */
export async function submitTask(file: string, options: SubmitOptions): Promise<TaskView> {
  const read = async (path: string) => (await readFileOrExplain(path)).toString('utf8');
  const source = await read(file);
  const task = parseTask(source);
  const contract = await read(resolve(dirname(file), task.dataContract.file));
  // here already: what is wrong with a file is said with the file at hand
  checkTaskContract(task, parseDataContract(contract));
  const { rounds } = options;
  const body = { task: source, contract, ...(rounds !== undefined && { rounds }) };
  return command<TaskView>(options.coordinator, '/v1/tasks', options.tokenFile, body);
}

export function submittedText({ id, hash, rounds }: TaskView, { coordinator }: SubmitOptions): string {
  const left = rounds.asked - rounds.done;
  return [
    `Task ${plain(id)} is taken: ${left} ${left === 1 ? 'round' : 'rounds'} to run${rounds.done > 0 ? `, after ${rounds.done} before` : ''}.`,
    `  hash   ${plain(hash)}`,
    `  watch  concordat task watch ${shortHash(hash)} --coordinator ${coordinator}`,
  ].join('\n');
}
