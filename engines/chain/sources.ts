// The Solidity sources of one compilation: our contracts, the verifier, and everything they import, by virtual path.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, posix } from 'node:path';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { ConcordatError } from '../../protocol/errors.ts';

const require = createRequire(import.meta.url);

/** Where the verifier's text is mounted; a relative import in it resolves from here. */
export const VERIFIER_PATH = 'contracts/src/verifier/Groth16Verifier.sol';
export const ENTRY_PATHS = {
  Federation: 'contracts/src/Federation.sol',
  ConsentRegistry: 'contracts/src/ConsentRegistry.sol',
  RoundLedger: 'contracts/src/RoundLedger.sol',
} as const;

/** Virtual path -> text. */
export type Sources = Readonly<Record<string, string>>;

/**
 * Follows imports from the three contracts (and the verifier, if given) and reads every file they reach.
 * @throws ConcordatError FILE_MISSING naming the import that leads nowhere
 */
export async function collectSources(verifierSource?: string): Promise<Sources> {
  const found: Record<string, string> = {};
  const queue: string[] = Object.values(ENTRY_PATHS);
  if (verifierSource !== undefined) {
    found[VERIFIER_PATH] = verifierSource;
    queue.push(...importsOf(VERIFIER_PATH, verifierSource));
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
