// A bundle as one file: a ustar archive of the manifest's files in order of name, with nothing in it of who made it or when.
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { ConcordatError } from '../protocol/errors.ts';
import type { BundleFiles } from '../protocol/transcript/bundle.ts';
import { MAX_BLOB_BYTES, MAX_MANIFEST_BYTES } from '../protocol/transcript/manifest.ts';

const BLOCK = 512;
const NAME = [0, 100] as const;
const SIZE = [124, 12] as const;
const CHECKSUM = [148, 8] as const;
const TYPE_AT = 156;
/** Of a longer name: other readers put it before the name. */
const PREFIX = [345, 155] as const;
/** Most files: written at once. */
const SMALL_BYTES = 2 ** 20;
const REGULAR = '0';
const FOLDER = '5';

/** What a bundle's archive may hold: a name that leads anywhere else is refused, not skipped. */
const MEMBER = /^(manifest\.json|entries\/\d{6,}\.cbor|blobs\/[0-9a-f]{64})$/;
const MAX_MEMBER_BYTES = Math.max(MAX_BLOB_BYTES, MAX_MANIFEST_BYTES);

export interface TarMember {
  /** In the archive. */
  readonly name: string;
  /** On this disk. */
  readonly path: string;
  readonly bytes: number;
}

/** The same files make the same bytes. Written beside, and renamed when it is whole. */
export async function writeTar(path: string, members: readonly TarMember[]): Promise<void> {
  const temporary = `${path}.tmp`;
  const handle = await open(temporary, 'w', 0o644);
  try {
    for (const member of [...members].sort((a, b) => (a.name < b.name ? -1 : 1))) await writeMember(handle, member);
    await handle.writeFile(new Uint8Array(2 * BLOCK)); // the end, as ustar marks it
    await handle.sync();
    await handle.close();
    await rename(temporary, path);
  } catch (cause) {
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw cause;
  }
}

async function writeMember(handle: FileHandle, { name, path, bytes }: TarMember): Promise<void> {
  const padding = new Uint8Array(padded(bytes) - bytes);
  if (bytes <= SMALL_BYTES) {
    const content = await readFile(path);
    requireLength(path, content.length, bytes);
    await handle.writeFile(Buffer.concat([headerOf(name, bytes), content, padding]));
    return;
  }
  await handle.writeFile(headerOf(name, bytes));
  let written = 0;
  for await (const part of createReadStream(path) as AsyncIterable<Uint8Array>) {
    written += part.length;
    await handle.writeFile(part);
  }
  requireLength(path, written, bytes);
  await handle.writeFile(padding);
}

function requireLength(path: string, got: number, bytes: number): void {
  if (got !== bytes) throw new ConcordatError('STATE_CORRUPT', `${path} has ${got} bytes, not ${bytes}`);
}

function headerOf(name: string, bytes: number): Uint8Array {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0, 'latin1');
  const fields = [
    [100, '0000644'],
    [108, '0000000'],
    [116, '0000000'],
    [SIZE[0], bytes.toString(8).padStart(11, '0')],
    [136, '00000000000'],
    [TYPE_AT, REGULAR],
    [257, 'ustar\u000000'],
  ] as const;
  for (const [at, text] of fields) header.write(text, at, 'latin1');
  header.write(`${checksumOf(header).toString(8).padStart(6, '0')}\u0000 `, CHECKSUM[0], 'latin1');
  return header;
}

/** The sum of all bytes, those of the checksum itself taken as spaces. */
function checksumOf(header: Uint8Array): number {
  const [from, length] = CHECKSUM;
  return header.reduce((sum, byte, i) => sum + (i >= from && i < from + length ? 0x20 : byte), 0);
}

/** The files of an archive, read where they lie: nothing is unpacked. @throws ConcordatError FILE_MISSING, FILE_UNREADABLE */
export async function tarFiles(path: string): Promise<BundleFiles> {
  const members = await withFile(path, (handle) => readMembers(handle, path));
  return {
    list: async (folder) =>
      [...members.keys()].flatMap((name) => (name.startsWith(`${folder}/`) ? name.slice(folder.length + 1) : [])),
    read: async (name) => {
      const found = members.get(name);
      if (found === undefined) throw new ConcordatError('FILE_MISSING', `${name} in ${path}`, { path });
      return withFile(path, (handle) => readAt(handle, found.at, found.bytes));
    },
  };
}

interface Position {
  readonly at: number;
  readonly bytes: number;
}

async function readMembers(handle: FileHandle, path: string): Promise<ReadonlyMap<string, Position>> {
  const { size } = await handle.stat();
  const members = new Map<string, Position>();
  function refuse(what: string): never {
    throw new ConcordatError('FILE_UNREADABLE', `${path}: ${what}`, { path });
  }
  for (let at = 0; at < size; ) {
    const header = Buffer.from(await readAt(handle, at, BLOCK));
    if (header.length < BLOCK) refuse('ends within a header');
    if (header.every((byte) => byte === 0)) return members;
    if (numberAt(header, CHECKSUM) !== checksumOf(header)) refuse(`no tar header at byte ${at}`);
    const name = textAt(header, NAME).replace(/^\.\//, '');
    const type = String.fromCharCode(header[TYPE_AT] ?? 0).replace('\u0000', REGULAR);
    const bytes = numberAt(header, SIZE);
    at += BLOCK;
    if (type === FOLDER) continue;
    if (type !== REGULAR || !MEMBER.test(name)) refuse(`${JSON.stringify(name)} (type ${type}) is no file of a bundle`);
    if (textAt(header, PREFIX) !== '') refuse(`${name} has another name for readers that know of prefixes`);
    if (members.has(name)) refuse(`${name} is in it twice`);
    if (!(bytes <= MAX_MEMBER_BYTES && at + bytes <= size)) refuse(`${name} has an impossible length`);
    members.set(name, { at, bytes });
    at += padded(bytes);
  }
  return refuse('ends without an end mark: it was cut off');
}

const padded = (bytes: number): number => Math.ceil(bytes / BLOCK) * BLOCK;

function textAt(header: Buffer, [from, length]: readonly [number, number]): string {
  const [text = ''] = header
    .subarray(from, from + length)
    .toString('latin1')
    .split('\u0000');
  return text;
}

/** NaN for what is no octal number. */
function numberAt(header: Buffer, field: readonly [number, number]): number {
  const digits = textAt(header, field).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

async function readAt(handle: FileHandle, at: number, bytes: number): Promise<Uint8Array> {
  const into = new Uint8Array(bytes);
  let read = 0;
  while (read < bytes) {
    const { bytesRead } = await handle.read(into, read, bytes - read, at + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return into.subarray(0, read);
}

async function withFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw new ConcordatError(cause.code === 'ENOENT' ? 'FILE_MISSING' : 'FILE_UNREADABLE', path, { path }, { cause });
  });
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}
