// Compiles the contracts with npm's solc, once: the output is kept under the hash of everything that went in.
import { fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { InterfaceAbi } from 'ethers';
import { writeFileAtomic } from '../../kit/files.ts';
import { siblingScript } from '../../kit/sources.ts';
import { type Hex, sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { collectSources, ENTRY_PATHS, type Sources, VERIFIER_PATH } from '../../kit/solidity/sources.ts';

export const CONTRACT_NAMES = ['Federation', 'ConsentRegistry', 'RoundLedger'] as const;
export type ContractName = (typeof CONTRACT_NAMES)[number] | 'Groth16Verifier';

export interface Artifact {
  readonly abi: InterfaceAbi & readonly AbiEntry[];
  readonly bytecode: Hex;
}

export interface AbiEntry {
  readonly type: string;
  readonly name?: string;
}

export type Artifacts = Readonly<Record<ContractName, Artifact>>;

export type CompileEvent =
  | { readonly type: 'compiled'; readonly durationMs: number; readonly key: Hex }
  | { readonly type: 'cached'; readonly key: Hex }
  | { readonly type: 'cache-corrupt'; readonly key: Hex; readonly path: string };

interface CompileOptions {
  readonly cacheDir: string;
  /** Solidity text whose one deployable contract with `verifyProof` is the verifier (snarkjs' template). */
  readonly verifierSource: string;
  readonly onEvent?: (event: CompileEvent) => void;
}

const require = createRequire(import.meta.url);

const SETTINGS = {
  optimizer: { enabled: true, runs: 1000 },
  // the newest rules that every chain in use has
  evmVersion: 'cancun',
  // without the metadata hash the bytecode depends on the code alone
  metadata: { bytecodeHash: 'none', appendCBOR: false },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
} as const;

/** @throws ConcordatError FILE_UNREADABLE with the compiler's first complaint */
export async function compileContracts(options: CompileOptions): Promise<Artifacts> {
  const sources = await collectSources(options.verifierSource);
  const output = await compileCached(sources, options.cacheDir, options.onEvent);
  return {
    Federation: deployable(output, 'Federation'),
    ConsentRegistry: deployable(output, 'ConsentRegistry'),
    RoundLedger: deployable(output, 'RoundLedger'),
    Groth16Verifier: verifierOf(output),
  };
}

/** ABIs alone, without a verifier: what engines/chain/abi is generated from. */
export async function compileAbis(cacheDir: string): Promise<Record<(typeof CONTRACT_NAMES)[number], Artifact['abi']>> {
  const output = await compileCached(await collectSources(), cacheDir);
  return {
    Federation: deployable(output, 'Federation').abi,
    ConsentRegistry: deployable(output, 'ConsentRegistry').abi,
    RoundLedger: deployable(output, 'RoundLedger').abi,
  };
}

interface SolcContract {
  readonly abi: Artifact['abi'];
  readonly evm: { readonly bytecode: { readonly object: string } };
}

interface SolcOutput {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts?: Readonly<Record<string, Readonly<Record<string, SolcContract>>>>;
}

function deployable(output: SolcOutput, name: keyof typeof ENTRY_PATHS): Artifact {
  const contract = output.contracts?.[ENTRY_PATHS[name]]?.[name];
  if (contract === undefined) throw new ConcordatError('FILE_UNREADABLE', `solc wrote no ${name}`, { name });
  return { abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` };
}

function verifierOf(output: SolcOutput): Artifact {
  const contracts = Object.values(output.contracts?.[VERIFIER_PATH] ?? {});
  const contract = contracts.find(
    ({ abi, evm }) => evm.bytecode.object !== '' && abi.some((entry) => entry.name === 'verifyProof'),
  );
  if (contract === undefined) throw new ConcordatError('FILE_UNREADABLE', 'the verifier source has no verifyProof');
  return { abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` };
}

async function compileCached(
  sources: Sources,
  cacheDir: string,
  onEvent: (event: CompileEvent) => void = () => undefined,
): Promise<SolcOutput> {
  const input = JSON.stringify({
    language: 'Solidity',
    sources: Object.fromEntries(Object.entries(sources).map(([path, content]) => [path, { content }])),
    settings: SETTINGS,
  });
  const key = hashOf(`${await solcVersion()}\n${input}`);
  const path = join(cacheDir, `contracts-${key.slice(2, 18)}.json`);
  const cached = await readEntry(path);
  if (cached === 'corrupt') onEvent({ type: 'cache-corrupt', key, path });
  else if (cached !== 'absent') {
    onEvent({ type: 'cached', key });
    return cached;
  }
  const startedAt = performance.now();
  const text = await runSolc(input);
  const output = JSON.parse(text) as SolcOutput;
  const fault = output.errors?.find(({ severity }) => severity === 'error');
  if (fault !== undefined) throw new ConcordatError('FILE_UNREADABLE', `solc: ${fault.formattedMessage}`);
  const kept = JSON.stringify({ contracts: output.contracts });
  await writeFileAtomic(path, `${hashOf(kept)}\n${kept}`);
  onEvent({ type: 'compiled', durationMs: performance.now() - startedAt, key });
  return output;
}

const hashOf = (text: string): Hex => toHex(sha256(utf8ToBytes(text)));

/** First line: sha256 of the rest. A half-written or edited entry does not match and is rebuilt. */
async function readEntry(path: string): Promise<SolcOutput | 'absent' | 'corrupt'> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new ConcordatError('FILE_UNREADABLE', path, { path }, { cause });
  });
  if (text === undefined) return 'absent';
  const newline = text.indexOf('\n');
  const body = text.slice(newline + 1);
  return hashOf(body) === text.slice(0, newline) ? (JSON.parse(body) as SolcOutput) : 'corrupt';
}

async function solcVersion(): Promise<string> {
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
