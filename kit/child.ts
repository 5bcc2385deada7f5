// Children of this program: how one tells its parent where it listens, and how a parent starts and stops it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConcordatError } from '../protocol/errors.ts';

interface ReadyMessage {
  readonly type: 'ready';
  readonly url: string;
}

/** Called by a service once it listens. Without a parent it is a line on stdout instead. */
export function announceReady(url: string): void {
  if (process.send) process.send({ type: 'ready', url } satisfies ReadyMessage);
  else process.stdout.write(`listening on ${url}\n`);
}

export interface Child {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  readonly exited: Promise<number | undefined>;
  kill(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly readyWithinMs?: number;
}

/**
 * Starts a service and waits until it says it is ready. It dies with its parent: the channel closes and it stops.
 * @throws ConcordatError PROCESS_FAILED with the last line of its log
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  mkdirSync(dirname(options.logFile), { recursive: true });
  const logFd = openSync(options.logFile, 'a');
  const child = spawn(options.command, options.args, { stdio: ['ignore', logFd, logFd, 'ipc'] });
  closeSync(logFd);
  const exited = once(child, 'exit').then(([code]) => code as number | undefined);
  try {
    const url = await readyOrDead(child, exited, options);
    return {
      name: options.name,
      url,
      pid: child.pid ?? 0,
      exited,
      kill: (signal) => child.kill(signal),
      stop: () => stopChild(child, exited),
    };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

async function readyOrDead(child: ChildProcess, exited: Promise<unknown>, options: ChildOptions): Promise<string> {
  const withinMs = options.readyWithinMs ?? 60_000;
  let timer: NodeJS.Timeout | undefined;
  const ready = new Promise<string>((resolve) => {
    child.on('message', (message: ReadyMessage) => {
      if (message.type === 'ready') resolve(message.url);
    });
  });
  const dead = exited.then(async (code) => {
    throw new ConcordatError(
      'PROCESS_FAILED',
      `${options.name} ended with code ${code}: ${await lastLine(options.logFile)}`,
    );
  });
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConcordatError('TIMED_OUT', `${options.name} is not ready`)), withinMs);
  });
  dead.catch(() => undefined);
  try {
    return await Promise.race([ready, dead, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function stopChild(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const hard = setTimeout(() => child.kill('SIGKILL'), 4_000);
  await exited;
  clearTimeout(hard);
}

async function lastLine(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim().split('\n').at(-1)?.slice(0, 400) ?? '';
}
