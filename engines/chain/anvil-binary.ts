// Where npm put the anvil binary for this platform.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ConcordatError } from '../../protocol/errors.ts';

/** @throws ConcordatError FILE_MISSING when the optional package for this platform is not installed */
export function findAnvil(): string {
  const require = createRequire(import.meta.url);
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const name = `@foundry-rs/anvil-${process.platform}-${architecture}/bin/anvil`;
  try {
    // the platform's package is a dependency of anvil's, not of ours
    const path = createRequire(require.resolve('@foundry-rs/anvil/package.json')).resolve(name);
    if (existsSync(path)) return path;
  } catch {
    // not installed: told below, like a package without its binary
  }
  throw new ConcordatError('FILE_MISSING', `${name}: run npm ci, or use --rpc with a chain of your own`, {
    path: name,
  });
}
