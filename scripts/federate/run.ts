// One run as it goes: its options, what it started, and how long each step took.
import { createProgress, type Step } from '../../kit/progress.ts';
import type { FederateOptions } from './options.ts';

/** Anything started is kept here first, so that whatever happens next can stop it. */
export interface Stoppable {
  stop(): Promise<void>;
}

export interface Run {
  readonly options: FederateOptions;
  readonly started: Stoppable[];
  /** Milliseconds per step; a step done twice adds up. */
  readonly timingsMs: Record<string, number>;
  step<T>(name: string, title: string, work: (step: Step) => Promise<T>): Promise<T>;
}

export function createRun(options: FederateOptions, started: Stoppable[]): Run {
  const progress = createProgress();
  const timingsMs: Record<string, number> = {};
  return {
    options,
    started,
    timingsMs,
    step: async (name, title, work) => {
      const startedMs = performance.now();
      try {
        return await progress.step(title, work);
      } finally {
        timingsMs[name] = (timingsMs[name] ?? 0) + performance.now() - startedMs;
      }
    },
  };
}
