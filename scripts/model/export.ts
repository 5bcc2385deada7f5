// `concordat model export`: a published model as files that others read, with a manifest that says what it is.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../kit/files.ts';
import { sha256, toHex } from '../../protocol/bytes.ts';
import { type ExportFormat, MANIFEST_FILE, type ModelRecord } from '../../protocol/learning/export/manifest.ts';
import { exportFiles } from '../../protocol/learning/export/write.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { decodeModel, layoutOf } from '../../protocol/learning/model.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { plain } from '../task/client.ts';
import { readDocuments } from './documents.ts';
import { publishedModel } from './published.ts';
import { openSource, type SourceOptions } from './source.ts';
import { transcribedModel } from './transcript.ts';
import type { Wanted } from './wanted.ts';

export interface ExportOptions extends SourceOptions, Wanted {
  readonly format: readonly ExportFormat[];
  readonly out: string;
  readonly licence?: string;
}

export interface Exported {
  readonly task: Task;
  readonly record: ModelRecord;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
}

/** @throws ConcordatError NOT_FOUND, CONFLICT, MODEL_MISMATCH, EXPORT_UNSUPPORTED, CHAIN_* */
export async function exportModel(options: ExportOptions): Promise<Exported> {
  const source = await openSource(options);
  const { history } = source;
  const chosen = history ? await publishedModel(source, history, options) : await transcribedModel(source, options);
  const { task, contract } = await readDocuments(source, chosen.taskHash);
  const { modelHash, record } = chosen;
  const model = decodeModel(await source.blob(modelHash), layoutOf(task, featureCount(contract)));
  const { format: formats, licence, out } = options;
  const files = exportFiles({ formats, task, contract, model, modelHash, record, licence });
  // an older manifest would vouch for files that are being replaced
  await rm(join(out, MANIFEST_FILE), { force: true });
  for (const { name, bytes } of files) await writeFileAtomic(join(out, name), bytes);
  const written = files.map(({ name, bytes }) => ({ name, bytes: bytes.length, sha256: toHex(sha256(bytes)) }));
  return { task, record, files: written };
}

export function exportedText({ task, record, files }: Exported, out: string): string {
  const { chain, round } = record;
  const checked = chain.checked
    ? `  checked    its hash is in Published of round ${round}: block ${chain.block}, transaction ${chain.transaction}`
    : `  NOT CHECKED AGAINST THE CHAIN: ${chain.why}; give --rpc and --federation`;
  const width = Math.max(...files.map(({ name }) => name.length));
  return [
    `Model of round ${round}, task ${plain(task.id)} (${task.hash}), in ${out}:`,
    ...files.map(({ name, bytes }) => `  ${name.padEnd(width)}  ${bytes} bytes`),
    checked,
  ].join('\n');
}
