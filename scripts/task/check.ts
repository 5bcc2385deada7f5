// `concordat task check`: every fault of a task and its data contract with line and remedy, or what the task comes to.
import { dirname, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { readFileOrExplain } from '../../kit/files.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type DataContract, parseDataContract } from '../../protocol/learning/data-contract.ts';
import {
  byPlace,
  type ExaminedTask,
  examineContract,
  examineTask,
  type Finding,
} from '../../protocol/learning/diagnose.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { checkTaskContract, parseTask, type Task } from '../../protocol/learning/task.ts';
import { palette } from '../federate/table.ts';
import { summarise, summaryTable, type TaskSummary } from './summary.ts';

export function registerCheck(task: Command): void {
  task
    .command('check')
    .description('find every fault of a task and of the data contract it names; show what a sound one comes to')
    .argument('<file>', 'task, YAML or JSON')
    .option('--json', 'faults and figures as JSON', false)
    .action(async (file: string, { json }: { json: boolean }) => {
      const result = await checkTask(file);
      process.stdout.write(`${json ? JSON.stringify(asJson(result), undefined, 2) : asText(result)}\n`);
      if (result.faults.length > 0) process.exitCode = 1;
    });
}

export interface Fault extends Finding {
  readonly file: string;
  /** The line itself. */
  readonly text: string;
}

export interface Checked {
  readonly faults: readonly Fault[];
  /** Only without faults. */
  readonly summary: TaskSummary | undefined;
}

/** The data contract is looked up beside the task. @throws ConcordatError FILE_MISSING, FILE_UNREADABLE for the task itself */
export async function checkTask(file: string): Promise<Checked> {
  const source = await text(file);
  const examined = examineTask(source);
  const contract = await contractBeside(file, examined);
  const sound = contract?.source !== undefined && contract.findings.length === 0;
  const parsed = sound && contract.source !== undefined ? parseDataContract(contract.source) : undefined;
  const ofTask = [...examined.findings(parsed), ...(contract?.missing ?? [])];
  const faults = [
    ...withLines(file, source, ofTask.sort(byPlace)),
    ...withLines(contract?.file ?? '', contract?.source ?? '', contract?.findings ?? []),
  ];
  if (faults.length > 0 || !parsed) return { faults, summary: undefined };
  const task = parseTask(source); // the same rules: what passed above passes here
  checkTaskContract(task, parsed);
  const trial = await tryModel(task, parsed);
  if (trial.ok || trial.untried) return { faults, summary: summarise(task, parsed, trial.untried) };
  const found = examined.at('model.topology', trial.problem, 'use other layers: docs/models.md lists those that train');
  return { faults: withLines(file, source, [found]), summary: undefined };
}

interface Trial {
  readonly ok: boolean;
  readonly problem: string;
  /** Why it could not be tried on this machine. */
  readonly untried?: string;
}

/** Only one step on two rows tells whether a model of Keras layers trains: dense layers always do. */
async function tryModel(task: Task, contract: DataContract): Promise<Trial> {
  if (task.model.kind === 'dense') return { ok: true, problem: '' };
  const { createTrainer } = await import('../../engines/tensor/train.ts'); // slow to load, and seldom needed
  try {
    await createTrainer(task, featureCount(contract));
    return { ok: true, problem: '' };
  } catch (error) {
    if (!(error instanceof ConcordatError)) throw error;
    if (error.code === 'TENSOR_BACKEND_MISSING') return { ok: false, problem: '', untried: error.detail };
    return { ok: false, problem: error.detail };
  }
}

interface ContractBeside {
  readonly file: string;
  readonly source?: string;
  readonly findings: readonly Finding[];
  /** In the task: the file it names is not there. */
  readonly missing: readonly Finding[];
}

/** undefined when the task does not say where. */
async function contractBeside(taskFile: string, { parts, at }: ExaminedTask): Promise<ContractBeside | undefined> {
  if (parts.dataContract?.file === undefined) return undefined;
  const path = resolve(dirname(taskFile), parts.dataContract.file);
  const file = relative(process.cwd(), path);
  try {
    const source = await text(path);
    return { file, source, findings: examineContract(source), missing: [] };
  } catch (error) {
    if (!(error instanceof ConcordatError)) throw error;
    const found = at('dataContract.file', `${file} cannot be read`, 'give its path from the folder of this task');
    return { file, findings: [], missing: [found] };
  }
}

const text = async (path: string): Promise<string> => (await readFileOrExplain(path)).toString('utf8');

function withLines(file: string, source: string, findings: readonly Finding[]): Fault[] {
  const lines = source.split('\n');
  return findings.map((found) => ({ ...found, file, text: (lines[found.line - 1] ?? '').replace(/\r$/, '') }));
}

const asJson = ({ faults, summary }: Checked) => ({
  ok: faults.length === 0,
  faults: faults.map(({ file, line, column, path, problem, remedy }) => ({
    file,
    line,
    column,
    path,
    problem,
    remedy,
  })),
  summary,
});

/** Lines of a contract can be long: around the place so much is shown. */
const SHOWN = 100;

function asText({ faults, summary }: Checked): string {
  const ink = palette(process.stdout.isTTY === true);
  if (summary) return summaryTable(summary);
  const blocks = faults.map(({ file, line, column, length, path, problem, remedy, text: whole }) => {
    const from = column <= SHOWN - 20 ? 0 : column - 40;
    const shown = printable(whole.slice(from, from + SHOWN));
    const caret =
      ' '.repeat(column - 1 - from) + '^'.repeat(Math.max(1, Math.min(length, SHOWN - (column - 1 - from))));
    const gutter = String(line);
    return [
      `${ink.bold(`${printable(file)}:${line}:${column}`)} ${printable(path)}`,
      ink.dim(` ${gutter} | ${shown}`),
      ink.bad(` ${' '.repeat(gutter.length)} | ${caret}`),
      `   ${printable(problem)}`,
      `   ${ink.good('→')} ${printable(remedy)}`,
    ].join('\n');
  });
  const count = `${faults.length} fault${faults.length === 1 ? '' : 's'}`;
  return [...blocks, ink.bad(count)].join('\n\n');
}

/** A file from elsewhere must not speak to the terminal. */
const printable = (from: string): string => from.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
