// What a person sees while something runs: a live line per step on a terminal, plain lines in a pipe.
import { Listr, type ListrTaskWrapper } from 'listr2';

export interface Step {
  /** Replaces the text behind the step's title. */
  update(text: string): void;
  /** A line below the title, there to stay. */
  line(text: string): void;
}

export interface Progress {
  step<T>(title: string, run: (step: Step) => Promise<T>): Promise<T>;
}

export function createProgress(stream: NodeJS.WriteStream = process.stdout): Progress {
  return stream.isTTY ? liveProgress() : plainProgress(stream);
}

/** In a pipe a long step says now and then where it is. */
const STILL_AT_IT_MS = 5_000;

function plainProgress(stream: NodeJS.WriteStream): Progress {
  return {
    step: async (title, run) => {
      const startedMs = performance.now();
      let text = '';
      const say = (): void => void stream.write(`${title}${text && `: ${text}`} (${seconds(startedMs)})\n`);
      const stillAtIt = setInterval(say, STILL_AT_IT_MS);
      const line = (next: string): void => {
        stream.write(`  ${next}\n`);
        stillAtIt.refresh(); // whoever talks need not say that it is still there
      };
      const update = (next: string): void => {
        text = next;
      };
      try {
        const result = await run({ update, line });
        say();
        return result;
      } finally {
        clearInterval(stillAtIt);
      }
    },
  };
}

function liveProgress(): Progress {
  return {
    step: async <T>(title: string, run: (step: Step) => Promise<T>) => {
      const startedMs = performance.now();
      const results: T[] = [];
      const task = async (_: unknown, wrapper: ListrTaskWrapper<unknown, never, never>) => {
        let text = '';
        const show = (): void => {
          wrapper.title = `${title}${text && `: ${text}`} (${seconds(startedMs)})`;
        };
        const update = (next: string): void => {
          text = next;
          show();
        };
        const line = (next: string): void => {
          wrapper.output = next;
        };
        const ticking = setInterval(show, 200);
        try {
          results.push(await run({ update, line }));
        } finally {
          clearInterval(ticking);
          show();
        }
      };
      const rendererOptions = { outputBar: Number.POSITIVE_INFINITY, persistentOutput: true };
      await new Listr([{ title, task: task as never, rendererOptions }], { renderer: 'default' }).run();
      return results[0] as T;
    },
  };
}

const seconds = (startedMs: number): string => `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
