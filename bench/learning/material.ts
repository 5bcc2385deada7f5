// What a learning benchmark works on: an example's records, and its tasks with the columns that each of them reads.
import path from 'node:path';
import { readTable } from '../../edge-node/data/csv.ts';
import { loadTask } from '../../examples/simulation/load.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import type { Task } from '../../protocol/learning/task.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';

const EXAMPLES = ['coil2000', 'telco'] as const;
export type Example = (typeof EXAMPLES)[number];

/** @throws Error naming those there are */
export function exampleNamed(name: string | undefined): Example {
  const example = EXAMPLES.find((known) => known === name);
  if (example === undefined) throw new Error(`name an example: ${EXAMPLES.join(', ')}`);
  return example;
}

export const folderOf = (example: Example): string => path.join(PACKAGE_ROOT, 'examples', example);

/** A task and the contract it names, which may take fewer columns than the example has. */
export interface Learning {
  readonly task: Task;
  readonly contract: DataContract;
}

/** @param file beside the example's own task.yaml */
export async function learningOf(example: Example, file: string): Promise<Learning> {
  const { task, contract } = await loadTask(path.join(folderOf(example), file));
  return { task, contract };
}

/** All records, by the example's own contract, which has every field. */
export async function recordsOf(example: Example): Promise<{ readonly rows: Row[]; readonly contract: DataContract }> {
  const { contract } = await learningOf(example, 'task.yaml');
  return { rows: await readTable(path.join(folderOf(example), `${example}.csv.gz`), contract), contract };
}

export const rowsAt = (rows: readonly Row[], places: readonly number[]): Row[] =>
  places.flatMap((place): Row[] => (rows[place] ? [rows[place]] : []));
