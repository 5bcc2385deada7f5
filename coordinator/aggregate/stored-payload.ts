// A payload read back from disk, block by block, with everything about it checked again: a flipped bit is seen.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { createPayloadParser } from '../../protocol/secagg/payload.ts';
import type { Blobs } from '../transcript/blobs.ts';

/**
 * Lets others have their turn after every few blocks. That the bytes are those of the hash is known at the end only: what
 * `onBlock` did must not be kept when this throws.
 * @throws ConcordatError PAYLOAD_MALFORMED it is damaged; NOT_FOUND
 */
export async function readStoredPayload(
  blobs: Pick<Blobs, 'readBlobStream'>,
  payloadHash: Hex,
  blocks: number,
  onBlock: Parameters<typeof createPayloadParser>[1],
): Promise<void> {
  const parser = createPayloadParser(blocks, onBlock);
  try {
    for await (const part of blobs.readBlobStream(payloadHash)) {
      parser.push(part);
      await nextTurn();
    }
    parser.end();
  } catch (cause) {
    if (!(cause instanceof ConcordatError) || cause.code === 'NOT_FOUND') throw cause;
    const detail = `payload ${payloadHash} is damaged on disk: ${cause.detail}`;
    throw new ConcordatError('PAYLOAD_MALFORMED', detail, { payloadHash }, { cause });
  }
}
