// The tasks that the transcript names: the first in its genesis, later ones each in an entry of their own.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import { type DataContract, parseDataContract } from '../../protocol/learning/data-contract.ts';
import { encodeModel, initialModel } from '../../protocol/learning/model.ts';
import { parseTask, type Task } from '../../protocol/learning/task.ts';
import type { EntryBody } from '../../protocol/transcript/entry.ts';
import type { Transcript } from '../transcript/transcript.ts';
import { type TaskFacts, taskFactsOf } from './facts.ts';

/** The task as its hash is over. */
export const taskJson = ({ hash: _, ...document }: Task): string => canonicalJson(document);

export interface TaskBlobs {
  readonly task: Hex;
  readonly dataContract: Hex;
  readonly initialModel: Hex;
}

/** The documents of a task, and its first model, as blobs. */
export async function putTask(
  transcript: Pick<Transcript, 'putBlob'>,
  task: Task,
  contract: DataContract,
): Promise<TaskBlobs> {
  const text = (value: string) => transcript.putBlob(new TextEncoder().encode(value));
  return {
    task: await text(taskJson(task)),
    dataContract: await text(canonicalJson(contract.document)),
    initialModel: await transcript.putBlob(encodeModel(initialModel(task, contract))),
  };
}

export interface TaskCatalogue {
  get(hash: Hex): TaskFacts | undefined;
  hashes(): readonly Hex[];
  /** Into the transcript, unless it is there. */
  add(task: Task, contract: DataContract): Promise<TaskFacts>;
}

/** Reads the documents again that the transcript names. @throws ConcordatError STATE_CORRUPT, TASK_INVALID, CONTRACT_INVALID */
export async function openTaskCatalogue(
  transcript: Pick<Transcript, 'entries' | 'getBlob' | 'putBlob' | 'appendOnce'>,
): Promise<TaskCatalogue> {
  const known = new Map<Hex, TaskFacts>();
  for (const { body } of transcript.entries()) {
    const facts = await factsIn(body, transcript);
    if (facts !== undefined) known.set(facts.task.hash, facts);
  }
  return {
    get: (hash) => known.get(hash),
    hashes: () => [...known.keys()],
    async add(task, contract) {
      const before = known.get(task.hash);
      if (before !== undefined) return before;
      const blobs = await putTask(transcript, task, contract);
      await transcript.appendOnce({ type: 'task', ...blobs });
      const facts = taskFactsOf(task, contract, blobs.initialModel);
      known.set(task.hash, facts);
      return facts;
    },
  };
}

async function factsIn(body: EntryBody, transcript: Pick<Transcript, 'getBlob'>): Promise<TaskFacts | undefined> {
  if (body.type !== 'genesis' && body.type !== 'task') return undefined;
  const text = async (hash: Hex) => new TextDecoder().decode(await transcript.getBlob(hash));
  const [task, contract] = [parseTask(await text(body.task)), parseDataContract(await text(body.dataContract))];
  // rounds name it by the hash of its file: a file that was altered, or that this version reads as another task, is not it
  if (task.hash !== body.task || contract.hash !== body.dataContract) {
    throw new ConcordatError('STATE_CORRUPT', `the files of task ${body.task} are not what the transcript names`);
  }
  return taskFactsOf(task, contract, body.initialModel);
}
