// Dither: 16 random bits per coordinate, so that rounding to levels tells nothing of a sum but a level.
import type { FillRandom } from '../../secagg/block.ts';

export function createDither(length: number, fillRandom: FillRandom): Uint16Array {
  const dither = new Uint16Array(length);
  fillRandom(new Uint8Array(dither.buffer));
  return dither;
}
