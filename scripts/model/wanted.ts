// Which model is meant: a task by id or hash, a round by number; each may be left out when there is no doubt.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { ModelRecord } from '../../protocol/learning/export/manifest.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { shortHash, taskNamed } from '../task/client.ts';

export interface Wanted {
  readonly task?: string;
  readonly round?: number;
}

export interface Chosen {
  readonly taskHash: Hex;
  readonly modelHash: Hex;
  readonly record: ModelRecord;
}

/** @throws ConcordatError NOT_FOUND, CONFLICT */
export function chooseTask(tasks: readonly Task[], { task: name }: Wanted): Task {
  if (name !== undefined) return taskNamed(name, tasks);
  const [only, second] = tasks;
  if (only === undefined) throw new ConcordatError('NOT_FOUND', 'no model was published yet');
  if (second === undefined) return only;
  const list = tasks.map(({ id, hash }) => `${id} (${shortHash(hash)})`).join(', ');
  throw new ConcordatError('CONFLICT', `${tasks.length} tasks published models: name one with --task: ${list}`);
}

/** The last one unless a round was named. @throws ConcordatError NOT_FOUND */
export function chooseRound(rounds: readonly number[], { round }: Wanted): number {
  if (round === undefined) return Math.max(...rounds);
  if (rounds.includes(round)) return round;
  const detail = `round ${round} published no model of this task; rounds that did: ${rounds.join(', ')}`;
  throw new ConcordatError('NOT_FOUND', detail, { round });
}
