// The public transcript as files: entries in a hash chain, blobs by content. What is written here is never changed.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../kit/files.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { encodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { entryName } from '../../protocol/transcript/bundle.ts';
import { decodeEntry, type Entry, type EntryBody, encodeEntry, GENESIS_PREV } from '../../protocol/transcript/entry.ts';
import { type Blobs, openBlobs } from './blobs.ts';
import { sha256 as nodeSha256 } from './hash.ts';
import { createManifest } from './manifest.ts';

export interface Transcript extends Blobs {
  /** Hash of the last entry. */
  head(): Hex;
  entries(): readonly Entry[];
  /**
   * Appends unless the same entry stands already, which makes every step repeatable.
   * @throws ConcordatError CONFLICT when another entry stands in its place (type, round, party)
   */
  appendOnce(body: EntryBody): Promise<Hex>;
  /** Of all the files that are there now. */
  manifest(): Uint8Array;
  /** Brings the manifest's file up to date. */
  writeManifest(): Promise<void>;
}

/** Opens or starts the transcript in `directory`; re-checks the chain of what is there. */
export async function openTranscript(directory: string): Promise<Transcript> {
  const entriesDir = join(directory, 'entries');
  const manifest = createManifest(directory);
  const blobs = await openBlobs(join(directory, 'blobs'), manifest.addBlob);
  const entries: Entry[] = [];
  const places = new Map<string, { hash: Hex; body: Hex }>();
  let head: Hex = GENESIS_PREV;
  for (const name of await listFiles(entriesDir)) {
    const bytes = await readFile(join(entriesDir, name));
    const entry = decodeEntry(new Uint8Array(bytes));
    if (entry.prev !== head || entry.seq !== entries.length) {
      throw new ConcordatError('STATE_CORRUPT', `transcript entry ${name} does not follow the one before it`);
    }
    head = nodeSha256(bytes);
    entries.push(entry);
    manifest.addEntry(head, bytes.length);
    places.set(placeOf(entry.body), { hash: head, body: bodyHash(entry.body) });
  }
  await manifest.write();
  let queue: Promise<unknown> = Promise.resolve();

  async function append(body: EntryBody): Promise<Hex> {
    const place = placeOf(body);
    const existing = places.get(place);
    if (existing !== undefined) {
      if (existing.body === bodyHash(body)) return existing.hash;
      throw new ConcordatError('CONFLICT', `the transcript already holds another ${place}`, { place });
    }
    const seq = entries.length;
    const { bytes, hash } = encodeEntry(seq, head, body);
    await writeFileAtomic(join(entriesDir, entryName(seq)), bytes);
    entries.push(decodeEntry(bytes));
    manifest.addEntry(hash, bytes.length);
    places.set(place, { hash, body: bodyHash(body) });
    head = hash;
    // once a round, not once an entry: the text is as long as the history
    if (ENDS_SOMETHING.has(body.type)) await manifest.write();
    return hash;
  }

  return {
    head: () => head,
    entries: () => entries,
    ...blobs,
    manifest: manifest.bytes,
    writeManifest: manifest.write,
    appendOnce: (body) => {
      const result = queue.then(() => append(body));
      queue = result.catch(() => undefined);
      return result;
    },
  };
}

const ENDS_SOMETHING: ReadonlySet<EntryBody['type']> = new Set(['genesis', 'task', 'model', 'failed']);

const bodyHash = (body: EntryBody): Hex => nodeSha256(encodeCbor(body));

async function listFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [] as string[]);
  return names.filter((name) => name.endsWith('.cbor')).sort();
}

function placeOf(body: EntryBody): string {
  switch (body.type) {
    case 'genesis':
      return 'genesis';
    case 'task':
      return `task/${body.task}`;
    case 'consent':
      return `consent/${body.dealer}/${body.epoch}`;
    case 'upload':
      return `upload/${body.round}/${body.dealer}/${body.attempt}`;
    case 'vouch':
    case 'answer':
      return `${body.type}/${body.round}/${body.keyHolder}`;
    case 'fingerprint':
      return `fingerprint/${body.round}/${body.dealer}`;
    default:
      return `${body.type}/${body.round}`;
  }
}
