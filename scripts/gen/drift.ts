// Which generated files of a tree are not what the generators write.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GeneratedFile } from './generated-file.ts';

function stored(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // not there yet: differs from anything
  }
}

export const drifted = (root: string, files: readonly GeneratedFile[]): readonly GeneratedFile[] =>
  files.filter(({ path, text }) => stored(join(root, path)) !== text);
