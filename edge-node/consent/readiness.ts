// Ahead of the rounds: whenever consent changed, anchor it, prove what is new and admit the selection, in the background.
import type { Log } from '../../kit/log.ts';

export interface ReadinessParts {
  readonly operationCount: () => number;
  readonly prepare: () => Promise<void>;
  readonly log: Log;
}

export interface Readiness {
  /** Consent changed, or may have. */
  changed(): void;
  /** Everything taken in so far is anchored, proven and selected. */
  ready(): boolean;
  stop(): Promise<void>;
}

export function createReadiness({ operationCount, prepare, log }: ReadinessParts): Readiness {
  let preparedCount: number | undefined;
  let working: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  async function work(): Promise<void> {
    do {
      again = false;
      const count = operationCount();
      if (count === 0) continue;
      try {
        await prepare();
        preparedCount = count;
      } catch (err) {
        // the round itself prepares too: nothing is lost but time
        if (!stopped) log.warn({ err }, 'could not prepare ahead');
      }
    } while (again && !stopped);
  }

  return {
    changed: () => {
      again = true;
      working ??= work().finally(() => {
        working = undefined;
      });
    },
    ready: () => working === undefined && preparedCount === operationCount(),
    stop: async () => {
      stopped = true;
      await working;
    },
  };
}
