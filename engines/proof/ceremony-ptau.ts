// A powers-of-tau file's outside: its power, and whether it is whole and prepared for phase 2. Of any size, read in pieces.
import { type FileHandle, open } from 'node:fs/promises';
import { ConcordatError } from '../../protocol/errors.ts';
import { BASE_FIELD_ORDER } from './base-field.ts';
import { G1_BYTES, G2_BYTES } from './bn254.ts';
import { readScalar, SCALAR_BYTES } from './scalar-bytes.ts';
import type { Section } from './sections.ts';

const HEADER_BYTES = 4 + SCALAR_BYTES + 8;
const MAX_PTAU_SECTIONS = 32;
const MAX_PTAU_POWER = 28;

/** One that is whole and prepared for phase 2. */
export interface Ptau {
  /** log2 of the number of powers. */
  readonly power: number;
  /** From `at` in that section on. */
  read(section: number, at: number, bytes: number): Promise<Uint8Array>;
}

/**
 * @returns log2 of the number of powers
 * @throws ConcordatError FILE_MISSING, PTAU_UNUSABLE
 */
export const readPtauPower = (path: string): Promise<number> => withPtau(path, async ({ power }) => power);

/** @throws ConcordatError FILE_MISSING, PTAU_UNUSABLE */
export async function withPtau<T>(path: string, work: (ptau: Ptau) => Promise<T>): Promise<T> {
  const file = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw new ConcordatError('FILE_MISSING', path, { path }, { cause });
  });
  const refuse: Refuse = (reason) => {
    throw new ConcordatError('PTAU_UNUSABLE', `${path}: ${reason}`, { path });
  };
  try {
    const sections = await readSections(file, refuse);
    const power = await readPower(file, sections, refuse);
    const read: Ptau['read'] = async (section, at, bytes) => {
      const offset = sections.get(section)?.offset ?? refuse(`section ${section} is missing`);
      return readBytes(file, offset + at, bytes, refuse);
    };
    return await work({ power, read });
  } finally {
    await file.close();
  }
}

type Refuse = (reason: string) => never;
type Sections = ReadonlyMap<number, Section>;

async function readBytes(file: FileHandle, at: number, bytes: number, refuse: Refuse): Promise<Uint8Array> {
  const buffer = new Uint8Array(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, at);
  return bytesRead === bytes ? buffer : refuse('it ends too early');
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

async function readSections(file: FileHandle, refuse: Refuse): Promise<Sections> {
  const { size } = await file.stat();
  const head = await readBytes(file, 0, 12, refuse);
  if (new TextDecoder().decode(head.subarray(0, 4)) !== 'ptau') refuse('it is not a powers-of-tau file');
  const count = viewOf(head).getUint32(8, true);
  if (count > MAX_PTAU_SECTIONS) refuse(`${count} sections`);

  const sections = new Map<number, Section>();
  let at = 12;
  for (let left = count; left > 0; left--) {
    const view = viewOf(await readBytes(file, at, 12, refuse));
    const id = view.getUint32(0, true);
    const bytes = Number(view.getBigUint64(4, true));
    at += 12;
    if (at + bytes > size) refuse(`it ends inside section ${id}`);
    if (sections.has(id)) refuse(`section ${id} comes twice`);
    sections.set(id, { offset: at, bytes });
    at += bytes;
  }
  return sections;
}

async function readPower(file: FileHandle, sections: Sections, refuse: Refuse): Promise<number> {
  const header = sections.get(1);
  if (header?.bytes !== HEADER_BYTES) return refuse('it has no header');
  const view = viewOf(await readBytes(file, header.offset, HEADER_BYTES, refuse));
  const power = view.getUint32(4 + SCALAR_BYTES, true);
  if (view.getUint32(0, true) !== SCALAR_BYTES || readScalar(view, 4) !== BASE_FIELD_ORDER) refuse('not of BN254');
  if (power < 1 || power > MAX_PTAU_POWER) refuse(`a power of ${power}`);
  if (!sections.has(7)) refuse('it names no contributions');
  for (const [id, bytes] of sectionSizes(power)) {
    const found = sections.get(id)?.bytes ?? 0;
    if (found === 0 && id >= 12) refuse('it is not prepared for phase 2');
    if (found !== bytes) refuse(`section ${id} has ${found} bytes, not ${bytes}`);
  }
  return power;
}

/** 2 to 6: tau·G1, tau·G2, alpha·tau·G1, beta·tau·G1, beta·G2. 12 to 15: the first four over every smaller domain. */
function sectionSizes(power: number): [number, number][] {
  const points = 2 ** power;
  const [g1, g2] = [G1_BYTES.affine, G2_BYTES.affine];
  return [
    [2, (2 * points - 1) * g1],
    [3, points * g2],
    [4, points * g1],
    [5, points * g1],
    [6, g2],
    [12, (4 * points - 1) * g1],
    [13, (2 * points - 1) * g2],
    [14, (2 * points - 1) * g1],
    [15, (2 * points - 1) * g1],
  ];
}
