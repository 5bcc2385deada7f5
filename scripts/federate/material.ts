// What a run is about: task, data contract, the rows, and who gets which. Everything is checked before a process starts.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { readTable } from '../../edge-node/data/csv.ts';
import { writeTable } from '../../examples/simulation/load.ts';
import { type Split, splitRows } from '../../examples/simulation/split.ts';
import { readFileOrExplain } from '../../kit/files.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type DataContract, parseDataContract } from '../../protocol/learning/data-contract.ts';
import { checkTaskContract, parseTask, type Task } from '../../protocol/learning/task.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { choosePacking } from '../../protocol/secagg/packing.ts';
import { exampleFiles } from './examples.ts';
import type { FederateOptions } from './options.ts';
import { ownTask } from './own-task.ts';

export interface Material {
  readonly task: Task;
  readonly contract: DataContract;
  /** Files that every party is started with. */
  readonly taskFile: string;
  readonly contractFile: string;
  readonly rows: readonly Row[];
  readonly split: Split;
  /** One CSV per dealer, readable by its owner only. */
  readonly recordFiles: readonly string[];
}

/** @throws ConcordatError NOT_FOUND, FILE_MISSING, CONTRACT_INVALID, TASK_INVALID, DATA_BREAKS_CONTRACT, SPLIT_IMPOSSIBLE */
export async function prepareMaterial(options: FederateOptions): Promise<Material> {
  if ((options.data === undefined) !== (options.contract === undefined)) {
    throw new ConcordatError('FILE_MISSING', 'give --data and --contract together');
  }
  const own = options.data !== undefined;
  const example = exampleFiles(options.example);
  const contractSource = await text(options.contract ?? (await contractNamedBy(options)));
  const contract = parseDataContract(contractSource);
  const taskSource = await taskFor(contract, own, options);
  const task = parseTask(taskSource);
  checkTaskContract(task, contract);
  // a task's own contract may take fewer columns than the example's table has: dealers get those alone
  const whole = own ? contract : parseDataContract(await text(example.contract));
  const rows = await readTable(options.data ?? example.table, whole);
  const split = splitRows(contract, rows, { dealers: options.dealers, seed: String(options.seed) });

  await mkdir(options.out, { recursive: true });
  const taskFile = join(options.out, 'task.yaml');
  const contractFile = join(options.out, 'contract.yaml');
  await writeFile(taskFile, taskSource);
  await writeFile(contractFile, contractSource);
  const recordFiles = await Promise.all(
    split.dealers.map(async (indices, i) => {
      const directory = join(options.out, `dealer-${i + 1}`);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const file = join(directory, 'customers.csv');
      await writeTable(file, contract, rowsAt(rows, indices));
      return file;
    }),
  );
  return { task, contract, taskFile, contractFile, rows, split, recordFiles };
}

export function rowsAt(rows: readonly Row[], indices: readonly number[]): Row[] {
  return indices.map((index) => rows[index]).filter((row) => row !== undefined);
}

const text = async (path: string): Promise<string> => (await readFileOrExplain(path)).toString('utf8');

/** The file beside the task that it names; the example's own when there is none. */
async function contractNamedBy({ task, example }: FederateOptions): Promise<string> {
  if (task === undefined) return exampleFiles(example).contract;
  const named = join(dirname(task), parseTask(await text(task)).dataContract.file);
  return existsSync(named) ? named : exampleFiles(example).contract;
}

/**
 * The task named, or the example's; for one's own data with a model for its label. Rounds and cohort follow the command line, and the
 * packing is the densest that the sum of so many dealers fits.
 */
async function taskFor(contract: DataContract, own: boolean, options: FederateOptions): Promise<string> {
  const source = await text(options.task ?? exampleFiles(options.example).task);
  parseTask(source); // a fault in it is reported as it stands in the file
  const document = parse(source);
  const about = document.dataContract.hash;
  document.rounds = options.rounds ?? document.rounds;
  document.dataContract.file = 'contract.yaml';
  if ('dealers' in document.strategy) document.strategy.dealers = options.dealers;
  document.cohort.min = Math.min(document.cohort.min, options.dealers);
  document.update.packing = choosePacking(options.dealers, document.update.valueBits);
  if (own && options.task === undefined) Object.assign(document, ownTask(contract));
  if (own && about !== contract.hash) {
    document.id = contract.document.id
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]+/g, '-')
      .replace(/^-+|^$/, 'own-')
      .slice(0, 64);
    document.title = `Predict ${contract.label.name}`;
    document.dataContract = { file: 'contract.yaml', hash: contract.hash };
    document.label = contract.label.name;
  }
  return stringify(document);
}
