// JSON-RPC over HTTP: one request per call, a deadline, and one error for "nobody answers". No cache, no batching.
import { ConcordatError } from '../../protocol/errors.ts';

/** What the endpoint itself answered with an error object, e.g. a revert or a nonce that is too low. */
export class RpcError extends Error {
  readonly rpcCode: number;
  readonly data: unknown;

  constructor(method: string, error: { readonly code: number; readonly message: string; readonly data?: unknown }) {
    super(`${method}: ${error.message}`);
    this.name = 'RpcError';
    this.rpcCode = error.code;
    this.data = error.data;
  }
}

export interface Rpc {
  readonly url: string;
  /** @throws RpcError as answered; ConcordatError CHAIN_UNREACHABLE after about a second of refused connections */
  call(method: string, params: readonly unknown[]): Promise<unknown>;
}

interface RpcAnswer {
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** Pauses before the second and third try: a restarted node closes kept-alive sockets under us. */
const RETRY_AFTER_MS = [50, 400];

export function createRpc(url: string, timeoutMs = 5_000): Rpc {
  let nextId = 1;

  async function attempt(method: string, params: readonly unknown[]): Promise<RpcAnswer> {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: nextId++, method, params }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return (await response.json()) as RpcAnswer;
  }

  return {
    url,
    async call(method, params) {
      let cause: unknown;
      for (const pauseMs of [0, ...RETRY_AFTER_MS]) {
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
        let answer: RpcAnswer;
        try {
          answer = await attempt(method, params);
        } catch (error) {
          cause = error;
          // a deadline that ran out once would only run out again
          if (error instanceof Error && error.name === 'TimeoutError') break;
          continue;
        }
        if (answer.error !== undefined) throw new RpcError(method, answer.error);
        return answer.result;
      }
      throw new ConcordatError('CHAIN_UNREACHABLE', `${url}: ${reasonOf(cause)}`, { url, method }, { cause });
    },
  };
}

/** fetch hides the system's reason (ECONNREFUSED, ENOTFOUND) one level down. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause instanceof Error ? cause.cause : undefined;
  return inner !== undefined && 'code' in inner ? String(inner.code) : cause.message;
}
