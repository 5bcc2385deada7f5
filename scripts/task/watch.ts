// `concordat task watch`: a line per round as it ends, until the task does.
import type { RoundOutcome } from '../../coordinator/rounds/driver.ts';
import type { TaskState, TaskView } from '../../coordinator/tasks/view.ts';
import { requestJson } from '../../kit/http.ts';
import type { Progress, Step } from '../../kit/progress.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { baseUrl, percent, plain } from './client.ts';

const LOOK_EVERY_MS = 500;
/** A coordinator that was killed is started again; this long it may take to answer. */
const ABSENCE_MS = 120_000;

const ENDED: ReadonlySet<TaskState> = new Set<TaskState>(['finished', 'stopped', 'failed', 'idle']);

/** @returns the task as it ended @throws ConcordatError TIMED_OUT when the coordinator stays away */
export function watchTask(task: TaskView, coordinator: string, progress: Progress): Promise<TaskView> {
  return progress.step(`Task ${plain(task.id)}`, (step) => follow(task, coordinator, step));
}

async function follow(task: TaskView, coordinator: string, step: Step): Promise<TaskView> {
  const url = `${baseUrl(coordinator)}/v1/tasks/${task.hash}`;
  const ask = patientAsker(step);
  let seen = 0;
  for (;;) {
    // the task first: whatever had ended by then is among the rounds
    const now = await ask<TaskView>(url);
    const { rounds } = await ask<{ readonly rounds: readonly RoundOutcome[] }>(`${url}/rounds?after=${seen}`);
    for (const round of rounds) step.line(roundLine(round));
    seen = rounds.at(-1)?.round ?? seen;
    step.update(stateText(now));
    if (ENDED.has(now.state) && rounds.length === 0) return now;
    if (rounds.length === 0) await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Asks again for a while when nobody answers. */
function patientAsker(step: Step): <T>(url: string) => Promise<T> {
  let awaySinceMs: number | undefined;
  return async <T>(url: string): Promise<T> => {
    for (;;) {
      try {
        const answer = await requestJson<T>(url);
        awaySinceMs = undefined;
        return answer;
      } catch (error) {
        const nowMs = performance.now();
        awaySinceMs ??= nowMs;
        const isAway = error instanceof ConcordatError && error.code === 'TIMED_OUT';
        if (!isAway || nowMs - awaySinceMs > ABSENCE_MS) throw error;
        step.update('the coordinator does not answer: waiting for it');
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      }
    }
  };
}

/** Accuracy and AUC are of the model that the round started from. */
export function roundLine(outcome: RoundOutcome): string {
  const { round, status, reason, dealers, records, accuracyBps, aucBps, timingsMs } = outcome;
  if (status === 'failed') return `round ${round}: failed, ${plain(reason ?? 'for an unknown reason')}`;
  const totalMs = Object.values(timingsMs).reduce((sum, ms) => sum + ms, 0);
  return [
    `round ${round}: ${dealers} dealers`,
    `${records.toLocaleString('en')} records`,
    `accuracy ${percent(accuracyBps)}`,
    ...(aucBps > 0 ? [`AUC ${(aucBps / 10_000).toFixed(4)}`] : []),
    ...(totalMs > 0 ? [`${(totalMs / 1_000).toFixed(1)} s`] : []),
  ].join(', ');
}

function stateText({ state, reason, rounds, running }: TaskView): string {
  const progress = `${rounds.done} of ${rounds.asked} rounds`;
  if (running !== undefined) return `${progress}, round ${running.round}: ${running.uploads} updates in`;
  return reason === undefined ? `${state}, ${progress}` : `${state}, ${progress}: ${plain(reason)}`;
}
