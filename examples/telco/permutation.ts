// numpy.random.RandomState(seed).permutation(n), number for number: the hold-out of this example was first drawn with it.
// Mersenne Twister by Matsumoto and Nishimura (1998); numpy's legacy shuffle, which it promises not to change (NEP 19).

const WORDS = 624;
const SHIFT = 397;

function createTwister(seed: number): () => number {
  const state = new Uint32Array(WORDS);
  const at = (i: number): number => state[i % WORDS] ?? 0;
  state[0] = seed;
  for (let i = 1; i < WORDS; i++) state[i] = Math.imul(1_812_433_253, at(i - 1) ^ (at(i - 1) >>> 30)) + i;
  let used = WORDS;
  return () => {
    if (used === WORDS) {
      for (let i = 0; i < WORDS; i++) {
        const word = (at(i) & 0x80000000) | (at(i + 1) & 0x7fffffff);
        state[i] = at(i + SHIFT) ^ (word >>> 1) ^ (word & 1 ? 0x9908b0df : 0);
      }
      used = 0;
    }
    let word = at(used++);
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  };
}

/** Uniform in 0 … most: draws are masked to its bits, and those beyond it are drawn again. */
function drawUpTo(most: number, next: () => number): number {
  const mask = 2 ** (32 - Math.clz32(most)) - 1;
  for (;;) {
    const drawn = next() & mask;
    if (drawn <= most) return drawn;
  }
}

export function numpyPermutation(seed: number, length: number): Uint32Array {
  const next = createTwister(seed);
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = drawUpTo(i, next);
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  return order;
}
