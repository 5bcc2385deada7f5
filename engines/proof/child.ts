// Forks one of our TypeScript files as a child process and talks to it in requests and replies, one at a time.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ConcordatError, type ErrorCode } from '../../protocol/errors.ts';

export type Reply<Result> =
  | { readonly ok: true; readonly result: Result }
  | { readonly ok: false; readonly code: ErrorCode; readonly detail: string };

export interface Child<Request, Result> {
  /** @throws ConcordatError the child's own, or PROCESS_FAILED when it ends before it replies */
  ask(request: Request): Promise<Result>;
  /** Sends SIGKILL and waits for the end. */
  kill(): Promise<void>;
  readonly alive: boolean;
}

/** `script` is a .ts file (Node 20 runs none itself, hence tsx) or its compiled .js. The child's stderr is ours. */
export function forkChild<Request extends object, Result>(script: URL): Child<Request, Result> {
  const path = fileURLToPath(script);
  const child = fork(path, [], {
    execArgv: path.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [],
    // Structured clone: bigints and byte arrays cross as they are.
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (cause) => resolve(cause.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  return {
    ask: (request) => ask<Request, Result>(child, ended, path, request),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    get alive() {
      return child.exitCode === null && child.signalCode === null;
    },
  };
}

async function ask<Request extends object, Result>(
  child: ChildProcess,
  ended: Promise<string>,
  path: string,
  request: Request,
): Promise<Result> {
  const reply = new Promise<Reply<Result>>((resolve) => child.once('message', resolve));
  child.send(request, () => undefined); // a failed send is an ended child
  const answer = await Promise.race([reply, ended]);
  if (typeof answer === 'string') throw new ConcordatError('PROCESS_FAILED', `${path} ended: ${answer}`, { path });
  if (!answer.ok) throw new ConcordatError(answer.code, answer.detail);
  return answer.result;
}

/** The child's side: answers every request, and ends with its parent. */
export function serveParent<Request, Result>(handle: (request: Request) => Promise<Result>): void {
  process.once('disconnect', () => process.exit(0));
  process.on('message', (request: Request) => {
    void handle(request)
      .then((result): Reply<Result> => ({ ok: true, result }), asFailure)
      .then((reply) => process.send?.(reply));
  });
}

function asFailure(cause: unknown): { ok: false; code: ErrorCode; detail: string } {
  if (cause instanceof ConcordatError) return { ok: false, code: cause.code, detail: cause.detail };
  return { ok: false, code: 'PROCESS_FAILED', detail: cause instanceof Error ? cause.message : String(cause) };
}
