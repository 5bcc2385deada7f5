// Times the phases of a round.

export function stopwatch() {
  const timings: Record<string, number> = {};
  return {
    async time<T>(phase: string, run: () => Promise<T>): Promise<T> {
      const startedMs = performance.now();
      try {
        return await run();
      } finally {
        timings[phase] = (timings[phase] ?? 0) + performance.now() - startedMs;
      }
    },
    /** Milliseconds per phase, in the order they ran. */
    timingsMs: (): Readonly<Record<string, number>> => ({ ...timings }),
  };
}
