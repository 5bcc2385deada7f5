// Times the phases of a round.

export interface Stopwatch {
  time<T>(phase: string, run: () => Promise<T>): Promise<T>;
  /** Milliseconds per phase, in the order they ran. */
  timingsMs(): Readonly<Record<string, number>>;
}

export function stopwatch(): Stopwatch {
  const timings: Record<string, number> = {};
  return {
    async time(phase, run) {
      const startedMs = performance.now();
      try {
        return await run();
      } finally {
        timings[phase] = (timings[phase] ?? 0) + performance.now() - startedMs;
      }
    },
    timingsMs: () => ({ ...timings }),
  };
}
