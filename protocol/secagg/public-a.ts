// The public polynomials a_k of a round: everyone expands the same ones from the round's seed.
import { shake128 } from '@noble/hashes/sha3.js';
import { concatBytes, uintToBytes, utf8ToBytes } from '../bytes.ts';
import { PROTOCOL_VERSION } from '../params.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from './block.ts';

/** SHAKE128 of `input`, `length` bytes; asking for more extends the same stream. */
export type Xof = (input: Uint8Array, length: number) => Uint8Array;

/** Pure and nine times slower than OpenSSL's: engines pass node:crypto's. */
export const nobleShake128: Xof = (input, length) => shake128(input, { dkLen: length });

const TAG = utf8ToBytes(`${PROTOCOL_VERSION}/a`);
const MASK = 2 ** 30 - 1;
// p/2^30 > 0.99991, so 4096 words lose 0.4 on average; more than 32 is a 2^-170 event and only costs a second call
const SPARE_WORDS = 32;

/** What the XOF of one block and one prime is started with. @param seed the round's seed, 32 bytes */
export function streamInput(seed: Uint8Array, block: number, primeIndex: number): Uint8Array {
  if (seed.length !== 32) throw new RangeError(`a seed has 32 bytes, not ${seed.length}`);
  return concatBytes(TAG, seed, uintToBytes(block, 4), uintToBytes(primeIndex, 1));
}

/** One prime's N residues, uniform below p, already in NTT order. Takes 32-bit little-endian words masked to 30 bits. */
function expandPrime(seed: Uint8Array, block: number, primeIndex: number, xof: Xof, out: Uint32Array): void {
  const prime = PRIMES[primeIndex] ?? 0;
  const input = streamInput(seed, block, primeIndex);
  for (let words = RING_DEGREE + SPARE_WORDS; ; words *= 2) {
    const stream = xof(input, 4 * words);
    const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
    let taken = 0;
    for (let w = 0; w < words && taken < RING_DEGREE; w++) {
      const word = view.getUint32(4 * w, true) & MASK;
      if (word < prime) out[taken++] = word;
    }
    if (taken === RING_DEGREE) return;
  }
}

/**
 * a_k: residues [prime][NTT slot].
 * @param seed the round's seed, 32 bytes
 */
export function expandA(seed: Uint8Array, block: number, xof: Xof = nobleShake128): Uint32Array {
  const out = new Uint32Array(RESIDUES_PER_BLOCK);
  PRIMES.forEach((_, j) => {
    expandPrime(seed, block, j, xof, out.subarray(j * RING_DEGREE, (j + 1) * RING_DEGREE));
  });
  return out;
}
