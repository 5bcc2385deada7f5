// What a finished round left at the coordinator: the payloads of its set, and the sum of their keys. Sizes are held at the door.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { decodeKeySum, KEY_SUM_BYTES } from '../../protocol/secagg/key-sum.ts';
import { payloadBytes } from '../../protocol/secagg/payload.ts';
import { entryBody } from '../../protocol/transcript/entry.ts';
import { ask, type BlobReader, readBlob } from './fetch-base.ts';

/** The `opened` entry of a round. Nobody vouches for it, and nobody need: a false key leaves no noise of the right size. */
export type ReadOpened = (round: number) => Promise<unknown>;

const MAX_OPENED_BYTES = 4_096;

export const openedOf =
  (coordinatorUrl: string): ReadOpened =>
  async (round) => {
    const bytes = await ask(`${coordinatorUrl}/v1/rounds/${round}/opened`, { maxBytes: MAX_OPENED_BYTES });
    try {
      return JSON.parse(new TextDecoder().decode(bytes));
    } catch {
      return undefined;
    }
  };

export interface PublishedFiles {
  /** S. @throws ConcordatError MESSAGE_MALFORMED, MODEL_MISMATCH, NOT_FOUND, TIMED_OUT */
  keySum(round: number): Promise<Int32Array>;
  /** Its bytes are those of the hash; what is in them is not looked at. @throws ConcordatError MODEL_MISMATCH, NOT_FOUND, TIMED_OUT */
  payload(hash: Hex, blocks: number): Promise<Uint8Array>;
}

export const createPublishedFiles = (readOpened: ReadOpened, read: BlobReader): PublishedFiles => ({
  async keySum(round) {
    const { success, data } = entryBody.safeParse(await readOpened(round));
    if (success && data.type === 'opened' && data.round === round) {
      return decodeKeySum(await readBlob(read, data.keySum, KEY_SUM_BYTES));
    }
    throw new ConcordatError('MESSAGE_MALFORMED', `the coordinator names no key of round ${round}'s sum`, { round });
  },
  payload: (hash, blocks) => readBlob(read, hash, payloadBytes(blocks)),
});
