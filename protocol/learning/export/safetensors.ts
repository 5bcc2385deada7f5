// The safetensors file of a model (https://huggingface.co/docs/safetensors): uint64le length, JSON header, then the numbers.
import { concatBytes, uintToBytes, utf8ToBytes } from '../../bytes.ts';
import { type ExportFile, float32Bytes, type NamedTensor } from './tensors.ts';

const ALIGNMENT = 8;

/**
 * Tensors in the order given, without a gap. The header is padded with spaces, so that numbers begin at a multiple of 8.
 * @param notes free text by name: the format's `__metadata__`
 */
export function safetensorsFile(tensors: readonly NamedTensor[], notes: Readonly<Record<string, string>>): ExportFile {
  let at = 0;
  const entries = tensors.map(({ name, shape, values }) => {
    const start = at;
    at += 4 * values.length;
    return [name, { dtype: 'F32', shape, data_offsets: [start, at] }] as const;
  });
  const json = utf8ToBytes(JSON.stringify({ __metadata__: notes, ...Object.fromEntries(entries) }));
  const header = new Uint8Array(Math.ceil(json.length / ALIGNMENT) * ALIGNMENT).fill(0x20);
  header.set(json);
  const length = uintToBytes(header.length, 8).reverse();
  const bytes = concatBytes(length, header, ...tensors.map(({ values }) => float32Bytes(values)));
  return { name: 'model.safetensors', bytes };
}
