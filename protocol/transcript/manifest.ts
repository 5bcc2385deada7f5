// The manifest of a bundle: its files, their lengths and hashes. For transport only; what an audit concludes never rests on it.
import { z } from 'zod';
import type { Hex } from '../bytes.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../consent/canonical-json.ts';
import { ConcordatError } from '../errors.ts';
import { hashField } from '../messages/fields.ts';
import { entryName } from './bundle.ts';
import { GENESIS_PREV, MAX_ENTRY_BYTES } from './entry.ts';

export const MANIFEST_NAME = 'manifest.json';

/** About 650,000 blobs. */
export const MAX_MANIFEST_BYTES = 64 * 2 ** 20;

/** Over the longest file that any entry or model names: what a strategy carries on for the largest model. */
export const MAX_BLOB_BYTES = 512 * 2 ** 20;

const entry = z.strictObject({
  name: z.string().max(32),
  sha256: hashField,
  bytes: z.int().min(1).max(MAX_ENTRY_BYTES),
});
/** Its name is its sha256. */
const blob = z.strictObject({
  name: z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 in hex'),
  bytes: z.int().min(0).max(MAX_BLOB_BYTES),
});
const manifestSchema = z.strictObject({
  v: z.literal('concordat/1/manifest'),
  /** In order: 000000.cbor, 000001.cbor, … */
  entries: z.array(entry),
  entryCount: z.int().min(0),
  /** sha256 of the last entry; zero while there is none. */
  head: hashField,
  /** In ascending order of name. */
  blobs: z.array(blob),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestEntry = Manifest['entries'][number];
export type ManifestBlob = Manifest['blobs'][number];

/** @param entries in order @param blobs in any order, none twice */
export function encodeManifest(entries: readonly ManifestEntry[], blobs: readonly ManifestBlob[]): Uint8Array {
  return encodeCanonicalJson({
    v: 'concordat/1/manifest',
    entries,
    entryCount: entries.length,
    head: headOf(entries),
    blobs: [...blobs].sort((a, b) => (a.name < b.name ? -1 : 1)),
  });
}

/**
 * Names are exactly those of a bundle: whoever writes files under them writes nowhere else.
 * @throws ConcordatError MESSAGE_TOO_LARGE, MESSAGE_MALFORMED
 */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const { data: manifest, error } = manifestSchema.safeParse(parseCanonicalJson(bytes, MAX_MANIFEST_BYTES));
  if (error !== undefined) {
    const [issue] = error.issues;
    refuse(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'breaks its schema'}`);
  }
  const { entries, entryCount, head, blobs } = manifest;
  for (const [seq, { name }] of entries.entries()) {
    if (name !== entryName(seq)) refuse(`entry ${seq} has the name ${name}`);
  }
  for (const [i, { name }] of blobs.entries()) {
    if (name <= (blobs[i - 1]?.name ?? '')) refuse(`blob ${name} is out of order`);
  }
  if (entryCount !== entries.length) refuse(`${entries.length} entries, ${entryCount} stated`);
  if (head !== headOf(entries)) refuse('the head is not the last entry');
  return manifest;
}

const headOf = (entries: readonly ManifestEntry[]): Hex => entries.at(-1)?.sha256 ?? GENESIS_PREV;

function refuse(what: string): never {
  throw new ConcordatError('MESSAGE_MALFORMED', `manifest: ${what}`);
}

export interface BundleFile {
  /** `entries/000000.cbor`, `blobs/<64 hex digits>`. */
  readonly path: string;
  readonly sha256: Hex;
  readonly bytes: number;
}

/** Every file that the manifest names, entries first. */
export const filesOf = ({ entries, blobs }: Manifest): BundleFile[] => [
  ...entries.map(({ name, sha256, bytes }) => ({ path: `entries/${name}`, sha256, bytes })),
  ...blobs.map(({ name, bytes }) => ({ path: `blobs/${name}`, sha256: `0x${name}` as const, bytes })),
];
