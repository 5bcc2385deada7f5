// A bundle fetched from a coordinator that nobody need trust: nothing is kept that has not the hash it was announced with.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../kit/files.ts';
import { request } from '../kit/http.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { decodeEntry } from '../protocol/transcript/entry.ts';
import {
  type BundleFile,
  decodeManifest,
  filesOf,
  MANIFEST_NAME,
  MAX_MANIFEST_BYTES,
  type Manifest,
} from '../protocol/transcript/manifest.ts';
import { type FetchFileOptions, fetchFile } from './fetch-file.ts';
import { writeTar } from './tar.ts';

export interface FetchSource {
  readonly coordinator: string;
  /** Folder to fetch into; what an earlier fetch left there is kept and gone on with. */
  readonly bundle: string;
  /** More than this is not begun. */
  readonly maxBytes?: number;
  /** Also written: the bundle as one file. */
  readonly tar?: string;
}

export interface FetchProgress {
  readonly files: number;
  readonly ofFiles: number;
  readonly bytes: number;
  readonly ofBytes: number;
}

export interface Fetched {
  readonly files: number;
  readonly bytes: number;
  /** Of them, those that were not there already. */
  readonly newFiles: number;
  readonly newBytes: number;
  readonly head: Hex;
  readonly ms: number;
}

export type FetchTuning = Pick<FetchFileOptions, 'silenceMs' | 'pauseMs'>;

const PARALLEL = 4;
/** While they grow: under no name that a reader of bundles looks for. */
const PARTIAL = 'partial';
const DEFAULT_MOST_BYTES = 64 * 2 ** 30;

/**
 * The manifest is written last: a folder that has one has every file it names.
 * @throws ConcordatError MESSAGE_TOO_LARGE for more than there is leave or room for; CONFLICT when the folder holds another
 * history; and as `fetchFile` does
 */
export async function fetchBundle(
  source: FetchSource,
  onProgress: (progress: FetchProgress) => void = () => undefined,
  tuning: FetchTuning = {},
): Promise<Fetched> {
  const startedMs = performance.now();
  const { bundle } = source;
  const base = `${source.coordinator.replace(/\/+$/, '')}/v1/bundle`;
  const text = await request(`${base}/${MANIFEST_NAME}`, { maxBytes: MAX_MANIFEST_BYTES, timeoutMs: 120_000 });
  const manifest = decodeManifest(text);
  const files = filesOf(manifest);
  for (const folder of ['entries', 'blobs', PARTIAL]) await mkdir(join(bundle, folder), { recursive: true });
  await requireSameHistory(bundle, manifest);
  const missing: BundleFile[] = [];
  for (const file of files) if (!(await isThere(bundle, file))) missing.push(file);
  const [ofBytes, newBytes] = [sumOf(files), sumOf(missing)];
  await requireRoom(bundle, newBytes, source.maxBytes ?? DEFAULT_MOST_BYTES, ofBytes);

  const done = { files: files.length - missing.length, bytes: ofBytes - newBytes };
  const say = (): void => onProgress({ ...done, ofFiles: files.length, ofBytes });
  say();
  await inParallel(missing, async ({ path, sha256, bytes }, signal) => {
    const partial = join(bundle, PARTIAL, path.replace('/', '-'));
    const wanted = { url: `${base}/${path}`, path: join(bundle, path), partial, sha256, bytes };
    await fetchFile(wanted, {
      ...tuning,
      signal,
      onBytes: (more) => {
        done.bytes = Math.min(done.bytes + more, ofBytes);
        say();
      },
    });
    done.files++;
    say();
  });
  await writeFileAtomic(join(bundle, MANIFEST_NAME), text);
  await rm(join(bundle, PARTIAL), { recursive: true, force: true });
  if (source.tar !== undefined) await writeArchive(source.tar, bundle, files, text.length);
  const ms = Math.round(performance.now() - startedMs);
  return { files: files.length, bytes: ofBytes, newFiles: missing.length, newBytes, head: manifest.head, ms };
}

const sumOf = (files: readonly BundleFile[]): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

/** What was fetched before is evidence: a coordinator that tells another history now must not have it overwritten. */
async function requireSameHistory(bundle: string, { entries }: Manifest): Promise<void> {
  const names = await readdir(join(bundle, 'entries')).catch(() => [] as string[]);
  const served = new Map(entries.map(({ name, sha256 }) => [name, sha256]));
  for (const name of names.filter((known) => /^\d{6,}\.cbor$/.test(known)).sort()) {
    const bytes = await readFile(join(bundle, 'entries', name));
    const had: Hex = `0x${createHash('sha256').update(bytes).digest('hex')}`;
    const now = served.get(name);
    if (now === had || !isEntry(bytes)) continue;
    const what = now === undefined ? 'no longer serves it' : `now serves one with the hash ${now}`;
    const detail = `${bundle} holds entry ${name} with the hash ${had}; the coordinator ${what}. Keep the folder: it is evidence`;
    throw new ConcordatError('CONFLICT', detail, { entry: name, had, now: now ?? 'none' });
  }
}

/** A file that a failing disk spoilt is no evidence of anything. */
function isEntry(bytes: Uint8Array): boolean {
  try {
    decodeEntry(new Uint8Array(bytes));
    return true;
  } catch {
    return false;
  }
}

async function isThere(bundle: string, { path, sha256, bytes }: BundleFile): Promise<boolean> {
  const full = join(bundle, path);
  const found = await stat(full).catch(() => undefined);
  if (found === undefined || !found.isFile() || found.size !== bytes) return false;
  const digest = createHash('sha256');
  for await (const part of createReadStream(full) as AsyncIterable<Uint8Array>) digest.update(part);
  return `0x${digest.digest('hex')}` === sha256;
}

async function requireRoom(bundle: string, newBytes: number, maxBytes: number, ofBytes: number): Promise<void> {
  if (ofBytes > maxBytes) {
    throw new ConcordatError('MESSAGE_TOO_LARGE', `the bundle has ${ofBytes} bytes; --max-bytes allows ${maxBytes}`);
  }
  const { bavail, bsize } = await statfs(bundle);
  if (newBytes > bavail * bsize) {
    const detail = `${newBytes} bytes to fetch, and room for ${bavail * bsize} in ${bundle}`;
    throw new ConcordatError('MESSAGE_TOO_LARGE', detail);
  }
}

/** The first failure stops the others, and is the one reported once all of them stand still. */
async function inParallel(
  files: readonly BundleFile[],
  each: (file: BundleFile, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stopping = new AbortController();
  const left = [...files].reverse();
  let failure: { readonly cause: unknown } | undefined;
  async function worker(): Promise<void> {
    for (let next = left.pop(); next !== undefined && failure === undefined; next = left.pop()) {
      try {
        await each(next, stopping.signal);
      } catch (cause) {
        failure ??= { cause };
        stopping.abort();
      }
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  if (failure !== undefined) throw failure.cause;
}

const writeArchive = (tar: string, bundle: string, files: readonly BundleFile[], manifestBytes: number) =>
  writeTar(
    tar,
    [...files, { path: MANIFEST_NAME, bytes: manifestBytes }].map(({ path, bytes }) => ({
      name: path,
      path: join(bundle, path),
      bytes,
    })),
  );
