// Private sealing keys on disk: one file per epoch, there before its public key is registered, overwritten when erased.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eraseFile, syncFolder, writeFileAtomic } from '../../kit/files.ts';
import { ConcordatError } from '../../protocol/errors.ts';

export interface KeyFiles {
  /** Ascending. */
  epochs(): Promise<readonly number[]>;
  /** @throws ConcordatError STATE_CORRUPT when the file is not a seed */
  read(epoch: number): Promise<Uint8Array | undefined>;
  /** On disk, name and all, when it resolves. @throws ConcordatError CONFLICT when the epoch has a key already */
  write(epoch: number, seed: Uint8Array): Promise<void>;
  /** As `eraseFile` does. */
  erase(epoch: number): Promise<void>;
}

const SEED_BYTES = 32;
const KEY_FILE = /^(\d+)\.key$/;

/** Takes over the folder: what a kill left half written is erased. */
export async function openKeyFiles(directory: string): Promise<KeyFiles> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(directory)) if (!KEY_FILE.test(name)) await eraseFile(join(directory, name));
  const nameOf = (epoch: number) => `${epoch}.key`;

  async function read(epoch: number): Promise<Uint8Array | undefined> {
    const path = join(directory, nameOf(epoch));
    const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return undefined;
      throw new ConcordatError('FILE_UNREADABLE', path, { path }, { cause });
    });
    if (bytes === undefined) return undefined;
    if (bytes.length !== SEED_BYTES) throw new ConcordatError('STATE_CORRUPT', `${path} is not a key`, { path });
    const seed = new Uint8Array(bytes);
    bytes.fill(0);
    return seed;
  }

  return {
    async epochs() {
      const found = (await readdir(directory)).map((name) => KEY_FILE.exec(name)?.[1]);
      return found.flatMap((epoch) => (epoch === undefined ? [] : [Number(epoch)])).sort((a, b) => a - b);
    },
    read,
    async write(epoch, seed) {
      if ((await read(epoch)) !== undefined) throw new ConcordatError('CONFLICT', `there is a key of epoch ${epoch}`);
      await writeFileAtomic(join(directory, nameOf(epoch)), seed, 0o600);
      await syncFolder(directory);
    },
    erase: (epoch) => eraseFile(join(directory, nameOf(epoch))),
  };
}
