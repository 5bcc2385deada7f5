// Where everything lies in the kernel's memory. Fixed addresses, no heap: nothing is allocated, so nothing can leak.

/** N. The host passes it, the primes and the widths as constants (--use), from protocol/params.json. */
export const DEGREE: i32 = PARAM_DEGREE;
/** Bytes of N 32-bit words. */
export const POLYNOMIAL: usize = (<usize>DEGREE) << 2;
const BLOCK: usize = 3 * POLYNOMIAL;
const MAX_SLOTS: usize = PARAM_MAX_SLOTS;
/** A message has 78 bits: three limbs, whatever slots it is cut into. */
export const LIMB_BITS: u64 = PARAM_PLAINTEXT_BITS / 3;
export const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

// -- public: what depends on the primes alone, and a_k
/** Four tables of N words a prime: powers of ψ in bit-reversed order with their Shoup quotients, then those of ψ^-1. */
export const TABLES: usize = 1024;
const TABLES_PER_PRIME: usize = 4 * POLYNOMIAL;
/** A run of SHAKE128: N words and 32 more, for the few that rejection loses. */
export const STREAM: usize = TABLES + 3 * TABLES_PER_PRIME;
export const STREAM_BYTES: usize = POLYNOMIAL + 4 * 32;
/** a_k: residues [prime][NTT slot], each below its prime. */
export const PUBLIC: usize = STREAM + STREAM_BYTES;

// -- secret: one stretch, which wipe() zeroes
/** In: N small signed integers, the one-time secret or a sum of them. */
export const SMALL: usize = PUBLIC + BLOCK;
/** The same, ready to be multiplied by: NTT order, scaled. */
export const FACTOR: usize = SMALL + POLYNOMIAL;
/** a_k times the factor, coefficient order; after embed() it is the sealed block. */
export const PRODUCT: usize = FACTOR + BLOCK;
/** In: 10 random bytes a coefficient. The last sample is read as 8 + 2 bytes, never beyond. */
export const RANDOM: usize = PRODUCT + BLOCK;
/** Sealing: error + 40, unsigned. Opening: the residual E, signed. */
export const ERROR: usize = RANDOM + 10 * (<usize>DEGREE);
/** In: slots·N 16-bit values. */
export const VALUES: usize = ERROR + POLYNOMIAL;
/** In: a sealed sum (open, addPacked). Out: the sum (addPacked). Sealing: the limbs of the messages. */
export const LEFT: usize = VALUES + 2 * MAX_SLOTS * (<usize>DEGREE);
/** Out: slots·N slot sums of open(). */
export const SUMS: usize = LEFT + BLOCK;
/** In: a payload's block for addPacked(), residues of 30 bits each. */
export const PACKED: usize = SUMS + MAX_SLOTS * POLYNOMIAL;
export const PACKED_POLYNOMIAL: usize = (<usize>DEGREE / 16) * 60;
export const END: usize = PACKED + 3 * PACKED_POLYNOMIAL;

@inline
export function tableOf(prime: i32, table: i32): usize {
  return TABLES + (<usize>prime) * TABLES_PER_PRIME + (<usize>table) * POLYNOMIAL;
}

@inline
export function polynomialOf(block: usize, prime: i32): usize {
  return block + (<usize>prime) * POLYNOMIAL;
}

export function wipe(): void {
  memory.fill(SMALL, 0, END - SMALL);
}
