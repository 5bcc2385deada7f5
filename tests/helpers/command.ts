// Runs the real command as a user would, and says what it printed and how it ended.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../kit/sources.ts';

const BIN = join(PACKAGE_ROOT, 'bin/concordat.mjs');
/** Shared by all tests, so that the circuit is compiled once. */
export const CACHE_DIR = join(PACKAGE_ROOT, '.concordat/cache');

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

export interface Running {
  readonly process: ChildProcess;
  output(): string;
  /** Resolves once the output contains the text. Rejects when the process ends before. */
  saw(text: string | RegExp): Promise<void>;
  readonly ended: Promise<Ended>;
}

export function start(args: readonly string[]): Running {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], cwd: PACKAGE_ROOT });
  let output = '';
  const waiting = new Set<() => void>();
  const take = (chunk: Buffer): void => {
    output += chunk.toString('utf8');
    for (const look of waiting) look();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const ended = once(child, 'close').then(([code]): Ended => ({ code: code as number | null, output }));
  return {
    process: child,
    output: () => output,
    ended,
    saw: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (typeof text === 'string' ? !output.includes(text) : !text.test(output)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
        void ended.then(() => reject(new Error(`ended before it said ${text}:\n${output}`)));
      }),
  };
}

export const run = (args: readonly string[]): Promise<Ended> => start(args).ended;

/** A small federation: quick, and still everything. */
export const SMALL = [
  '--dealers',
  '3',
  '--rounds',
  '3',
  '--key-holders',
  '3',
  '--threshold',
  '2',
  '--cache-dir',
  CACHE_DIR,
];
