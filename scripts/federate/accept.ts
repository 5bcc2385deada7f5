// What the dealers of a federation that stays up accept: any task of the same scene over the same data contract.
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeFileAtomic } from '../../kit/files.ts';
import type { Task } from '../../protocol/learning/task.ts';

/** What a dealer's operator has written before stays. @returns the file */
export async function writeAcceptPolicy(directory: string, { scene }: Pick<Task, 'scene'>): Promise<string> {
  const file = join(directory, 'accept.yaml');
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (!isThere) await writeFileAtomic(file, stringify({ version: 'concordat/1', scenes: [scene] }));
  return file;
}
