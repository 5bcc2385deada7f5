// What a person sees while something runs: a live line per step on a terminal, one plain line per step in a pipe.
import { Listr, type ListrTaskWrapper } from 'listr2';

export interface Step {
  /** Replaces the text behind the step's title. */
  update(text: string): void;
}

export interface Progress {
  /** Runs one step. On a terminal it shows as it goes; in a pipe it is one line when it is done. */
  step<T>(title: string, run: (step: Step) => Promise<T>): Promise<T>;
  line(text: string): void;
}

export function createProgress(stream: NodeJS.WriteStream = process.stdout): Progress {
  return stream.isTTY ? liveProgress(stream) : plainProgress(stream);
}

function plainProgress(stream: NodeJS.WriteStream): Progress {
  return {
    step: async (title, run) => {
      const startedMs = Date.now();
      let last = '';
      const result = await run({ update: (text) => (last = text) });
      stream.write(`${title}${last && `: ${last}`} (${seconds(startedMs)})\n`);
      return result;
    },
    line: (text) => void stream.write(`${text}\n`),
  };
}

function liveProgress(stream: NodeJS.WriteStream): Progress {
  return {
    step: async <T>(title: string, run: (step: Step) => Promise<T>) => {
      const startedMs = Date.now();
      const results: T[] = [];
      const task = async (_: unknown, wrapper: ListrTaskWrapper<unknown, never, never>) => {
        let text = '';
        const show = () => (wrapper.title = `${title}${text && `: ${text}`} (${seconds(startedMs)})`);
        const ticking = setInterval(show, 200);
        try {
          results.push(await run({ update: (next) => ((text = next), show()) }));
        } finally {
          clearInterval(ticking);
          show();
        }
      };
      await new Listr([{ title, task: task as never }], { renderer: 'default' }).run();
      return results[0] as T;
    },
    line: (text) => void stream.write(`${text}\n`),
  };
}

const seconds = (startedMs: number): string => `${((Date.now() - startedMs) / 1000).toFixed(1)} s`;
