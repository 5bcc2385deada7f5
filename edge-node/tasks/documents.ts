// The documents of a task, from the coordinator or from this node's own store, held to the hash that the chain names.
import { keyOf, type Store } from '../../engines/store/store.ts';
import { request } from '../../kit/http.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import { type DataContract, parseDataContract } from '../../protocol/learning/data-contract.ts';
import { checkTaskContract, parseTask, type Task } from '../../protocol/learning/task.ts';
import { requireCanonical } from '../../protocol/learning/yaml.ts';

export interface TaskPair {
  readonly task: Task;
  readonly contract: DataContract;
}

/** Anything of the coordinator's; only `documents` is looked at. */
export type AskForTask = (hash: Hex) => Promise<unknown>;

const BUCKET = 'task'; // hash -> JSON {task, contract}
const MAX_ANSWER_BYTES = 4_194_304;

export const askCoordinator =
  (coordinatorUrl: string): AskForTask =>
  async (hash) =>
    parseJson(await request(`${coordinatorUrl}/v1/tasks/${hash}`, { maxBytes: MAX_ANSWER_BYTES }));

export interface TaskDocuments {
  /** Those that are kept, else the coordinator's. @throws ConcordatError TASK_REFUSED, TIMED_OUT, NOT_FOUND */
  get(hash: Hex): Promise<TaskPair>;
  /** A node that is started again need not ask. What is refused is not kept: a coordinator could fill the disk with it. */
  keep(pair: TaskPair): Promise<void>;
  /** All that are kept, and that this version of the software can still read. */
  kept(): Promise<readonly TaskPair[]>;
}

export function createTaskDocuments(store: Pick<Store, 'get' | 'list' | 'write'>, ask: AskForTask): TaskDocuments {
  return {
    async get(hash) {
      const known = await store.get(keyOf(BUCKET, hash));
      if (known !== undefined) return readPair(parseJson(known), hash);
      const answer = await ask(hash);
      const documents = typeof answer === 'object' && answer !== null && 'documents' in answer && answer.documents;
      return readPair(documents, hash);
    },
    keep: (pair) =>
      store.write([{ put: keyOf(BUCKET, pair.task.hash), value: new TextEncoder().encode(textOf(pair)) }]),
    async kept() {
      const rows = await store.list(`${BUCKET}/`);
      return rows.flatMap(({ key, value }) => {
        try {
          return [readPair(parseJson(value), key.slice(BUCKET.length + 1) as Hex)];
        } catch {
          return [];
        }
      });
    },
  };
}

function textOf({ task: { hash: _, ...document }, contract }: TaskPair): string {
  return JSON.stringify({ task: canonicalJson(document), contract: canonicalJson(contract.document) });
}

const parseJson = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
};

/** @throws ConcordatError TASK_REFUSED for anything but the task of this hash and the contract that it names */
function readPair(documents: unknown, hash: Hex): TaskPair {
  const { task: source, contract: contractSource } = (documents || {}) as { task?: unknown; contract?: unknown };
  if (typeof source !== 'string' || typeof contractSource !== 'string')
    throw refused(hash, 'its documents are not there');
  try {
    requireCanonical(source, 'TASK_INVALID');
    requireCanonical(contractSource, 'CONTRACT_INVALID');
    const [task, contract] = [parseTask(source), parseDataContract(contractSource)];
    if (task.hash !== hash) throw refused(hash, `the coordinator sent the task ${task.hash}`);
    checkTaskContract(task, contract);
    return { task, contract };
  } catch (cause) {
    if (!(cause instanceof ConcordatError) || cause.code === 'TASK_REFUSED') throw cause;
    throw refused(hash, `${cause.code}: ${cause.detail}`, cause);
  }
}

const refused = (taskHash: Hex, detail: string, cause?: unknown) =>
  new ConcordatError('TASK_REFUSED', detail, { taskHash }, { cause });
