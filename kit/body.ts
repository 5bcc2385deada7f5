// The body of a fetched answer, part by part, ending when its signal says so.

/**
 * Node 20's `for await` over a body waits for ever when the signal fires between two reads: each read is raced against it here.
 * @throws the signal's reason
 */
export async function* partsOf(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  let stop: () => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  stopped.catch(() => undefined); // it may fire after the last read
  try {
    signal.throwIfAborted();
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), stopped]);
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    reader.cancel().catch(() => undefined); // nobody waits for the rest
  }
}
