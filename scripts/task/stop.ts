// `concordat task stop`: no new round of a task, and an end to the one in which dealers still train.
import type { TaskView } from '../../coordinator/tasks/view.ts';
import { command, plain } from './client.ts';

export interface StopOptions {
  readonly coordinator: string;
  readonly tokenFile: string;
}

export const stopTask = ({ hash }: TaskView, { coordinator, tokenFile }: StopOptions): Promise<TaskView> =>
  command<TaskView>(coordinator, `/v1/tasks/${hash}/stop`, tokenFile);

export function stoppedText({ id, state, rounds, running }: TaskView): string {
  const done = `after ${rounds.done} of ${rounds.asked} rounds`;
  if (running !== undefined) return `Task ${plain(id)} stops ${done}; round ${running.round} ends first.`;
  return state === 'stopped'
    ? `Task ${plain(id)} is stopped ${done}.`
    : `Task ${plain(id)} had ended already: ${state} ${done}.`;
}
