// The shape of one block: the ring, its three primes, and where a residue lives.
import { SECAGG } from '../params.ts';

/** N: coefficients of a ring element. */
export const RING_DEGREE = SECAGG.ringDegree;
/** Ascending; q is their product, 2^90. */
export const PRIMES: readonly [number, number, number] = SECAGG.primes;
/** One block = three polynomials of N residues, laid out [prime][coefficient]. */
export const RESIDUES_PER_BLOCK = PRIMES.length * RING_DEGREE;
/** One block also holds this many values: value j is coefficient floor(j/3), slot j mod 3. */
export const VALUES_PER_BLOCK = SECAGG.slotsPerCoefficient * RING_DEGREE;

/** Fills the whole array from a CSPRNG (tests and vectors: from a fixed stream). */
export type FillRandom = (bytes: Uint8Array) => void;
