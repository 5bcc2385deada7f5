// Sending a file as a request body, straight from disk: memory does not grow with the file.
import { createReadStream } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { ConcordatError } from '../protocol/errors.ts';
import { problemToError } from './http.ts';

const MAX_ANSWER_BYTES = 65_536;

export interface SentFile {
  readonly path: string;
  readonly bytes: number;
}

/**
 * PUT with the file as application/octet-stream. A refusal that arrives half-way is reported as what it says.
 * @returns the answer's body
 * @throws ConcordatError TIMED_OUT when nobody answers, or what the other side refuses with
 */
export async function putFile(url: string, file: SentFile, timeoutMs = 120_000): Promise<Uint8Array> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  const headers = { 'content-type': 'application/octet-stream', 'content-length': file.bytes };
  const outgoing = send(url, { method: 'PUT', headers, signal: AbortSignal.timeout(timeoutMs) });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
  });
  try {
    // a server that refuses closes its end: the answer, not the broken pipe, says why
    const sent = pipeline(createReadStream(file.path), outgoing).catch(() => undefined);
    const response = await answered;
    const body = await readAll(response);
    // whoever answers before the end may never read the rest
    if (!outgoing.writableFinished) outgoing.destroy();
    await sent;
    const status = response.statusCode ?? 0;
    if (status < 300) return body;
    throw problemToError(body, status, url);
  } catch (cause) {
    if (cause instanceof ConcordatError) throw cause;
    throw new ConcordatError('TIMED_OUT', `${url} does not answer`, { url }, { cause });
  }
}

async function readAll(response: IncomingMessage): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Uint8Array>) {
    bytes += part.length;
    if (bytes > MAX_ANSWER_BYTES) throw new ConcordatError('MESSAGE_TOO_LARGE', `an answer of over ${bytes} bytes`);
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}
