// A coordinator's bundle over HTTP, honest or not: what it does with one file a test decides.
import { statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sha256, toHex } from '../../../protocol/bytes.ts';
import { encodeManifest, MANIFEST_NAME } from '../../../protocol/transcript/manifest.ts';

export type Files = ReadonlyMap<string, Uint8Array>;
/** @returns false to have the request answered honestly */
export type Misbehaviour = (path: string, request: IncomingMessage, response: ServerResponse) => boolean;

export interface BundleServer {
  readonly url: string;
  /** Path and range of every request, in order. */
  readonly asked: readonly (readonly [path: string, range: string | undefined])[];
  close(): Promise<void>;
}

export function manifestOf(files: Files): Uint8Array {
  const in_ = (folder: string) => [...files].filter(([path]) => path.startsWith(folder)).sort();
  return encodeManifest(
    in_('entries/').map(([path, bytes]) => ({
      name: path.slice(8),
      sha256: toHex(sha256(bytes)),
      bytes: bytes.length,
    })),
    in_('blobs/').map(([path, bytes]) => ({ name: path.slice(6), bytes: bytes.length })),
  );
}

/** @param manifest what is announced, which need not be what there is */
export async function serveBundle(
  files: Files,
  { misbehave = () => false, manifest = manifestOf(files) }: { misbehave?: Misbehaviour; manifest?: Uint8Array } = {},
): Promise<BundleServer> {
  const asked: [string, string | undefined][] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/v1\/bundle\//, '');
    asked.push([path, request.headers.range]);
    if (!misbehave(path, request, response))
      answer(path === MANIFEST_NAME ? manifest : files.get(path), request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function answer(bytes: Uint8Array | undefined, request: IncomingMessage, response: ServerResponse): void {
  if (bytes === undefined) {
    response.writeHead(404).end();
    return;
  }
  const from = rangeOf(request);
  const headers = {
    'content-length': bytes.length - from,
    'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
  };
  response.writeHead(from > 0 ? 206 : 200, from > 0 ? headers : {}).end(bytes.subarray(from));
}

const rangeOf = ({ headers }: IncomingMessage): number => Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);

/** What a cut answer is: so many bytes more, all of them written to `partial` by whoever asked before the line goes dead. */
export interface Cut {
  readonly more: number;
  readonly partial: string;
}

export function cutAfter(
  { more, partial }: Cut,
  bytes: Uint8Array,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const from = rangeOf(request);
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': bytes.length - from,
    ...(from > 0 && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
  });
  response.write(bytes.subarray(from, from + more));
  const looking = setInterval(() => {
    if ((statSync(partial, { throwIfNoEntry: false })?.size ?? 0) < from + more) return;
    clearInterval(looking);
    request.socket.destroy();
  }, 2);
}
