// One way to stop: a signal, a parent that is gone, or a failed start all run the same stop, once.

/** Runs `stop` once on SIGINT, SIGTERM or when the parent process disconnects; then exits. */
export function stopOnSignals(stop: () => Promise<void>): void {
  let stopping = false;
  const run = (code: number) => {
    if (stopping) return;
    stopping = true;
    const giveUp = setTimeout(() => process.exit(code), 5_000);
    giveUp.unref();
    void stop().finally(() => process.exit(code));
  };
  process.once('SIGINT', () => run(130));
  process.once('SIGTERM', () => run(0));
  process.once('disconnect', () => run(0));
}
