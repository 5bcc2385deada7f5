// One account, one order: transactions are numbered and handed over one at a time, and a failed one leaves no gap.
import { RpcError } from './rpc.ts';

export interface NonceQueue {
  /** Calls `submit` with the next nonce once every earlier call is through. A failure is its caller's alone. */
  run<T>(submit: (nonce: number) => Promise<T>): Promise<T>;
}

/**
 * Another process with the same key took our number: take a fresh one, this many times. Each time somebody got through, so
 * only a key that many processes share can use them up.
 */
const COLLISIONS_BORNE = 20;

/** @param pendingNonce the chain's own count, transactions in its pool included */
export function createNonceQueue(pendingNonce: () => Promise<number>): NonceQueue {
  let tail: Promise<unknown> = Promise.resolve();
  // Kept because an endpoint may not count at once what it has just accepted.
  let next: number | undefined;

  async function submitNext<T>(submit: (nonce: number) => Promise<T>): Promise<T> {
    for (let collisions = 0; ; collisions++) {
      const nonce = Math.max(next ?? 0, await pendingNonce());
      try {
        const result = await submit(nonce);
        next = nonce + 1;
        return result;
      } catch (error) {
        // whether it was taken is unknown: believe the chain, not our count
        next = undefined;
        if (!isNonceCollision(error) || collisions >= COLLISIONS_BORNE) throw error;
      }
    }
  }

  return {
    run(submit) {
      const result = tail.then(() => submitNext(submit));
      tail = result.catch(() => undefined);
      return result;
    },
  };
}

function isNonceCollision(error: unknown): boolean {
  return error instanceof RpcError && /nonce too low|already imported|underpriced/i.test(error.message);
}
