// A personal model on disk: in the dealer's folder, for nobody else to read, with whose records are in it.
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { eraseFile, writeFileAtomic } from '../../kit/files.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import { hashField } from '../../protocol/messages/fields.ts';
import { LIMITS } from '../../protocol/params.ts';
import type { Quality } from './tune.ts';

const TAG = 'concordat/1/personal-model';
const schema = z.strictObject({
  v: z.literal(TAG),
  taskHash: hashField,
  /** The published model that it was tuned from. */
  baseModelHash: hashField,
  /** Tuned on, or held out to compare on: each of them is used. */
  customers: z.array(z.string()),
  tunedOn: z.int(),
  heldOut: z.int(),
  /** Before and after, as JSON: numbers for people. */
  quality: z.string(),
  /** A model file, as of the published ones. */
  model: z.instanceof(Uint8Array),
});

export interface PersonalModel extends Omit<z.output<typeof schema>, 'v' | 'quality'> {
  readonly before: Quality;
  readonly after: Quality;
}

const MAX_BYTES = 4 * LIMITS.maxModelParameters + 65_536 + LIMITS.maxRecordsPerDealer * 256;

export interface PersonalModelFiles {
  read(taskHash: Hex): Promise<PersonalModel | undefined>;
  write(model: PersonalModel): Promise<void>;
  /** Overwritten, then gone. */
  erase(taskHash: Hex): Promise<void>;
}

export function createPersonalModelFiles(directory: string): PersonalModelFiles {
  const pathOf = (taskHash: Hex): string => join(directory, `${taskHash.slice(2)}.cbor`);
  const erase = (taskHash: Hex) => eraseFile(pathOf(taskHash));
  return {
    async read(taskHash) {
      const bytes = await readFile(pathOf(taskHash)).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT') return undefined;
        throw cause;
      });
      if (bytes === undefined) return undefined;
      const { v: _, quality, ...model } = decodeCbor(bytes, schema, MAX_BYTES);
      return { ...model, ...(JSON.parse(quality) as Pick<PersonalModel, 'before' | 'after'>) };
    },
    async write({ before, after, ...model }) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await chmod(directory, 0o700);
      // a rename alone would leave the old one's bytes on the disk: somebody may have withdrawn from it
      await erase(model.taskHash);
      const file = { v: TAG, ...model, quality: JSON.stringify({ before, after }) };
      await writeFileAtomic(pathOf(model.taskHash), encodeCbor(file), 0o600);
    },
    erase,
  };
}
