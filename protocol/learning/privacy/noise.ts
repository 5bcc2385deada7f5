// A dealer's share of the noise, added to whole levels.
import type { FillRandom } from '../../secagg/block.ts';
import { discreteGaussian } from './discrete-gaussian.ts';
import { createRandomWords } from './random-words.ts';

/** Fresh for every attempt: the same noise under two sums would cancel in their difference. */
export function createNoise(shareVariance: number, fillRandom: FillRandom): (levels: Float64Array) => void {
  const gaussian = discreteGaussian({ numerator: BigInt(shareVariance), denominator: 1n });
  return (levels) => {
    const words = createRandomWords(fillRandom);
    for (let i = 0; i < levels.length; i++) levels[i] = (levels[i] ?? 0) + Number(gaussian.draw(words));
    words.wipe();
  };
}
