// The Solidity sources of one compilation: our contracts, the verifier, and everything they import, by virtual path.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, posix } from 'node:path';
import { ConcordatError } from '../../protocol/errors.ts';
import { PACKAGE_ROOT } from '../sources.ts';
import { readBuild } from './build.ts';

const require = createRequire(import.meta.url);

/** Virtual path -> text. */
export type Sources = Readonly<Record<string, string>>;

/**
 * Follows imports from the three contracts (and the verifier, if given) and reads every file they reach.
 * @throws ConcordatError FILE_MISSING naming the import that leads nowhere
 */
export async function collectSources(verifierSource?: string): Promise<Sources> {
  const { entries, verifier } = await readBuild();
  const found: Record<string, string> = {};
  const queue: string[] = Object.values(entries);
  if (verifierSource !== undefined) {
    // a relative import in it resolves from where it is mounted
    found[verifier] = verifierSource;
    queue.push(...importsOf(verifier, verifierSource));
  }
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (path in found) continue;
    const text = await readSource(path);
    found[path] = text;
    queue.push(...importsOf(path, text));
  }
  // sorted, so that the same files always hash alike
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(/(?<=^|[;}])\s*import\s[^;]*?["']([^"']+)["'][^;]*;/gm)].map(([, target = '']) =>
    target.startsWith('.') ? posix.join(posix.dirname(path), target) : target,
  );
}

async function readSource(path: string): Promise<string> {
  try {
    if (path.startsWith('contracts/')) return await readFile(join(PACKAGE_ROOT, path), 'utf8');
    return await readFile(require.resolve(path), 'utf8');
  } catch (cause) {
    throw new ConcordatError('FILE_MISSING', `Solidity import ${path}`, { path }, { cause });
  }
}
