// An edge node's one door to decryption: it opens again what was opened for everybody, the sum of a finished round, with the key
// that was published. No single payload opens with that key.
import type { EngineChoice } from '../../engines/ring/fastest.ts';
import { createFastestOpener } from '../../engines/ring/open-fastest.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { openWithKey, requireOpenable } from '../../protocol/secagg/open-sum.ts';
import type { RingOpener } from '../../protocol/secagg/opener.ts';
import { blocksFor, type PackingProfile } from '../../protocol/secagg/packing.ts';
import { createPayloadParser } from '../../protocol/secagg/payload.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';

export interface SumShape {
  /** The round's, from the chain. */
  readonly seed: Hex;
  readonly packing: PackingProfile;
  readonly valueCount: number;
  readonly dealers: number;
}

/** The sum alone is in memory. Once an `add` has thrown it is worth nothing. */
export interface PublishedSum {
  readonly blocks: number;
  /** @param payload its hash checked @throws ConcordatError PAYLOAD_MALFORMED */
  add(payload: Uint8Array): void;
  /** The opened values. @throws ConcordatError OPENING_NOISY, VALUE_OUT_OF_RANGE */
  open(secretSum: Int32Array): Uint32Array;
}

/** @throws ConcordatError VALUE_OUT_OF_RANGE for more dealers than the packing holds */
export type BeginSum = (shape: SumShape) => PublishedSum;

/** @throws ConcordatError RING_ENGINE_UNAVAILABLE */
export const createPublishedOpener = async (ring: Ring, choice: EngineChoice): Promise<BeginSum> =>
  publishedOpenerOf(ring, await createFastestOpener(choice));

export function publishedOpenerOf(ring: Pick<Ring, 'addPacked'>, opener: RingOpener): BeginSum {
  return (shape) => {
    const blocks = blocksFor(shape.valueCount, shape.packing);
    const aggregate = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
    const sum = { ...shape, aggregate };
    requireOpenable(sum);
    return {
      blocks,
      add(payload) {
        const parser = createPayloadParser(blocks, (index, words) =>
          ring.addPacked(aggregate.subarray(index * RESIDUES_PER_BLOCK, (index + 1) * RESIDUES_PER_BLOCK), words),
        );
        parser.push(payload);
        parser.end();
      },
      open: (secretSum) => openWithKey(opener, sum, secretSum).values,
    };
  };
}
