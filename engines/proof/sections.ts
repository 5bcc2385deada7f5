// The container of iden3's binary files (r1cs, zkey, wtns): magic, version, then numbered sections.
import { ConcordatError } from '../../protocol/errors.ts';

export interface Section {
  readonly offset: number;
  readonly bytes: number;
}

/** @throws ConcordatError FILE_UNREADABLE when the magic, a length or a repeated section is wrong */
export function readSections(file: Uint8Array, magic: string): ReadonlyMap<number, Section> {
  const refuse = (reason: string): never => {
    throw new ConcordatError('FILE_UNREADABLE', `${magic}: ${reason}`, { format: magic });
  };
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.byteLength < 12 || new TextDecoder().decode(file.subarray(0, 4)) !== magic) refuse('wrong magic');
  const sections = new Map<number, Section>();
  let at = 12;
  for (let left = view.getUint32(8, true); left > 0; left--) {
    if (at + 12 > file.byteLength) refuse('ends inside a section header');
    const id = view.getUint32(at, true);
    const bytes = Number(view.getBigUint64(at + 4, true));
    if (at + 12 + bytes > file.byteLength) refuse(`section ${id} is longer than the file`);
    if (sections.has(id)) refuse(`section ${id} comes twice`);
    sections.set(id, { offset: at + 12, bytes });
    at += 12 + bytes;
  }
  return sections;
}

/** The inverse of `readSections`. */
export function writeSections(
  magic: string,
  version: number,
  sections: readonly { readonly id: number; readonly parts: readonly Uint8Array[] }[],
): Uint8Array {
  const length = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.byteLength, 0);
  const file = new Uint8Array(12 + sections.reduce((sum, section) => sum + 12 + length(section.parts), 0));
  const view = new DataView(file.buffer);
  file.set(new TextEncoder().encode(magic), 0);
  view.setUint32(4, version, true);
  view.setUint32(8, sections.length, true);
  let at = 12;
  for (const { id, parts } of sections) {
    view.setUint32(at, id, true);
    view.setBigUint64(at + 4, BigInt(length(parts)), true);
    at += 12;
    for (const part of parts) {
      file.set(part, at);
      at += part.byteLength;
    }
  }
  return file;
}
