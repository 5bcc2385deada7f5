// How the contracts are compiled, as data: contracts/build.json.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { PACKAGE_ROOT } from '../sources.ts';

const path = z.string().regex(/^contracts\/src\/[\w/]+\.sol$/);
const schema = z.strictObject({
  about: z.string(),
  /** Contract -> its source, by virtual path. */
  entries: z.strictObject({ Federation: path, ConsentRegistry: path, RoundLedger: path }),
  /** Where the verifier's text is mounted. */
  verifier: path,
  /** Of solc's standard JSON: whatever decides about bytecode. */
  settings: z.record(z.string(), z.unknown()),
});

export type Build = z.output<typeof schema>;
export type EntryName = keyof Build['entries'];

let read: Promise<Build> | undefined;

export function readBuild(): Promise<Build> {
  read ??= readFile(join(PACKAGE_ROOT, 'contracts/build.json'), 'utf8').then((text) => schema.parse(JSON.parse(text)));
  return read;
}
