// From AssemblyScript to WebAssembly: compiled on first use, kept in the cache under the hash of all that made it.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeFileAtomic } from '../../kit/files.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { SECAGG } from '../../protocol/params.ts';

export interface KernelOptions {
  readonly cacheDir: string;
  /** Hears whether the kernel was there, had to be made, or was damaged (and is made again). */
  readonly onEvent?: (event: KernelEvent) => void;
}

export type KernelEvent = { readonly type: 'cached' | 'compiled' | 'corrupt'; readonly path: string };

const SOURCES = join(PACKAGE_ROOT, 'engines/ring/kernel');
/** 64 KiB each; the kernel checks against its own layout when it starts. Never grows. */
const MEMORY_PAGES = 10;
const [P1, P2, P3] = SECAGG.primes;
/** The kernel is one for all packings; it takes the packing with each call. */
export const MAX_SLOTS = Math.max(...SECAGG.packings.map(({ slots }) => slots));

/** No asserts, no runtime: the kernel allocates nothing. The law's numbers go in as constants. */
const FLAGS = [
  '-O3',
  '--noAssert',
  ...['--runtime', 'stub'],
  ...['--enable', 'simd'],
  ...['--initialMemory', `${MEMORY_PAGES}`, '--maximumMemory', `${MEMORY_PAGES}`],
  ...['--use', `PARAM_DEGREE=${SECAGG.ringDegree}`],
  ...['--use', `PARAM_PRIME_0=${P1}`, '--use', `PARAM_PRIME_1=${P2}`, '--use', `PARAM_PRIME_2=${P3}`],
  ...['--use', `PARAM_PLAINTEXT_BITS=${SECAGG.plaintextBits}`, '--use', `PARAM_MAX_SLOTS=${MAX_SLOTS}`],
  ...['--use', `PARAM_CBD_TRIALS=${SECAGG.cbdTrials}`],
];

/**
 * The kernel's code. About 3 s and a process of its own the first time, a millisecond after. Processes that
 * start together each make it, and write the same bytes.
 * @throws ConcordatError PROCESS_FAILED with what the compiler said
 */
export async function buildKernel({ cacheDir, onEvent = () => undefined }: KernelOptions): Promise<Uint8Array> {
  const path = join(cacheDir, `ring-kernel-${(await contentHash()).slice(0, 16)}.wasm`);
  const entry = await readEntry(path);
  if (entry === 'corrupt') onEvent({ type: 'corrupt', path });
  else if (entry !== 'absent') {
    onEvent({ type: 'cached', path });
    return entry;
  }
  const code = await compile();
  await writeFileAtomic(path, Buffer.concat([digest(code), code]));
  onEvent({ type: 'compiled', path });
  return code;
}

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const DIGEST_BYTES = 32;

/** sha256 of the rest, then the rest: a half-written or edited entry does not match. */
async function readEntry(path: string): Promise<Uint8Array | 'absent' | 'corrupt'> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new ConcordatError('FILE_UNREADABLE', path, { path }, { cause });
  });
  if (bytes === undefined) return 'absent';
  const code = bytes.subarray(DIGEST_BYTES);
  return digest(code).equals(bytes.subarray(0, DIGEST_BYTES)) ? code : 'corrupt';
}

const require = createRequire(import.meta.url);

/** Sources, compiler and flags: whatever changes the code. */
async function contentHash(): Promise<string> {
  const { version } = require('assemblyscript/package.json') as { readonly version: string };
  const hash = createHash('sha256').update(`concordat/1/ring-kernel\n${version}\n${FLAGS.join(' ')}\n`);
  for (const name of (await readdir(SOURCES)).sort()) {
    const source = await readFile(join(SOURCES, name));
    hash.update(`${name} ${source.length}\n`).update(source);
  }
  return hash.digest('hex');
}

/** A process of its own: the compiler takes 150 MB and holds the processor for seconds. */
async function compile(): Promise<Uint8Array> {
  const asc = require.resolve('assemblyscript/bin/asc.js');
  const args = [asc, 'index.as.ts', '--baseDir', SOURCES, ...FLAGS, '--outFile'];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: SOURCES, encoding: 'buffer' });
    return stdout;
  } catch (cause) {
    const said = (cause as { readonly stderr?: Buffer }).stderr?.toString().trim() ?? String(cause);
    throw new ConcordatError('PROCESS_FAILED', `asc: ${said}`, {}, { cause });
  }
}
