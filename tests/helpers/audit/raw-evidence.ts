// Evidence as data that a test may change: the chain's history and the bundle's files, and how a forger would mend them.

import { referenceEngines } from '../../../auditor/engines.ts';
import type { BodyOf, BodyType, Evidence } from '../../../auditor/evidence.ts';
import { bundleFolder } from '../../../auditor/folder.ts';
import type { EventName, EventOf, History } from '../../../auditor/history.ts';
import { type Hex, sha256, toHex } from '../../../protocol/bytes.ts';
import { type BundleFiles, blobPathOf, entryName, readBundle } from '../../../protocol/transcript/bundle.ts';
import { decodeEntry, type EntryBody, encodeEntry, GENESIS_PREV } from '../../../protocol/transcript/entry.ts';

export interface RawEvidence {
  history: History;
  readonly files: Map<string, Uint8Array>;
}

const engines = referenceEngines();

export async function evidenceOf({ history, files }: RawEvidence): Promise<Evidence> {
  return { history, bundle: await readBundle(memoryFiles(files)), engines };
}

export const memoryFiles = (files: ReadonlyMap<string, Uint8Array>): BundleFiles => ({
  list: async (folder) =>
    [...files.keys()].filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1)),
  read: async (path) => {
    const bytes = files.get(path);
    if (bytes === undefined) throw new Error(`no file ${path}`);
    return new Uint8Array(bytes);
  },
});

export async function readRaw(history: History, directory: string): Promise<RawEvidence> {
  const folder = bundleFolder(directory);
  const files = new Map<string, Uint8Array>();
  for (const kind of ['entries', 'blobs'] as const) {
    for (const name of await folder.list(kind)) files.set(`${kind}/${name}`, await folder.read(`${kind}/${name}`));
  }
  return { history, files };
}

/** Files are shared until replaced: a change sets a new array and never writes into an old one. */
export const copyOf = ({ history, files }: RawEvidence): RawEvidence => ({ history, files: new Map(files) });

export function putBlob(raw: RawEvidence, bytes: Uint8Array): Hex {
  const hash = toHex(sha256(bytes));
  raw.files.set(blobPathOf(hash), bytes);
  return hash;
}

export function blobOf(raw: RawEvidence, hash: Hex): Uint8Array {
  const bytes = raw.files.get(blobPathOf(hash));
  if (bytes === undefined) throw new Error(`no blob ${hash}`);
  return new Uint8Array(bytes);
}

/** A copy with one bit changed. */
export function flipped(bytes: Uint8Array, at = bytes.length >> 1): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

export function bodiesOf(raw: RawEvidence): EntryBody[] {
  const names = [...raw.files.keys()].filter((path) => path.startsWith('entries/')).sort();
  return names.map((path) => decodeEntry(raw.files.get(path) ?? new Uint8Array()).body);
}

export const bodyOf = <T extends BodyType>(raw: RawEvidence, type: T, round?: number): BodyOf<T> => {
  const found = bodiesOf(raw).find(
    (body) => body.type === type && (round === undefined || ('round' in body && body.round === round)),
  );
  if (found === undefined) throw new Error(`no ${type} entry`);
  return found as BodyOf<T>;
};

/**
 * Writes the transcript anew, as a forger who also controls what is published would: every entry hashed and chained again,
 * and every head on chain moved to the model entry of its round.
 */
export function rewriteTranscript(raw: RawEvidence, change: (bodies: EntryBody[]) => EntryBody[]): void {
  const bodies = change(bodiesOf(raw));
  for (const path of [...raw.files.keys()]) if (path.startsWith('entries/')) raw.files.delete(path);
  const heads = new Map<number, Hex>();
  let prev = GENESIS_PREV;
  for (const [seq, body] of bodies.entries()) {
    const { bytes, hash } = encodeEntry(seq, prev, body);
    raw.files.set(`entries/${entryName(seq)}`, bytes);
    if (body.type === 'model') heads.set(body.round, hash);
    prev = hash;
  }
  changeEvents(raw, 'Published', (event) => ({ transcriptHead: heads.get(event.round) ?? event.transcriptHead }));
}

/** As `rewriteTranscript`, changing the bodies of one kind. */
export function changeBodies<T extends BodyType>(
  raw: RawEvidence,
  type: T,
  change: (body: BodyOf<T>) => Partial<BodyOf<T>>,
): void {
  rewriteTranscript(raw, (bodies) =>
    bodies.map((body) => (body.type === type ? { ...body, ...change(body as BodyOf<T>) } : body)),
  );
}

/** Takes out the first event of a kind that matches. */
export function dropEvent<N extends EventName>(
  raw: RawEvidence,
  name: N,
  matches: (event: EventOf<N>) => boolean = () => true,
): void {
  const dropped = theEvent(raw, name, matches);
  raw.history = { ...raw.history, events: raw.history.events.filter((event) => event !== dropped) };
}

export function changeEvents<N extends EventName>(
  raw: RawEvidence,
  name: N,
  change: (event: EventOf<N>) => Partial<EventOf<N>>,
): void {
  const { history } = raw;
  const events = history.events.map((event) =>
    event.name === name ? { ...event, ...change(event as EventOf<N>) } : event,
  );
  raw.history = { ...history, events };
}

export function theEvent<N extends EventName>(
  raw: RawEvidence,
  name: N,
  matches: (event: EventOf<N>) => boolean = () => true,
): EventOf<N> {
  const found = raw.history.events.find((event) => event.name === name && matches(event as EventOf<N>));
  if (found === undefined) throw new Error(`no ${name} event`);
  return found as EventOf<N>;
}
