// A bundle as a reader sees it: the entries in order, the blobs by name. Where the bytes come from is passed in.
import { type Hex, sha256, toHex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { decodeEntry, type Entry, type EntryBody } from './entry.ts';

/** A folder, an archive, a web server: whatever can list and read the files of a bundle. */
export interface BundleFiles {
  /** Names directly under `entries` or `blobs`; empty when there is no such folder. */
  list(folder: 'entries' | 'blobs'): Promise<readonly string[]>;
  /** Rejects when there is no such file. `path` is `entries/000000.cbor` or `blobs/<64 hex digits>`. */
  read(path: string): Promise<Uint8Array>;
}

/** One file under `entries`. A file that does not decode stays in its place: a reader must not step over it. */
export interface BundleEntry {
  readonly name: string;
  /** sha256 of the bytes as they are. */
  readonly hash: Hex;
  readonly entry: Entry | undefined;
  /** Why it does not decode; undefined when it does. */
  readonly fault: string | undefined;
}

export interface Bundle {
  readonly entries: readonly BundleEntry[];
  /** File names under `blobs`, as they are. */
  readonly blobNames: readonly string[];
  /**
   * The blob of this hash, re-hashed on every read: nothing downstream rests on a file's name.
   * @throws ConcordatError NOT_FOUND, ARTIFACT_CORRUPT
   */
  blob(hash: Hex): Promise<Uint8Array>;
}

export const entryName = (seq: number): string => `${String(seq).padStart(6, '0')}.cbor`;
export const blobPathOf = (hash: Hex): string => `blobs/${hash.slice(2)}`;

/** A file half-written when its writer was killed: never renamed into place, so never part of the bundle. */
export const isLeftover = (name: string): boolean => name.endsWith('.tmp');

/** sha256, by whatever is fastest where this runs. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

export async function readBundle(files: BundleFiles, hashOf: Sha256 = sha256): Promise<Bundle> {
  const names = (await files.list('entries')).filter((name) => !isLeftover(name)).sort();
  const entries: BundleEntry[] = [];
  for (const name of names) entries.push(readEntry(name, await files.read(`entries/${name}`)));
  return {
    entries,
    blobNames: [...(await files.list('blobs'))].sort(),
    blob: (hash) => readBlob(files, hash, hashOf),
  };
}

function readEntry(name: string, bytes: Uint8Array): BundleEntry {
  const hash = toHex(sha256(bytes));
  try {
    return { name, hash, entry: decodeEntry(bytes), fault: undefined };
  } catch (cause) {
    return { name, hash, entry: undefined, fault: (cause as Error).message };
  }
}

async function readBlob(files: BundleFiles, hash: Hex, hashOf: Sha256): Promise<Uint8Array> {
  const bytes = await files.read(blobPathOf(hash)).catch((cause: unknown) => {
    throw new ConcordatError('NOT_FOUND', `the bundle has no blob ${hash}`, { hash }, { cause });
  });
  const got = toHex(hashOf(bytes));
  if (got !== hash) throw new ConcordatError('ARTIFACT_CORRUPT', `blob ${hash} has the hash ${got}`, { hash, got });
  return bytes;
}

/** Every blob that an entry names, with what it is. */
export function blobsOf(body: EntryBody): readonly { readonly what: string; readonly hash: Hex }[] {
  switch (body.type) {
    case 'genesis':
      return [
        { what: 'task', hash: body.task },
        { what: 'data contract', hash: body.dataContract },
        { what: 'verification key', hash: body.verificationKey },
        { what: 'initial model', hash: body.initialModel },
      ];
    case 'task':
      return [
        { what: 'task', hash: body.task },
        { what: 'data contract', hash: body.dataContract },
        { what: 'initial model', hash: body.initialModel },
      ];
    case 'consent':
      return [{ what: 'operations', hash: body.operations }];
    case 'upload':
      return [
        { what: 'payload', hash: body.payload },
        ...body.sealedShares.map((hash, i) => ({ what: `sealed share ${i + 1}`, hash })),
      ];
    case 'vouch':
      return [{ what: 'vouches', hash: body.vouches }];
    case 'fingerprint':
      return [];
    case 'aggregate':
      return [{ what: 'aggregate', hash: body.aggregate }];
    case 'answer':
      return [{ what: 'answer', hash: body.answer }];
    case 'opened':
      return [
        { what: 'key sum', hash: body.keySum },
        { what: 'values', hash: body.values },
      ];
    case 'model':
      return [
        { what: 'base model', hash: body.baseModel },
        { what: 'model', hash: body.model },
      ];
    case 'failed':
      return [];
  }
}
