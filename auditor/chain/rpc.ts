// The auditor's way to a chain: JSON-RPC that only reads, many questions in one request.
import { z } from 'zod';
import { ConcordatError } from '../../protocol/errors.ts';

export interface Question {
  readonly method: string;
  readonly params: readonly unknown[];
}

export interface ChainReader {
  /** Without what may be a key in it. */
  readonly url: string;
  /** @throws EndpointRefused as answered; ConcordatError CHAIN_UNREACHABLE */
  ask(method: string, params: readonly unknown[]): Promise<unknown>;
  /** Answers in the order of the questions. @param perRequest fewer, where answers are long @throws as `ask` */
  askAll(questions: readonly Question[], perRequest?: number): Promise<unknown[]>;
}

/** The endpoint answered, with an error: a revert, a range that is too wide. */
export class EndpointRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EndpointRefused';
  }
}

const answer = z.object({
  id: z.number().nullish(),
  result: z.unknown().optional(),
  error: z.object({ message: z.string() }).optional(),
});
type Answer = z.output<typeof answer>;

/** Public endpoints take so many, and no more. */
const QUESTIONS_PER_REQUEST = 100;
const REQUESTS_AT_ONCE = 4;
/** Pauses before the second and third try. */
const RETRY_AFTER_MS = [50, 400];

export function createReader(endpoint: string, timeoutMs = 30_000): ChainReader {
  const url = URL.canParse(endpoint) ? new URL(endpoint).origin : endpoint;
  let batches = true;

  async function post(body: unknown): Promise<unknown> {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    // some endpoints send their refusals with a status of their own
    const text = await response.text();
    if (!response.ok && !text.startsWith('{') && !text.startsWith('[')) throw new Error(`HTTP ${response.status}`);
    return JSON.parse(text);
  }

  async function send(body: unknown): Promise<unknown> {
    let cause: unknown;
    for (const pauseMs of [0, ...RETRY_AFTER_MS]) {
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      try {
        return await post(body);
      } catch (error) {
        cause = error;
        // a deadline that ran out once would only run out again
        if (error instanceof Error && error.name === 'TimeoutError') break;
      }
    }
    throw new ConcordatError('CHAIN_UNREACHABLE', `${url}: ${reasonOf(cause)}`, { url }, { cause });
  }

  function resultOf(question: Question, found: unknown): unknown {
    const { data } = answer.safeParse(found);
    if (data === undefined) throw new ConcordatError('CHAIN_WRONG', `${url}: no JSON-RPC answer`, { url });
    if (data.error !== undefined) throw new EndpointRefused(`${question.method}: ${data.error.message}`);
    return data.result;
  }

  async function one(question: Question): Promise<unknown> {
    return resultOf(question, await send(asRequest(question, 0)));
  }

  async function many(questions: readonly Question[]): Promise<unknown[]> {
    const [first] = questions;
    if (batches && questions.length > 1) {
      const found = await send(questions.map(asRequest));
      if (Array.isArray(found)) {
        const byId = new Map(found.map((one: Answer) => [one?.id, one] as const));
        return questions.map((question, id) => resultOf(question, byId.get(id)));
      }
      // one answer for all of them: this endpoint takes no batches
      batches = false;
    }
    if (questions.length === 1 && first !== undefined) return [await one(first)];
    const answers: unknown[] = [];
    for (const question of questions) answers.push(await one(question));
    return answers;
  }

  return {
    url,
    ask: (method, params) => one({ method, params }),
    async askAll(questions, perRequest = QUESTIONS_PER_REQUEST) {
      const answers: unknown[] = new Array(questions.length);
      const starts = questions.flatMap((_, i) => (i % perRequest === 0 ? [i] : []));
      const work = async (): Promise<void> => {
        for (let at = starts.shift(); at !== undefined; at = starts.shift()) {
          const found = await many(questions.slice(at, at + perRequest));
          for (const [i, value] of found.entries()) answers[at + i] = value;
        }
      };
      await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, work));
      return answers;
    },
  };
}

/** Host and port. A path or a user may be a key, and reports are for everybody. */
export function nameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'no URL';
}

const asRequest = ({ method, params }: Question, id: number) => ({ jsonrpc: '2.0', id, method, params });

/** fetch hides the system's reason (ECONNREFUSED, ENOTFOUND) one level down. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause instanceof Error ? cause.cause : undefined;
  return inner !== undefined && 'code' in inner ? String(inner.code) : cause.message;
}

export const quantity = (value: number): `0x${string}` => `0x${value.toString(16)}`;
