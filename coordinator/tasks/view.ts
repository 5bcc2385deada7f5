// A task as anyone may see it: how far it is, how good its last model was, and what it has cost in privacy.
import type { Hex } from '../../protocol/bytes.ts';
import { NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';
import type { Task } from '../../protocol/learning/task.ts';
import type { RoundOutcome } from '../rounds/driver.ts';
import type { TaskFacts } from './facts.ts';
import { roundsLeft, type TaskRecord } from './record.ts';
import type { RunningRound } from './runner.ts';

/** `idle`: nobody has asked for a round of it. */
export type TaskState = 'idle' | 'queued' | 'running' | 'stopped' | 'finished' | 'failed';

export interface TaskView {
  readonly hash: Hex;
  readonly id: string;
  readonly title: string;
  readonly strategy: string;
  readonly state: TaskState;
  /** Why it failed. */
  readonly reason?: string;
  readonly rounds: { readonly done: number; readonly asked: number; readonly failed: number };
  /** Of its rounds the one under way, and how many dealers' updates are in. */
  readonly running?: { readonly round: number; readonly uploads: number };
  /** As its last published round measured them; basis points. */
  readonly accuracyBps?: number;
  readonly aucBps?: number;
  /** Per customer, over all tasks of the federation, as its last round stated it; absent for a task without a budget. */
  readonly privacy?: { readonly epsilonMilli: number; readonly budgetMilli: number; readonly delta: number };
}

export interface ViewParts {
  readonly facts: TaskFacts;
  readonly record: TaskRecord;
  /** Of all tasks. */
  readonly outcomes: readonly RoundOutcome[];
  readonly running: RunningRound | undefined;
  /** Dealers whose updates are in. */
  readonly uploads: (round: number) => number;
}

export function viewOf({ facts: { task }, record, outcomes, running, uploads }: ViewParts): TaskView {
  const { hash, id, title, strategy } = task;
  const own = outcomes.filter(({ taskHash }) => taskHash === hash);
  const last = own.findLast(({ status }) => status === 'published');
  const round = running?.taskHash === hash ? running.round : undefined;
  return {
    hash,
    id,
    title,
    strategy: strategy.name,
    state: running?.taskHash === hash ? 'running' : stateOf(record),
    ...(record.failure !== undefined && { reason: record.failure }),
    rounds: { done: record.done, asked: record.asked, failed: own.filter(({ status }) => status === 'failed').length },
    ...(round !== undefined && { running: { round, uploads: uploads(round) } }),
    ...(last && { accuracyBps: last.accuracyBps, aucBps: last.aucBps }),
    ...privacyOf(task, own),
  };
}

function stateOf(record: TaskRecord): TaskState {
  if (record.failure !== undefined) return 'failed';
  if (record.stopped) return 'stopped';
  if (roundsLeft(record) > 0) return 'queued';
  return record.asked === 0 ? 'idle' : 'finished';
}

function privacyOf({ privacy }: Task, own: readonly RoundOutcome[]): Pick<TaskView, 'privacy'> {
  if (privacy.mode === 'none') return {};
  const stated = own.map(({ epsilonAfterMilli }) => epsilonAfterMilli).filter((milli) => milli < NO_PRIVACY_CAP);
  const budgetMilli = Math.floor(1_000 * privacy.epsilon);
  return { privacy: { epsilonMilli: Math.max(0, ...stated), budgetMilli, delta: privacy.delta } };
}
