// One file from a server that is not trusted: hashed as it arrives, never longer than announced, continued where it broke off.
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { partsOf } from '../kit/body.ts';
import { problemToError } from '../kit/http.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';

export interface WantedFile {
  readonly url: string;
  /** Where it belongs once it is whole and has the right hash. */
  readonly path: string;
  /** Where it grows: what is in it survives a kill, and is continued. */
  readonly partial: string;
  readonly sha256: Hex;
  readonly bytes: number;
}

export interface FetchFileOptions {
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
  /** A server that says nothing for so long is gone. */
  readonly silenceMs?: number;
  /** Before the next try, times the tries so far. */
  readonly pauseMs?: number;
}

const SILENCE_MS = 30_000;
const PAUSE_MS = 500;
const MAX_TRIES = 5;
/** Whoever cuts every connection gets one more try for each of these: a long file may take many. */
const BYTES_PER_TRY = 2 ** 20;
const MAX_REFUSAL_BYTES = 65_536;

/** Worth another try: the connection, not the content. */
class BrokenOff extends Error {}

/**
 * Both folders must be there.
 * @throws ConcordatError TIMED_OUT when it cannot be had; MESSAGE_TOO_LARGE when more comes than was announced;
 * ARTIFACT_CORRUPT when something else comes; or what the server refuses with
 */
export async function fetchFile(wanted: WantedFile, options: FetchFileOptions): Promise<void> {
  const mostTries = MAX_TRIES + Math.floor(wanted.bytes / BYTES_PER_TRY);
  for (let tries = 1; ; tries++) {
    try {
      return await attempt(wanted, options);
    } catch (cause) {
      options.signal.throwIfAborted();
      if (!(cause instanceof BrokenOff)) throw cause;
      if (tries >= mostTries) {
        throw new ConcordatError('TIMED_OUT', `${wanted.url}: ${cause.message}`, { url: wanted.url }, { cause });
      }
      await sleep((options.pauseMs ?? PAUSE_MS) * Math.min(tries, MAX_TRIES), undefined, { signal: options.signal });
    }
  }
}

async function attempt(wanted: WantedFile, options: FetchFileOptions): Promise<void> {
  const { path, partial, sha256, bytes } = wanted;
  const had = await hashPartial(wanted);
  const digest = had.length === bytes && bytes > 0 ? had.digest : await receive(wanted, had, options);
  const got: Hex = `0x${digest.digest('hex')}`;
  if (got === sha256) return rename(partial, path);
  await rm(partial, { force: true });
  // the half that was there may have been of something else
  if (had.length > 0) throw new BrokenOff(`what was there of ${wanted.url} did not fit`);
  throw new ConcordatError('ARTIFACT_CORRUPT', `${wanted.url} has the hash ${got}`, { expected: sha256, got });
}

interface Half {
  readonly digest: Hash;
  readonly length: number;
}

/** What an earlier try left. */
async function hashPartial({ partial, bytes }: WantedFile): Promise<Half> {
  const digest = createHash('sha256');
  const length = (await stat(partial).catch(() => undefined))?.size ?? 0;
  if (length === 0) return { digest, length };
  if (length > bytes) {
    await rm(partial, { force: true });
    return { digest, length: 0 };
  }
  for await (const part of createReadStream(partial) as AsyncIterable<Uint8Array>) digest.update(part);
  return { digest, length };
}

/** Asks for what is missing, and writes it behind what is there; all of it when the server does not continue. */
async function receive(wanted: WantedFile, had: Half, options: FetchFileOptions): Promise<Hash> {
  const watch = watchSilence(options);
  try {
    const response = await ask(wanted, had.length, watch.signal);
    const continued = response.status === 206;
    const handle = await open(wanted.partial, continued ? 'a' : 'w', 0o644);
    try {
      const { digest, length } = continued ? had : { digest: createHash('sha256'), length: 0 };
      const parts = partsOf(response, watch.signal);
      await write(parts, handle, { wanted, digest, length, heard: watch.heard, onBytes: options.onBytes });
      // not synced: whoever loses power finds by its hash what is torn, and fetches it again
      return digest;
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof ConcordatError && cause.code === 'MESSAGE_TOO_LARGE') {
      await rm(wanted.partial, { force: true });
    }
    if (cause instanceof ConcordatError || cause instanceof BrokenOff || isOfTheDisk(cause)) throw cause;
    throw new BrokenOff(reasonOf(cause), { cause });
  } finally {
    watch.end();
  }
}

async function ask(wanted: WantedFile, from: number, signal: AbortSignal): Promise<Response> {
  const response = await fetch(wanted.url, {
    // a compressed answer has other lengths, and cannot be continued
    headers: { 'accept-encoding': 'identity', ...(from > 0 && { range: `bytes=${from}-` }) },
    // a coordinator does not send its readers elsewhere
    redirect: 'error',
    signal,
  });
  if (response.status === 200) return response;
  const continues = response.headers.get('content-range')?.startsWith(`bytes ${from}-`) === true;
  if (response.status === 206 && from > 0 && continues) return response;
  if (response.status === 206 || response.status === 416) {
    await response.body?.cancel();
    await rm(wanted.partial, { force: true });
    throw new BrokenOff(`answered with another part than bytes ${from} to the end`);
  }
  if (response.status >= 500 || response.status === 429) {
    await response.body?.cancel();
    throw new BrokenOff(`answered ${response.status}`);
  }
  throw problemToError(await readRefusal(partsOf(response, signal)), response.status, wanted.url);
}

interface Writing {
  readonly wanted: WantedFile;
  readonly digest: Hash;
  readonly length: number;
  readonly heard: () => void;
  readonly onBytes: (bytes: number) => void;
}

async function write(parts: AsyncIterable<Uint8Array>, handle: FileHandle, to: Writing): Promise<void> {
  const { wanted, digest, heard, onBytes } = to;
  let length = to.length;
  for await (const part of parts) {
    heard();
    length += part.length;
    if (length > wanted.bytes) {
      throw new ConcordatError('MESSAGE_TOO_LARGE', `${wanted.url} is longer than the ${wanted.bytes} bytes announced`);
    }
    digest.update(part);
    await handle.writeFile(part);
    onBytes(part.length);
  }
  if (length < wanted.bytes) throw new BrokenOff(`ended after ${length} of ${wanted.bytes} bytes`);
}

function watchSilence({ signal, silenceMs = SILENCE_MS }: FetchFileOptions) {
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(new BrokenOff(`silent for ${silenceMs} ms`)), silenceMs);
  return {
    signal: AbortSignal.any([signal, silent.signal]),
    heard: () => void timer.refresh(),
    end: () => clearTimeout(timer),
  };
}

async function readRefusal(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > MAX_REFUSAL_BYTES) break;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** A full disk does not get better by asking again. */
const isOfTheDisk = (cause: unknown): boolean =>
  cause instanceof Error && 'syscall' in cause && ['open', 'write', 'rename', 'mkdir'].includes(String(cause.syscall));

const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? cause.cause.message : cause.message;
};
