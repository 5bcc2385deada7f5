// npm's solc, once for the same input: its output is kept under the hash of everything that went in.
import { fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Hex, sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { writeFileAtomic } from '../files.ts';
import { siblingScript } from '../sources.ts';
import { readBuild } from './build.ts';
import type { Sources } from './sources.ts';

export type CompileEvent =
  | { readonly type: 'compiled'; readonly durationMs: number; readonly key: Hex }
  | { readonly type: 'cached'; readonly key: Hex }
  | { readonly type: 'cache-corrupt'; readonly key: Hex; readonly path: string };

export interface SolcOptions {
  readonly cacheDir: string;
  /** What solc shall write of each contract and of each file: no part of it changes the bytecode. */
  readonly outputs: { readonly contract: readonly string[]; readonly file?: readonly string[] };
  readonly onEvent?: (event: CompileEvent) => void;
}

/** As far as anyone here reads it. */
interface SolcOutput<Contract, File> {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  /** Virtual path -> name -> contract. */
  readonly contracts?: Readonly<Record<string, Readonly<Record<string, Contract>>>>;
  readonly sources?: Readonly<Record<string, File>>;
}

const require = createRequire(import.meta.url);

/**
 * Compiles by the settings of contracts/build.json.
 * @throws ConcordatError FILE_UNREADABLE with the compiler's first complaint
 */
export async function compileSolidity<Contract, File = unknown>(
  sources: Sources,
  { cacheDir, outputs, onEvent = () => undefined }: SolcOptions,
): Promise<SolcOutput<Contract, File>> {
  type Output = SolcOutput<Contract, File>;
  const { settings } = await readBuild();
  const outputSelection = { '*': { '*': outputs.contract, ...(outputs.file && { '': outputs.file }) } };
  const input = JSON.stringify({
    language: 'Solidity',
    sources: Object.fromEntries(Object.entries(sources).map(([path, content]) => [path, { content }])),
    settings: { ...settings, outputSelection },
  });
  const key = hashOf(`${await solcVersion()}\n${input}`);
  const path = join(cacheDir, `contracts-${key.slice(2, 18)}.json`);
  const cached = await readEntry(path);
  if (cached === 'corrupt') onEvent({ type: 'cache-corrupt', key, path });
  else if (cached !== 'absent') {
    onEvent({ type: 'cached', key });
    return cached as Output;
  }
  const startedAt = performance.now();
  const output = JSON.parse(await runSolc(input)) as Output;
  const fault = output.errors?.find(({ severity }) => severity === 'error');
  if (fault !== undefined) throw new ConcordatError('FILE_UNREADABLE', `solc: ${fault.formattedMessage}`);
  const kept = JSON.stringify({ contracts: output.contracts, ...(outputs.file && { sources: output.sources }) });
  await writeFileAtomic(path, `${hashOf(kept)}\n${kept}`);
  onEvent({ type: 'compiled', durationMs: performance.now() - startedAt, key });
  return output;
}

const hashOf = (text: string): Hex => toHex(sha256(utf8ToBytes(text)));

/** First line: sha256 of the rest. A half-written or edited entry does not match and is rebuilt. */
async function readEntry(path: string): Promise<object | 'absent' | 'corrupt'> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new ConcordatError('FILE_UNREADABLE', path, { path }, { cause });
  });
  if (text === undefined) return 'absent';
  const newline = text.indexOf('\n');
  const body = text.slice(newline + 1);
  return hashOf(body) === text.slice(0, newline) ? (JSON.parse(body) as object) : 'corrupt';
}

/** Of the package, which is locked: "0.8.37". */
export async function solcVersion(): Promise<string> {
  return (JSON.parse(await readFile(require.resolve('solc/package.json'), 'utf8')) as { version: string }).version;
}

function runSolc(input: string): Promise<string> {
  const program = fileURLToPath(siblingScript(import.meta.url, 'solc-child'));
  // by path: a bare `tsx` would be looked up from wherever this was started
  const loader = pathToFileURL(require.resolve('tsx')).href;
  const execArgv = program.endsWith('.ts') ? ['--import', loader] : [];
  const child = fork(program, { execArgv, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  return new Promise((resolve, reject) => {
    let complaint = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    child.once('message', (output) => resolve(String(output)));
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new ConcordatError('PROCESS_FAILED', `solc ended with code ${code}: ${complaint.trim().slice(-400)}`)),
    );
    child.send(input);
  });
}
