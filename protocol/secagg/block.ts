// The shape of one block: the ring, its three primes, and where a residue lives.
import { SECAGG } from '../params.ts';

/** N: coefficients of a ring element. */
export const RING_DEGREE = SECAGG.ringDegree;
/** Ascending; q is their product, 2^90. */
export const PRIMES: readonly [number, number, number] = SECAGG.primes;
/** One block = three polynomials of N residues, laid out [prime][coefficient]. How many values it holds: packing.ts. */
export const RESIDUES_PER_BLOCK = PRIMES.length * RING_DEGREE;

/** Fills the whole array from a CSPRNG (tests and vectors: from a fixed stream). */
export type FillRandom = (bytes: Uint8Array) => void;
