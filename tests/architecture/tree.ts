// The files of the repository, as the architecture tests see them.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Not ours, or not source: installed packages, build output, state of running federations, repository data. */
const SKIPPED = new Set(['node_modules', 'dist', 'coverage', '.concordat', '.git']);

/** Paths relative to the root, with forward slashes, sorted. */
export function filesOf(extensions: readonly string[], folder = ROOT): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (SKIPPED.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...filesOf(extensions, path));
    else if (extensions.some((extension) => entry.name.endsWith(extension))) {
      found.push(relative(ROOT, path).replaceAll('\\', '/'));
    }
  }
  return found.sort();
}

export const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
