// The second door for uploads: the payload's bytes, checked, hashed and written as they come. One block is in memory.
import type { Readable } from 'node:stream';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { createPayloadParser, payloadBytes } from '../../protocol/secagg/payload.ts';
import type { Blobs } from '../transcript/blobs.ts';

/**
 * Stores the stream as a blob when it is a payload of so many blocks with this hash, and leaves nothing otherwise. The
 * stream is left open: whoever refuses wants to say so on the same connection.
 * @throws ConcordatError PAYLOAD_MALFORMED
 */
export async function receivePayload(hash: Hex, blocks: number, stream: Readable, blobs: Blobs): Promise<void> {
  const writer = await blobs.blobWriter();
  const parser = createPayloadParser(blocks, () => undefined);
  try {
    for await (const chunk of chunksOf(stream)) {
      parser.push(chunk); // before it is written: nothing beyond the size reaches the disk
      await writer.write(chunk);
    }
    parser.end();
    await writer.finish(hash);
  } finally {
    await writer.discard();
  }
}

async function* chunksOf(stream: Readable): AsyncGenerator<Uint8Array> {
  const chunks: AsyncIterable<Uint8Array> = stream.iterator({ destroyOnReturn: false });
  const iterator = chunks[Symbol.asyncIterator]();
  for (;;) {
    const next = await iterator.next().catch((cause: unknown) => {
      throw new ConcordatError('PAYLOAD_MALFORMED', 'the connection ended half-way', {}, { cause });
    });
    if (next.done) return;
    yield next.value;
  }
}

/** @throws ConcordatError PAYLOAD_MALFORMED unless the size is said beforehand, and right */
export function requireLength(contentLength: string | undefined, blocks: number): void {
  const expected = payloadBytes(blocks);
  if (contentLength === String(expected)) return;
  throw new ConcordatError('PAYLOAD_MALFORMED', `${contentLength ?? 'no'} bytes announced, not ${expected}`, {
    expected,
  });
}
