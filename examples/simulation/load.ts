// Reads a task with the data contract it names, and writes a dealer's share of a table.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type DataContract, parseDataContract } from '../../protocol/learning/data-contract.ts';
import { checkTaskContract, parseTask, type Task } from '../../protocol/learning/task.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';

/** This folder: task.yaml, contract.yaml, coil2000.csv.gz. */
export const COIL2000 = path.join(PACKAGE_ROOT, 'examples/coil2000');

async function readYaml(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new ConcordatError(missing ? 'FILE_MISSING' : 'FILE_UNREADABLE', file, { file }, { cause });
  }
}

/**
 * The contract's file is looked up beside the task's.
 * @throws ConcordatError FILE_MISSING, FILE_UNREADABLE, TASK_INVALID, CONTRACT_INVALID
 */
export async function loadTask(
  taskFile: string,
): Promise<{ task: Task; contract: DataContract; taskSource: string; contractSource: string }> {
  const taskSource = await readYaml(taskFile);
  const task = parseTask(taskSource);
  const contractSource = await readYaml(path.resolve(path.dirname(taskFile), task.dataContract.file));
  const contract = parseDataContract(contractSource);
  checkTaskContract(task, contract);
  return { task, contract, taskSource, contractSource };
}

/** A cell by RFC 4180. */
function cellText(cell: string | number | undefined): string {
  const text = cell === undefined ? '' : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Writes rows as a dealer keeps them: CSV, the contract's fields in order, readable by the owner only. */
export async function writeTable(file: string, contract: DataContract, rows: readonly Row[]): Promise<void> {
  const names = contract.fields.map((field) => field.name);
  const lines = [names.join(','), ...rows.map((row) => names.map((name) => cellText(row[name])).join(','))];
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
}
