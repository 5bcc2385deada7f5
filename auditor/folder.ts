// A bundle in a folder.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileOrExplain } from '../kit/files.ts';
import type { BundleFiles } from '../protocol/transcript/bundle.ts';

export const bundleFolder = (directory: string): BundleFiles => ({
  list: (folder) =>
    readdir(join(directory, folder)).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return [];
      throw cause;
    }),
  // a copy of its own, aligned for the words of a payload
  read: async (path) => new Uint8Array(await readFileOrExplain(join(directory, path))),
});
