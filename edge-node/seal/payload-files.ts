// Sealed payloads on the dealer's own disk: written part by part, whole or not there, kept until their round is over.
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface PayloadFiles {
  /**
   * What `fill` writes becomes the payload of this attempt when it returns, on disk; when it throws, nothing does.
   * Synchronous, as sealing is.
   */
  create<Result>(round: number, attempt: number, fill: (write: (part: Uint8Array) => void) => Result): Result;
  /** Path and size of what was created; undefined when there is none (any more). */
  find(round: number, attempt: number): Promise<StoredPayload | undefined>;
  /** Removes the payloads of earlier rounds, and what a killed process left half-written. */
  removeBefore(round: number): Promise<void>;
}

export interface StoredPayload {
  readonly path: string;
  readonly bytes: number;
}

const NAME = /^(\d+)-(\d+)\.ccp$/;

export function createPayloadFiles(directory: string): PayloadFiles {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const pathOf = (round: number, attempt: number): string => join(directory, `${round}-${attempt}.ccp`);
  return {
    create(round, attempt, fill) {
      const temporary = `${pathOf(round, attempt)}.${randomBytes(4).toString('hex')}.tmp`;
      const file = openSync(temporary, 'wx', 0o600);
      try {
        const result = fillAndClose(file, fill);
        renameSync(temporary, pathOf(round, attempt));
        syncFolder(directory);
        return result;
      } catch (error) {
        rmSync(temporary, { force: true });
        throw error;
      }
    },
    async find(round, attempt) {
      const path = pathOf(round, attempt);
      const found = await stat(path).catch(() => undefined);
      return found && { path, bytes: found.size };
    },
    async removeBefore(round) {
      const names = await readdir(directory);
      const old = names.filter((name) => {
        const match = NAME.exec(name);
        return match === null ? name.endsWith('.tmp') : Number(match[1]) < round;
      });
      await Promise.all(old.map((name) => rm(join(directory, name), { force: true })));
    },
  };
}

function fillAndClose<Result>(file: number, fill: (write: (part: Uint8Array) => void) => Result): Result {
  try {
    const result = fill((part) => writeWhole(file, part));
    fsyncSync(file);
    return result;
  } finally {
    closeSync(file);
  }
}

function writeWhole(file: number, part: Uint8Array): void {
  for (let at = 0; at < part.length; ) at += writeSync(file, part, at);
}

function syncFolder(directory: string): void {
  const folder = openSync(directory, 'r');
  fsyncSync(folder);
  closeSync(folder);
}
