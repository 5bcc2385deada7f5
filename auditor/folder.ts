// A bundle on this disk: a folder, or the same files in one archive; and how much of it was read.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileOrExplain } from '../kit/files.ts';
import type { BundleFiles } from '../protocol/transcript/bundle.ts';
import type { BundleSize } from './evidence.ts';
import { tarFiles } from './tar.ts';

export const bundleFolder = (directory: string): BundleFiles => ({
  list: (folder) =>
    readdir(join(directory, folder)).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return [];
      throw cause;
    }),
  // a copy of its own, aligned for the words of a payload
  read: async (path) => new Uint8Array(await readFileOrExplain(join(directory, path))),
});

/** @throws ConcordatError FILE_MISSING, FILE_UNREADABLE for an archive that is none of a bundle */
export async function openBundle(path: string): Promise<BundleFiles> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? tarFiles(path) : bundleFolder(path);
}

/** The same files, with a count of what is read of them. */
export function counted(files: BundleFiles): { readonly files: BundleFiles; size(): BundleSize } {
  const lengths = new Map<string, number>();
  let readMs = 0;
  async function timed<T>(read: Promise<T>): Promise<T> {
    const startedMs = performance.now();
    try {
      return await read;
    } finally {
      readMs += performance.now() - startedMs;
    }
  }
  return {
    files: {
      list: (folder) => timed(files.list(folder)),
      read: async (path) => {
        const bytes = await timed(files.read(path));
        lengths.set(path, bytes.length);
        return bytes;
      },
    },
    size: () => ({
      files: lengths.size,
      bytes: [...lengths.values()].reduce((sum, bytes) => sum + bytes, 0),
      readMs: Math.round(readMs),
    }),
  };
}
