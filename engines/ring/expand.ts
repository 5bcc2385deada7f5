// What a block is multiplied with, put into the kernel: a_k from the round's seed, and the factor.

import { nodeShake128 } from '../../kit/shake.ts';
import { PRIMES, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { expandA, streamInput, type Xof } from '../../protocol/secagg/public-a.ts';
import type { Kernel } from './kernel.ts';

/** Two thirds of the time of sealing is this hash, by OpenSSL; the kernel only sieves its words. */
export function expandInto(kernel: Kernel, seed: Uint8Array, block: number, xof: Xof = nodeShake128): void {
  for (let prime = 0; prime < PRIMES.length; prime++) {
    kernel.stream.set(xof(streamInput(seed, block, prime), kernel.stream.length));
    if (kernel.takeUniform(prime) !== RING_DEGREE) {
      // more words refused than there are to spare, which no seed will ever show: the reference reads on
      kernel.public.set(expandA(seed, block, xof));
      return;
    }
  }
}

/** @param small N integers below every prime in size */
export function loadFactor(kernel: Kernel, small: Int32Array): void {
  if (small.length !== RING_DEGREE) throw new RangeError(`${small.length} integers, not ${RING_DEGREE}`);
  kernel.small.set(small);
  kernel.loadFactor();
}
