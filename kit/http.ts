// HTTP as every service speaks it: express with limits, problem+json errors (RFC 9457), and a client that turns them back.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { ConcordatError, ERRORS, type ErrorCode, type ErrorFields } from '../protocol/errors.ts';
import { partsOf } from './body.ts';
import type { Log } from './log.ts';

export function createApp(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(helmet());
  return app;
}

/** Last handler of an app: every error leaves as problem+json, never with a stack or a cause. */
export function problemHandler(log: Log) {
  return (error: unknown, request: Request, response: Response, _next: NextFunction): void => {
    const known = asConcordatError(error);
    if (known === undefined) log.error({ err: error, path: request.path }, 'unexpected error');
    const code: ErrorCode = known?.code ?? 'PROCESS_FAILED';
    response
      .status(ERRORS[code].status)
      .type('application/problem+json')
      .send(
        JSON.stringify({
          type: `urn:concordat:error:${code}`,
          title: ERRORS[code].meaning,
          status: ERRORS[code].status,
          code,
          detail: known?.detail ?? 'internal error',
          remedy: ERRORS[code].remedy,
          fields: known?.fields ?? {},
        }),
      );
  };
}

function asConcordatError(error: unknown): ConcordatError | undefined {
  if (error instanceof ConcordatError) return error;
  if (error instanceof Error && 'type' in error) {
    // express' body parsers throw typed http-errors
    if (error.type === 'entity.too.large') return new ConcordatError('MESSAGE_TOO_LARGE', 'request body');
    if (String(error.type).startsWith('entity.') || error.type === 'encoding.unsupported') {
      return new ConcordatError('MESSAGE_MALFORMED', 'request body');
    }
  }
  return undefined;
}

export interface HttpService {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  close(): Promise<void>;
}

const KEEP_ALIVE_MS = 120_000;

/** Listens on loopback; port 0 takes a free one. */
export async function listen(app: Express, port: number, host = '127.0.0.1'): Promise<HttpService> {
  const server = createServer(app);
  // Node's five seconds close an idle connection just as a busy peer sends on it again: the request is lost, and looks like
  // nobody being there
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = KEEP_ALIVE_MS + 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new ConcordatError('PROCESS_FAILED', `cannot listen on ${host}:${port}`, { port }, { cause })),
    );
    server.listen(port, host, resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${host}:${bound}`,
    port: bound,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const MAX_PROBLEM_BYTES = 65_536;

interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly body?: Uint8Array | string;
  readonly headers?: Record<string, string>;
  readonly timeoutMs?: number;
  /** A longer answer is refused before it is read to its end. */
  readonly maxBytes?: number;
}

/** One request. A problem+json answer becomes the ConcordatError it describes; no answer becomes TIMED_OUT. */
export async function request(url: string, options: RequestOptions = {}): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(options.timeoutMs ?? 30_000);
  try {
    const response = await fetch(url, {
      method: options.method ?? 'GET',
      signal,
      ...(options.headers && { headers: options.headers }),
      ...(options.body !== undefined && { body: options.body as NonNullable<RequestInit['body']> }),
    });
    const bytes = await readBody(partsOf(response, signal), options.maxBytes ?? Number.POSITIVE_INFINITY, url);
    if (response.ok) return bytes;
    throw problemToError(bytes, response.status, url);
  } catch (cause) {
    if (cause instanceof ConcordatError) throw cause;
    throw new ConcordatError('TIMED_OUT', `${url} does not answer`, { url }, { cause });
  }
}

/** @throws ConcordatError MESSAGE_TOO_LARGE */
async function readBody(body: AsyncIterable<Uint8Array>, maxBytes: number, url: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    // a problem document may be longer than the answer that was hoped for
    if (bytes > Math.max(maxBytes, MAX_PROBLEM_BYTES)) {
      throw new ConcordatError('MESSAGE_TOO_LARGE', `${url} answers with over ${maxBytes} bytes`);
    }
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}

export async function requestJson<T>(url: string, options: RequestOptions = {}): Promise<T> {
  const body = await request(url, {
    ...options,
    headers: { 'content-type': 'application/json', ...options.headers },
  });
  return JSON.parse(new TextDecoder().decode(body)) as T;
}

export function problemToError(bytes: Uint8Array, status: number, url: string): ConcordatError {
  try {
    const problem = JSON.parse(new TextDecoder().decode(bytes)) as {
      code: ErrorCode;
      detail: unknown;
      fields: ErrorFields;
    };
    if (Object.hasOwn(ERRORS, problem.code)) {
      return new ConcordatError(problem.code, String(problem.detail), { ...problem.fields });
    }
  } catch {
    // not a problem document: fall through to the plain status
  }
  return new ConcordatError('PROCESS_FAILED', `${url} answered ${status}`, { url, status });
}
