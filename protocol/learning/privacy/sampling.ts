// Poisson sampling: each customer is in a round by a coin of their own. Who was in is never told to anybody.
import type { FillRandom } from '../../secagg/block.ts';
import { bernoulli } from './bernoulli.ts';
import { createRandomWords } from './random-words.ts';

const RATE_BITS = 32;

/** Row numbers, ascending. The rate is cut to 32 bits, so that nobody is drawn more often than is accounted for. */
export function poissonSample(rows: number, samplingRate: number, fillRandom: FillRandom): Uint32Array {
  const words = createRandomWords(fillRandom);
  const numerator = BigInt(Math.floor(samplingRate * 2 ** RATE_BITS));
  const denominator = 1n << BigInt(RATE_BITS);
  const drawn = Array.from({ length: rows }, (_, row) => row).filter(() => bernoulli(numerator, denominator, words));
  words.wipe();
  return Uint32Array.from(drawn);
}
