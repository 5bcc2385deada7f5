// The files of a model in the formats asked for, and their manifest.
import { featureCount } from '../features.ts';
import { type ExportFormat, type ManifestParts, manifestFile } from './manifest.ts';
import { onnxFile } from './onnx.ts';
import { safetensorsFile } from './safetensors.ts';
import { type ExportFile, graphOf, scoringTensors, tensorsOf } from './tensors.ts';
import { tfjsFiles } from './tfjs.ts';

export type ExportParts = Omit<ManifestParts, 'files'> & { readonly formats: readonly ExportFormat[] };

/**
 * The manifest comes last: what it names is there when it is.
 * @throws ConcordatError EXPORT_UNSUPPORTED
 */
export function exportFiles({ formats, ...parts }: ExportParts): ExportFile[] {
  const files = [...new Set(formats)].flatMap((format) => filesIn(format, parts).map((file) => ({ ...file, format })));
  const plain = files.map(({ name, bytes }) => ({ name, bytes }));
  return [...plain, manifestFile({ ...parts, files })];
}

function filesIn(format: ExportFormat, { task, contract, model, modelHash, record }: Omit<ManifestParts, 'files'>) {
  const notes = {
    'concordat.model': modelHash,
    'concordat.task': task.hash,
    'concordat.dataContract': contract.hash,
    'concordat.round': String(record.round),
  };
  if (format === 'safetensors') return [safetensorsFile(tensorsOf(model), notes)];
  const graph = graphOf(task.model, featureCount(contract));
  const tensors = scoringTensors(model);
  return format === 'onnx' ? [onnxFile(graph, tensors, contract.target, notes)] : tfjsFiles(graph, tensors, notes);
}
