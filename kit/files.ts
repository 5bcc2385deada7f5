// Files that are either wholly there or not at all.
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConcordatError } from '../protocol/errors.ts';

/** Writes beside, syncs, renames: a kill at any line leaves the old file or the new one. */
export async function writeFileAtomic(path: string, bytes: Uint8Array | string, mode = 0o644): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  const handle = await openInFolder(temporary, mode);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
}

async function openInFolder(path: string, mode: number): Promise<FileHandle> {
  try {
    return await open(path, 'w', mode);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    await mkdir(dirname(path), { recursive: true });
    return open(path, 'w', mode);
  }
}

/** @throws ConcordatError FILE_MISSING naming the path */
export async function readFileOrExplain(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new ConcordatError('FILE_MISSING', path, { path }, { cause });
    }
    throw new ConcordatError('FILE_UNREADABLE', `${path}: ${(cause as Error).message}`, { path }, { cause });
  }
}

/**
 * Overwritten, then gone; nothing when there is no such file. Where the medium keeps old versions of its own (a copy-on-write
 * file system, a snapshot, a worn flash block), what it keeps is out of our reach.
 */
export async function eraseFile(path: string): Promise<void> {
  const handle = await open(path, 'r+').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw cause;
  });
  if (handle === undefined) return;
  try {
    const { size } = await handle.stat();
    await handle.writeFile(randomBytes(size)); // unlike `write`, all of it
    await handle.sync();
  } finally {
    await handle.close();
  }
  await unlink(path);
  await syncFolder(dirname(path));
}

/** What was created, renamed or removed in the folder is on disk when it resolves. */
export async function syncFolder(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
