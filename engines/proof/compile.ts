// Compiles a circom circuit with the circom2 package (circom itself, built to WebAssembly) in a child process.
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { basename, dirname, join, parse, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ConcordatError } from '../../protocol/errors.ts';

const require = createRequire(import.meta.url);
const COMPILER = require.resolve('circom2/cli.js');
const CIRCOMLIB = dirname(require.resolve('circomlib/circuits/poseidon.circom'));

const FLAGS = ['--r1cs', '--wasm', '--sym', '--inspect'] as const;
/** --O2 removes linear constraints, which makes the evaluation domain a quarter of --O1's. --O1 keeps every signal visible. */
export type Optimisation = '--O1' | '--O2';
const OPTIMISATION: Optimisation = '--O2';
const PACKAGES = ['circom2', 'circomlib', 'snarkjs', 'ffjavascript'] as const;

export interface CompiledCircuit {
  readonly r1csFile: string;
  /** Computes witnesses. */
  readonly wasmFile: string;
  /** Wire names, one a line. */
  readonly symbolsFile: string;
  /** What circom printed: constraint counts, warnings of its inspection. */
  readonly log: string;
}

/** @throws ConcordatError PROCESS_FAILED with the end of circom's output */
export async function compileCircuit(
  mainFile: string,
  outDir: string,
  optimisation: Optimisation = OPTIMISATION,
): Promise<CompiledCircuit> {
  const name = basename(mainFile, '.circom');
  const args = [COMPILER, resolve(mainFile), ...FLAGS, optimisation, '-l', CIRCOMLIB, '-o', resolve(outDir)];
  // circom2 hands its WASI sandbox paths relative to the working directory and finds no include above it: so, the root.
  const options = { cwd: parse(resolve(mainFile)).root, maxBuffer: 16 * 1024 * 1024 };
  const log = await promisify(execFile)(process.execPath, args, options).then(
    ({ stdout, stderr }) => stdout + stderr,
    (cause: Error & { stdout?: string; stderr?: string }) => {
      const output = `${cause.stdout ?? ''}${cause.stderr ?? ''}`.slice(-2000);
      throw new ConcordatError('PROCESS_FAILED', `circom did not compile ${name}: ${output}`, { name }, { cause });
    },
  );
  return {
    r1csFile: join(outDir, `${name}.r1cs`),
    wasmFile: join(outDir, `${name}_js`, `${name}.wasm`),
    symbolsFile: join(outDir, `${name}.sym`),
    log,
  };
}

/** Everything besides the sources that the result depends on. */
export function toolchain(): string {
  const versions = PACKAGES.map((name) => `${name}@${packageVersion(name)}`);
  return [...versions, ...FLAGS, OPTIMISATION].join(' ');
}

function packageVersion(name: string): string {
  // Some packages close their package.json to `require.resolve`; the folder on the module path does not.
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return (require(join(folder, name, 'package.json')) as { version: string }).version;
    } catch {}
  }
  throw new ConcordatError('FILE_MISSING', `package ${name} is not installed`, { name });
}
