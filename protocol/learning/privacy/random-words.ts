// Random 64-bit words from a CSPRNG, drawn in blocks, each used once.
import type { FillRandom } from '../../secagg/block.ts';

export const WORD_BITS = 64n;
const WORD_BYTES = 8;
/** One call of the CSPRNG per this many bytes: a call for every word would cost more than the sampler. */
const BLOCK_BYTES = 8_192;

export interface RandomWords {
  /** Uniform over [0, 2^64). */
  readonly next: () => bigint;
  /** Overwrites what is left. */
  readonly wipe: () => void;
}

export function createRandomWords(fillRandom: FillRandom): RandomWords {
  const bytes = new Uint8Array(BLOCK_BYTES);
  const view = new DataView(bytes.buffer);
  let at = BLOCK_BYTES;
  return {
    next() {
      if (at === BLOCK_BYTES) {
        fillRandom(bytes);
        at = 0;
      }
      const word = view.getBigUint64(at, true);
      at += WORD_BYTES;
      return word;
    },
    wipe() {
      bytes.fill(0);
      at = BLOCK_BYTES;
    },
  };
}
