// Blobs: files named by the sha256 of their bytes. A large one is written and read in parts and never held whole.
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../kit/files.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { sha256 } from './hash.ts';

/** A blob on its way in: beside the blobs, under no name that anybody looks for. */
export interface BlobWriter {
  /** The bytes are the caller's again when it resolves. */
  write(part: Uint8Array): Promise<void>;
  /**
   * Syncs, and gives the blob its name. The same blob may be there already, or be written by two at once.
   * @throws ConcordatError PAYLOAD_MALFORMED when the bytes are not those of `expected`; nothing is left then
   */
  finish(expected?: Hex): Promise<Hex>;
  /** Leaves nothing. Any number of times, also after `finish`. */
  discard(): Promise<void>;
}

export interface BlobFile {
  readonly path: string;
  readonly bytes: number;
}

export interface Blobs {
  putBlob(bytes: Uint8Array): Promise<Hex>;
  getBlob(hash: Hex): Promise<Uint8Array>;
  blobWriter(): Promise<BlobWriter>;
  /** In parts. @throws ConcordatError NOT_FOUND; STATE_CORRUPT after the last part when the bytes are not those of the hash */
  readBlobStream(hash: Hex): AsyncIterable<Uint8Array>;
  /** To be sent as it is. @throws ConcordatError NOT_FOUND */
  blobFile(hash: Hex): Promise<BlobFile>;
}

const READ_BYTES = 262_144;
const TEMPORARY = '.tmp';
const BLOB_NAME = /^[0-9a-f]{64}$/;

/**
 * Opens the folder, and removes what a killed process left half-written in it.
 * @param onBlob told of every blob there is: those there already, and each new one once it is
 */
export async function openBlobs(
  directory: string,
  onBlob: (hash: Hex, bytes: number) => void = () => undefined,
): Promise<Blobs> {
  await mkdir(directory, { recursive: true });
  for (const name of await readdir(directory)) {
    if (name.endsWith(TEMPORARY)) await rm(join(directory, name), { force: true });
    else if (BLOB_NAME.test(name)) onBlob(`0x${name}`, (await stat(join(directory, name))).size);
  }
  const pathOf = (hash: Hex): string => join(directory, hash.slice(2));
  return {
    putBlob: async (bytes) => {
      const hash = sha256(bytes);
      await writeFileAtomic(pathOf(hash), bytes);
      onBlob(hash, bytes.length);
      return hash;
    },
    getBlob: async (hash) => {
      const bytes = await readFile(pathOf(hash)).catch(() => undefined);
      if (bytes === undefined) throw missing(hash);
      return new Uint8Array(bytes);
    },
    blobWriter: () => openWriter(directory, pathOf, onBlob),
    readBlobStream: (hash) => readChecked(pathOf(hash), hash),
    blobFile: async (hash) => {
      const found = await stat(pathOf(hash)).catch(() => undefined);
      if (found === undefined) throw missing(hash);
      return { path: pathOf(hash), bytes: found.size };
    },
  };
}

const missing = (hash: Hex) => new ConcordatError('NOT_FOUND', `no blob ${hash}`);

async function openWriter(
  directory: string,
  pathOf: (hash: Hex) => string,
  onBlob: (hash: Hex, bytes: number) => void,
): Promise<BlobWriter> {
  const temporary = join(directory, `${randomBytes(8).toString('hex')}${TEMPORARY}`);
  const handle = await open(temporary, 'wx', 0o644);
  const digest = createHash('sha256');
  let length = 0;
  let over = false;
  async function discard(): Promise<void> {
    if (over) return;
    over = true;
    await handle.close();
    await rm(temporary, { force: true });
  }
  return {
    async write(part) {
      digest.update(part);
      length += part.length;
      await handle.writeFile(part);
    },
    async finish(expected) {
      const hash: Hex = `0x${digest.digest('hex')}`;
      if (expected !== undefined && hash !== expected) {
        await discard();
        throw new ConcordatError('PAYLOAD_MALFORMED', `the bytes have hash ${hash}, not ${expected}`);
      }
      await handle.sync();
      await handle.close();
      await rename(temporary, pathOf(hash));
      over = true;
      onBlob(hash, length);
      return hash;
    },
    discard,
  };
}

async function* readChecked(path: string, hash: Hex): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256');
  try {
    for await (const part of createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Uint8Array>) {
      digest.update(part);
      yield part;
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw missing(hash);
    throw cause;
  }
  if (`0x${digest.digest('hex')}` !== hash) {
    throw new ConcordatError('STATE_CORRUPT', `blob ${hash} is damaged on disk`, { hash });
  }
}
