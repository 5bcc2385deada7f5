// A seeded generator for shuffles and initial weights. It guards nothing: keys and noise come from the system's CSPRNG.
import { concatBytes, sha256, utf8ToBytes } from '../bytes.ts';

export interface Prng {
  /** Uniform over the 32-bit unsigned integers. */
  readonly uint32: () => number;
  /** Uniform over [0, 1), 32 bits of it. */
  readonly unit: () => number;
  /** Uniform over 0 … bound-1, without bias. `bound` is from 1 to 2^32. */
  readonly below: (bound: number) => number;
}

/**
 * sfc32 (C. Doty-Humphrey, PractRand): 128 bits of state, integer operations only, so the stream is the same everywhere.
 * State = the first 16 bytes, as little-endian words, of sha256("concordat/1/prng/" + label + seed); 12 outputs dropped.
 */
export function createPrng(seed: Uint8Array, label: string): Prng {
  const state = new DataView(sha256(concatBytes(utf8ToBytes(`concordat/1/prng/${label}`), seed)).buffer);
  let a = state.getUint32(0, true);
  let b = state.getUint32(4, true);
  let c = state.getUint32(8, true);
  let counter = state.getUint32(12, true);
  const uint32 = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) uint32();
  const below = (bound: number): number => {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const draw = uint32();
      if (draw < limit) return draw % bound;
    }
  };
  return { uint32, unit: () => uint32() / 2 ** 32, below };
}

/** A permutation of 0 … length-1 by Fisher and Yates. */
export function shuffled(length: number, prng: Prng): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = prng.below(i + 1);
    const kept = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = kept;
  }
  return order;
}
