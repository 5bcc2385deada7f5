// `concordat task list`: what a coordinator has to do, has done, and at what cost in privacy.
import type { TaskView } from '../../coordinator/tasks/view.ts';
import { palette, table } from '../federate/table.ts';
import { percent, plain, shortHash } from './client.ts';

const GOOD: ReadonlySet<TaskView['state']> = new Set(['running', 'finished']);

export function taskTable(tasks: readonly TaskView[], isTty: boolean): string {
  const ink = palette(isTty);
  const state = ({ state }: TaskView): string => {
    if (state === 'failed') return ink.bad(state);
    return GOOD.has(state) ? ink.good(state) : plain(state);
  };
  const rows = tasks.map((task) => [
    plain(task.id),
    ink.dim(plain(shortHash(task.hash))),
    plain(task.strategy),
    state(task),
    `${task.rounds.done}/${task.rounds.asked}`,
    task.accuracyBps === undefined ? '–' : percent(task.accuracyBps),
    task.aucBps ? (task.aucBps / 10_000).toFixed(4) : '–',
    epsilonText(task),
  ]);
  const head = ['task', 'hash', 'strategy', 'state', 'rounds', 'accuracy', 'AUC', 'ε spent'];
  const lines = table([head, ...rows], ['left', 'left', 'left', 'left', 'right', 'right', 'right', 'right']);
  const reasons = tasks.flatMap(({ id, reason }) => (reason === undefined ? [] : [plain(`${id}: ${reason}`)]));
  return [lines, ...reasons].join('\n');
}

const epsilonText = ({ privacy }: TaskView): string =>
  privacy === undefined ? '–' : `${privacy.epsilonMilli / 1_000} of ${privacy.budgetMilli / 1_000}`;
