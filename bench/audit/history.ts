// A history worth auditing: the main job itself, every party its own process, with a model of the size asked for. Kept for the
// next time, as long as neither the shape nor the sources change.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import type { FederationReport } from '../../scripts/federate/report.ts';
import { sourcesHash } from '../../tests/helpers/sources-hash.ts';

export interface Shape {
  readonly rounds: number;
  readonly dealers: number;
  readonly parameters: number;
  /** Where histories are kept. */
  readonly dir: string;
}

export interface MadeHistory {
  readonly outDir: string;
  readonly rounds: number;
  readonly dealers: number;
  /** As many as the layers come to. */
  readonly parameters: number;
  /** What the rounds took, added up. */
  readonly roundsMs: number;
}

/** Columns of the example's data contract. */
const COLUMNS = 343;
const EXAMPLE = join(PACKAGE_ROOT, 'examples/coil2000/task.yaml');
/** What a history is made by; the auditor may change without it. */
const SOURCES = [
  'protocol',
  'engines',
  'coordinator',
  'edge-node',
  'key-holder',
  'witness',
  'contracts/src',
  'circuits',
];

export async function historyOf(shape: Shape): Promise<MadeHistory> {
  const { rounds, dealers, dir } = shape;
  const hidden = hiddenUnits(shape.parameters);
  const name = `audit-${rounds}-${dealers}-${hidden.join('-')}-${await sourcesHash(SOURCES)}`;
  const outDir = join(dir, name);
  if (!existsSync(join(outDir, 'report.json'))) await makeHistory(shape, hidden, outDir);
  return readHistory(outDir);
}

/** @param outDir of a finished run */
export async function readHistory(outDir: string): Promise<MadeHistory> {
  const report = JSON.parse(await readFile(join(outDir, 'report.json'), 'utf8')) as FederationReport;
  const roundsMs = report.roundDetails.reduce(
    (sum, { timingsMs }) => sum + Object.values(timingsMs).reduce((a, b) => a + b, 0),
    0,
  );
  const { rounds, dealers, parameters } = report;
  return { outDir, rounds, dealers, parameters, roundsMs: Math.round(roundsMs) };
}

/** Two layers, the second half as wide as the first, of about so many parameters. */
function hiddenUnits(parameters: number): readonly number[] {
  for (let units = 2; ; units += 2) {
    const [here, next] = [units, units + 2].map((u) => parametersOf([u, u / 2]));
    if (here === undefined || next === undefined) continue;
    if (next > parameters)
      return parameters - here <= next - parameters ? [units, units / 2] : [units + 2, units / 2 + 1];
  }
}

function parametersOf(hidden: readonly number[]): number {
  const widths = [COLUMNS, ...hidden, 1];
  return widths.slice(1).reduce((sum, units, i) => sum + units * ((widths[i] ?? 0) + 1), 0);
}

/** Training is as short as it goes: an audit looks at what was sent, however it came about. */
async function makeHistory({ rounds, dealers, dir }: Shape, hidden: readonly number[], outDir: string): Promise<void> {
  await rm(outDir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const task = parse(await readFile(EXAMPLE, 'utf8'));
  task.id = 'bench-audit';
  task.rounds = rounds;
  task.model.layers = [...hidden.map((units) => ({ units, activation: 'relu' })), ...task.model.layers];
  Object.assign(task.strategy, { localEpochs: 1, batchSize: 256 });
  const file = `${outDir}.yaml`;
  await writeFile(file, stringify(task));
  const args = ['federate', '--task', file, '--dealers', String(dealers), '--rounds', String(rounds), '--out', outDir];
  console.error(`making the history: ${rounds} rounds of ${dealers} dealers; it is kept in ${outDir}`);
  const bin = join(PACKAGE_ROOT, 'bin/concordat.mjs');
  // its progress is this benchmark's; what it prints in the end is not
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 2, 'inherit'], cwd: PACKAGE_ROOT });
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
  if (code !== 0) throw new Error(`the federation ended with code ${code}`);
}
