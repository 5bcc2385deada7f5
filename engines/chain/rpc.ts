// JSON-RPC over HTTP: a deadline, and one error for "nobody answers". No cache. Questions about the state (eth_call) that are asked
// in one go travel in one request: parties ask about every dealer of a round at once.
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
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** Pauses before the second and third try: a restarted node closes kept-alive sockets under us. */
const RETRY_AFTER_MS = [50, 400];

interface RpcRequest {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** More in one request, and public endpoints refuse it. */
const MOST_IN_BATCH = 50;
const MOST_REFUSED = 3;

export function createRpc(url: string, timeoutMs = 5_000): Rpc {
  let nextId = 1;
  let asked: { readonly request: RpcRequest; settle(answer: Promise<RpcAnswer>): void }[] = [];
  let refused = 0;

  async function post(body: unknown): Promise<unknown> {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return response.json();
  }

  const numbered = (request: RpcRequest) => ({ jsonrpc: '2.0', id: nextId++, ...request });

  /** @throws ConcordatError CHAIN_UNREACHABLE */
  async function trying<T>(method: string, attempt: () => Promise<T>): Promise<T> {
    let cause: unknown;
    for (const pauseMs of [0, ...RETRY_AFTER_MS]) {
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      try {
        return await attempt();
      } catch (error) {
        cause = error;
        // a deadline that ran out once would only run out again
        if (error instanceof Error && error.name === 'TimeoutError') break;
      }
    }
    throw new ConcordatError('CHAIN_UNREACHABLE', `${url}: ${reasonOf(cause)}`, { url, method }, { cause });
  }

  const single = (request: RpcRequest): Promise<RpcAnswer> =>
    trying(request.method, async () => (await post(numbered(request))) as RpcAnswer);

  /** In the order of the requests. An endpoint that refuses batches time after time is asked one by one, from then on. */
  async function together(requests: readonly RpcRequest[]): Promise<readonly RpcAnswer[]> {
    const bodies = requests.map(numbered);
    const answers = refused < MOST_REFUSED ? await post(bodies).catch(() => undefined) : undefined;
    const byId = new Map(Array.isArray(answers) ? (answers as RpcAnswer[]).map((answer) => [answer.id, answer]) : []);
    const ordered = bodies.flatMap(({ id }) => byId.get(id) ?? []);
    const isWhole = ordered.length === bodies.length;
    refused = isWhole ? 0 : refused + 1;
    return isWhole ? ordered : Promise.all(requests.map(single));
  }

  function flush(): void {
    const batch = asked;
    asked = [];
    for (let from = 0; from < batch.length; from += MOST_IN_BATCH) {
      const some = batch.slice(from, from + MOST_IN_BATCH);
      const [first] = some;
      if (some.length === 1 && first) first.settle(single(first.request));
      else {
        const answers = together(some.map(({ request }) => request));
        some.forEach(({ settle }, i) => {
          settle(answers.then((all) => all[i] ?? {}));
        });
      }
    }
  }

  const inOneGo = (request: RpcRequest): Promise<RpcAnswer> =>
    new Promise((settle) => {
      if (asked.length === 0) queueMicrotask(flush);
      asked.push({ request, settle });
    });

  return {
    url,
    async call(method, params) {
      const answer = await (method === 'eth_call' ? inOneGo({ method, params }) : single({ method, params }));
      if (answer.error !== undefined) throw new RpcError(method, answer.error);
      return answer.result;
    },
  };
}

/** fetch hides the system's reason (ECONNREFUSED, ENOTFOUND) one level down. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause instanceof Error ? cause.cause : undefined;
  return inner !== undefined && 'code' in inner ? String(inner.code) : cause.message;
}
