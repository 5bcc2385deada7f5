// Runs forge over contracts/test and reads its verdicts; compiles with the same solc that forge calls.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../../kit/sources.ts';

/** Executable: forge starts it, by contracts/foundry.toml. */
const SOLC = fileURLToPath(new URL('./solc.mjs', import.meta.url));

export interface Verdict {
  /** Name of the test contract and of the function, without its parameters. */
  readonly contract: string;
  readonly test: string;
  readonly passed: boolean;
  /** Why it failed, with the counterexample's arguments. */
  readonly reason: string;
  /** What it measured, by name. */
  readonly gas: Readonly<Record<string, number>>;
}

interface ForgeOptions {
  /** A regular expression over function names; all of them when left out. */
  readonly match?: string;
  /** Settings as foundry reads them (FOUNDRY_FUZZ_RUNS …), and what the tests themselves read. */
  readonly env?: Readonly<Record<string, string>>;
}

interface SuiteJson {
  readonly test_results: Readonly<Record<string, ResultJson>>;
}

interface ResultJson {
  readonly status: 'Success' | 'Failure' | 'Skipped';
  readonly reason: string | null;
  readonly counterexample: unknown;
  readonly gas_snapshots: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** @throws Error with forge's own words when it did not come to any verdict (the tests do not compile) */
export async function runForge(options: ForgeOptions = {}): Promise<readonly Verdict[]> {
  const filter = options.match === undefined ? [] : ['--match-test', options.match];
  const { stdout, stderr } = await run(findForge(), ['test', '--json', ...filter], {
    FOUNDRY_CONFIG: 'contracts/foundry.toml',
    ...options.env,
  });
  // beside the verdicts, a line per event
  const line = stdout.split('\n').find((text) => text.startsWith('{"contracts/test/'));
  if (line === undefined) throw new Error(`forge has no verdict: ${`${stdout}\n${stderr}`.trim().slice(0, 4_000)}`);
  const suites = Object.entries(JSON.parse(line) as Record<string, SuiteJson>);
  return suites.flatMap(([path, { test_results }]) =>
    Object.entries(test_results).map(([signature, result]) => ({
      contract: path.slice(path.indexOf(':') + 1),
      test: signature.slice(0, signature.indexOf('(')),
      passed: result.status === 'Success',
      gas: Object.fromEntries(
        Object.values(result.gas_snapshots).flatMap((group) =>
          Object.entries(group).map(([name, used]) => [name, Number(used)] as const),
        ),
      ),
      reason: result.status === 'Success' ? '' : `${result.reason} ${JSON.stringify(result.counterexample)}`,
    })),
  );
}

/** @throws Error with solc's own words when it cannot be run */
export async function runSolc(standardJson: string): Promise<string> {
  const { stdout, stderr } = await run(SOLC, ['--standard-json'], {}, standardJson);
  if (stdout === '') throw new Error(`solc wrote nothing: ${stderr}`);
  return stdout;
}

function findForge(): string {
  const require = createRequire(import.meta.url);
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  // the platform's package is a dependency of forge's, not of ours
  const ofForge = createRequire(require.resolve('@foundry-rs/forge/package.json'));
  return ofForge.resolve(`@foundry-rs/forge-${process.platform}-${architecture}/bin/forge`);
}

function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input = '',
): Promise<{ stdout: string; stderr: string }> {
  const child = spawn(program, args, { cwd: PACKAGE_ROOT, env: { ...process.env, ...env } });
  return new Promise((resolve, reject) => {
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text;
    });
    child.once('error', reject);
    child.once('close', () => resolve(output));
    child.stdin.end(input);
  });
}
