// Jobs of the learning benchmark, shared out over child processes: one per core, each with its own tensor backend.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Example } from './material.ts';

export type Job =
  | { readonly kind: 'seed'; readonly example: Example; readonly seed: number }
  | {
      readonly kind: 'candidate';
      readonly example: Example;
      readonly candidate: number;
      readonly epsilon: number;
      readonly repeat: number;
    };

/** Answers in the order of the jobs. `told` is called as each comes in. */
export async function runJobs<Answer>(
  jobs: readonly Job[],
  processes: number,
  told: (answer: Answer, job: Job) => void,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const waiting = jobs.map((job, place) => ({ job, place }));
  async function work(): Promise<void> {
    const child = fork(join(import.meta.dirname, 'job-child.ts'), { serialization: 'advanced' });
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const { job, place } = next;
        const answer = await new Promise<Answer>((resolve, reject) => {
          child.removeAllListeners();
          child.once('message', (message) => resolve(message as Answer));
          child.once('exit', (code) => reject(new Error(`a process of the benchmark ended with ${code}`)));
          child.send(job);
        });
        answers[place] = answer;
        told(answer, job);
      }
    } finally {
      child.removeAllListeners();
      child.kill();
    }
  }
  await Promise.all(Array.from({ length: Math.min(processes, jobs.length) }, work));
  return answers;
}
